"""What a client is told: nothing but the base URL, a key and an endpoint's id."""

import os

BASE_URL = os.environ["BASE_URL"]
KEY = os.environ["KEY"]
MODEL = os.environ["MODEL"]
HELLO = [{"role": "user", "content": "hello"}]
