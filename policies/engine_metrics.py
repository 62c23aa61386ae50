"""What the pinned vLLM and the gateway report, read from `metrics.json` beside this file.

Why: a policy pack has to judge without the catalog; a test holds the file against it.
"""

import json
from pathlib import Path

_DOCUMENT = json.loads((Path(__file__).parent / "metrics.json").read_text(encoding="utf-8"))

VLLM_VERSION: str = _DOCUMENT["version"]
VLLM_METRICS: frozenset[str] = frozenset(_DOCUMENT["metrics"])
GATEWAY_METRICS: frozenset[str] = frozenset(_DOCUMENT["gateway"])
