"""A guard model that an endpoint of the same stack serves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from infra.moderation.judges.expressions import Expression
from infra.moderation.judges.pieces import pieces
from infra.moderation.judges.protocol import JudgeError, Kind

PIECE_CHARACTERS = 8_000
"""Guard models read few thousand tokens; Chinese has one for nearly each character."""

PIECES_AT_ONCE = 4
"""Of one request: the guard serves everybody."""

ANSWER_TOKENS = 64
"""Guards answer with a word or two and the categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardModel:
    """Asks the guard about the texts; they are refused where the expression is found in its answer."""

    endpoint_id: str
    upstream: str
    flags: Expression
    client: httpx.AsyncClient
    kind: Kind = "guard"

    async def refuses(self, texts: Sequence[str]) -> bool:
        """Return whether the guard flags one of the texts."""
        turn = asyncio.Semaphore(PIECES_AT_ONCE)

        async def flagged(piece: str) -> bool:
            async with turn:
                return await self._flagged(piece)

        asked = pieces(["\n\n".join(texts)], PIECE_CHARACTERS)
        return any(await asyncio.gather(*(flagged(piece) for piece in asked)))

    async def _flagged(self, piece: str) -> bool:
        question = {
            "model": self.endpoint_id,
            "messages": [{"role": "user", "content": piece}],
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
        }
        try:
            answer = await self.client.post(f"http://{self.upstream}/v1/chat/completions", json=question)
        except httpx.HTTPError as error:
            raise JudgeError(f"no answer ({type(error).__name__})") from None
        if answer.status_code != httpx.codes.OK:
            raise JudgeError(f"status {answer.status_code}")
        return self.flags.is_in(_content(answer))


def _content(answer: httpx.Response) -> str:
    try:
        content = answer.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, TypeError, IndexError):
        raise JudgeError("an answer without choices[0].message.content") from None
    if not isinstance(content, str) or not content.strip():
        raise JudgeError("an empty answer")
    return content
