"""The book of API keys: who has which. Pure; it never holds the secrets themselves."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import ConfigDict

from infra.problems import allowed

KEYS_PER_TEAM = 5
"""What Volcengine Ark and Huawei MaaS allow: enough to rotate, few enough to know who uses which."""

DESCRIPTION_LENGTH = 200


STRICT = ConfigDict(extra="forbid")
"""A book that a later version wrote is not read: what this one does not know it would lose."""


class KeysError(Exception):
    """What was asked of the keys cannot be done; says what and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What people see of a key."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: str
    team: str
    description: str
    created: datetime


class TooManyKeysError(KeysError):
    """The team has all the keys that it may have."""

    def __init__(self, team: str, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        super().__init__(
            f"team {team} has {len(self.keys)} keys and may have {KEYS_PER_TEAM}: revoke one first"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Every key that works, the oldest first."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    keys: tuple[Key, ...] = ()

    def of(self, team: str) -> tuple[Key, ...]:
        """Return the keys of a team."""
        return tuple(key for key in self.keys if key.team == team)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the id of every key."""
        return tuple(key.id for key in self.keys)


def add(book: Book, key: Key, teams: Collection[str]) -> Book:
    """Return the book with one more key.

    Raises:
        KeysError: a team that there is not or that has enough keys, or a description that cannot be shown.
    """
    if wrong := [*_team_faults(key.team, teams), *_description_faults(key.description)]:
        raise KeysError("; ".join(wrong))
    if len(book.of(key.team)) >= KEYS_PER_TEAM:
        raise TooManyKeysError(key.team, book.of(key.team))
    if key.id in book.ids:
        raise KeysError(f"key {key.id} exists already")
    created = key.created.astimezone(UTC).replace(microsecond=0)
    return Book(keys=(*book.keys, replace(key, created=created)))


def remove(book: Book, key_id: str) -> Book:
    """Return the book without a key.

    Raises:
        KeysError: there is no such key.
    """
    if key_id not in book.ids:
        raise KeysError(f"no key {_shown(key_id)}; {allowed(book.ids, key_id)}")
    return Book(keys=tuple(key for key in book.keys if key.id != key_id))


def _team_faults(team: str, teams: Collection[str]) -> Iterable[str]:
    if team not in teams:
        yield f"--team: no team {_shown(team)} in the environment; {allowed(teams, team)}"


def _description_faults(description: str) -> Iterable[str]:
    if not description.strip():
        yield "--description: is required: say who uses the key, for what"
    elif len(description) > DESCRIPTION_LENGTH:
        yield f"--description: must be at most {DESCRIPTION_LENGTH} characters, got {len(description)}"
    elif not description.isprintable():
        yield "--description: must be printable characters on one line"


def _shown(text: str) -> str:
    """Return what somebody typed, short: it may be a key, pasted in the wrong place."""
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"of {len(text)} characters"


_LONGEST_SHOWN = 40
"""A secret is longer, and never shown again."""
