"""Lets tests of the limiter run the gateway of the tests beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "gateway"))
