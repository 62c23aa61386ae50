"""OpenAI's SDK, asynchronous: answers at once, and a stream that its caller leaves."""

import asyncio

from environment import BASE_URL, HELLO, KEY, MODEL
from openai import AsyncOpenAI


async def main() -> None:
    """Ask eight times at once, then read the beginning of a stream."""
    async with AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0) as client:
        chat = client.chat.completions
        asked = (chat.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0) for _ in range(8))
        answers = {answer.choices[0].message.content for answer in await asyncio.gather(*asked)}
        assert len(answers) == 1, answers
        stream = await chat.create(model=MODEL, messages=HELLO, max_tokens=3000, temperature=0, stream=True)
        async for _ in stream:
            break
        await stream.close()
        print(*answers)


asyncio.run(main())
