"""Volcengine's SDK for Ark, with Ark's base URL."""

from environment import BASE_URL, HELLO, KEY, MODEL
from volcenginesdkarkruntime import Ark

client = Ark(base_url=BASE_URL.removesuffix("/v1") + "/api/v3", api_key=KEY, max_retries=0)
answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0)
stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True)
streamed = "".join(piece.choices[0].delta.content or "" for piece in stream)
assert streamed == answer.choices[0].message.content
print(streamed)
