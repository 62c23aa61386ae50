"""A service with OpenAI's moderation API."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from infra.moderation.judges.pieces import pieces
from infra.moderation.judges.protocol import JudgeError, Kind

PIECE_CHARACTERS = 16_000
"""Some services read only the beginning of a longer text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationService:
    """Asks POST {url}/v1/moderations; a text is refused where its result is flagged."""

    url: str
    key: str | None
    """Sent as a bearer token."""
    client: httpx.AsyncClient
    kind: Kind = "url"

    async def refuses(self, texts: Sequence[str]) -> bool:
        """Return whether one of the texts is flagged."""
        asked = list(pieces(texts, PIECE_CHARACTERS))
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            answer = await self.client.post(
                f"{self.url.rstrip('/')}/v1/moderations", json={"input": asked}, headers=headers
            )
        except httpx.HTTPError as error:
            raise JudgeError(f"no answer ({type(error).__name__})") from None
        if answer.status_code != httpx.codes.OK:
            raise JudgeError(f"status {answer.status_code}")
        return any(_flags(answer, len(asked)))


def _flags(answer: httpx.Response, count: int) -> list[bool]:
    try:
        flags = [result["flagged"] for result in answer.json()["results"]]
    except (ValueError, KeyError, TypeError):
        raise JudgeError("an answer without results[].flagged") from None
    if len(flags) != count or not all(isinstance(flag, bool) for flag in flags):
        raise JudgeError("not one true or false for each text")
    return flags
