"""All judges together: what one refuses is refused, what one cannot judge does not pass."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from infra.moderation.judges.protocol import Asker, Failed, Found, JudgeError, Matcher, Opinion, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The judges of one configuration."""

    matchers: tuple[Matcher, ...]
    askers: tuple[Asker, ...]
    timeout_seconds: float

    async def judge(self, texts: Sequence[str]) -> Opinion:
        """Judge whole texts: the matchers first, which need no time, then the askers."""
        return self.match(texts) or await self.ask(texts)

    def match(self, texts: Sequence[str]) -> Refused | None:
        """Return who of the matchers refuses a text."""
        for matcher in self.matchers:
            if any(matcher.find("", text, final=True) is Found.REFUSED for text in texts):
                return Refused(judge=matcher.kind)
        return None

    async def ask(self, texts: Sequence[str]) -> Opinion:
        """Ask all askers at once; the first refusal counts, and a failure where nobody refuses."""
        if not self.askers or not texts:
            return None
        asked = [asyncio.ensure_future(self._ask(asker, texts)) for asker in self.askers]
        failed: Opinion = None
        try:
            for answer in asyncio.as_completed(asked):
                opinion = await answer
                if isinstance(opinion, Refused):
                    return opinion
                failed = opinion or failed
        finally:
            for task in asked:
                task.cancel()
        return failed

    async def _ask(self, asker: Asker, texts: Sequence[str]) -> Opinion:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                refused = await asker.refuses(texts)
        except TimeoutError:
            return Failed(judge=asker.kind, why=f"no answer within {self.timeout_seconds:g} seconds")
        except JudgeError as error:
            return Failed(judge=asker.kind, why=str(error))
        except Exception as error:  # whatever a judge does, nothing passes
            return Failed(judge=asker.kind, why=type(error).__name__)
        return Refused(judge=asker.kind) if refused else None
