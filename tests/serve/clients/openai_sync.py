"""OpenAI's SDK: a list of models, an answer, a stream, an error."""

from environment import BASE_URL, HELLO, KEY, MODEL
from openai import BadRequestError, OpenAI

client = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
assert MODEL in [model.id for model in client.models.list()]

answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0)
assert answer.model == MODEL
assert answer.usage.completion_tokens == 8

pieces = list(
    client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True)
)
streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
assert streamed == answer.choices[0].message.content

*_, last = client.chat.completions.create(
    model=MODEL, messages=HELLO, max_tokens=8, stream=True, stream_options={"include_usage": True}
)
assert (last.choices, last.usage.completion_tokens) == ([], 8)

try:
    client.chat.completions.create(model=MODEL, messages=HELLO, response_format={"type": "json_object"})
except BadRequestError as error:
    refused = error.param
else:
    refused = None
assert refused == "response_format", refused
print(streamed)
