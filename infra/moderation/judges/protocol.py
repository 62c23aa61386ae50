"""What a judge is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

Kind = Literal["words", "patterns", "url", "guard"]


class Found(Enum):
    """What a matcher sees at the end of a text that may go on."""

    NOTHING = "nothing"
    OPEN = "open"
    """It ends in what would be refused; what follows may turn it into something else."""
    REFUSED = "refused"


class Matcher(Protocol):
    """A judge that reads at once, also text that comes in pieces."""

    @property
    def kind(self) -> Kind:
        """Return what it is called in configuration, metadata and metrics."""
        ...

    def find(self, seen: str, new: str, *, final: bool) -> Found:
        """Judge a text whose first part was judged before; final: nothing follows."""
        ...

    def held(self, seen: str, new: str) -> int:
        """Return how many characters at the end of a text may be the beginning of what is refused."""
        ...


class JudgeError(Exception):
    """A judge did not answer, or not what it is asked for; the message has no text of callers or models."""


class Asker(Protocol):
    """A judge somewhere else, which is asked about whole texts."""

    @property
    def kind(self) -> Kind:
        """Return what it is called in configuration, metadata and metrics."""
        ...

    async def refuses(self, texts: Sequence[str]) -> bool:
        """Return whether one of the texts is refused; raise JudgeError where nobody knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A judge found what is not allowed."""

    judge: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nobody knows, so nothing passes."""

    judge: Kind | Literal["reader"]
    """reader: the moderator itself could not read what it was given."""
    why: str
    """For the log; never a text of callers or models."""


Opinion = Refused | Failed | None
"""None: passed."""
