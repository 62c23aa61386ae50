"""LangChain's model for OpenAI's API."""

from environment import BASE_URL, KEY, MODEL
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url=BASE_URL, api_key=KEY, model=MODEL, max_tokens=8, temperature=0, max_retries=0)
answer = model.invoke("hello")
assert answer.usage_metadata["output_tokens"] == 8
assert "".join(piece.content for piece in model.stream("hello")) == answer.content
print(answer.content)
