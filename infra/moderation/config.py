"""The moderator's file: which judges there are."""

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.moderation.judges.expressions import Expression
from infra.moderation.judges.words import is_empty
from infra.spec.gateway import LONGEST_TIMEOUT


class ConfigError(Exception):
    """The file cannot be used; the message says what is wrong with it, all at once."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Guard(_Part):
    """The guard model."""

    endpoint_id: str = Field(min_length=1)
    upstream: str = Field(min_length=1)
    """Host and port."""
    flags: str = Field(min_length=1)


class Config(_Part):
    """The judges, as `moderation_config` of the gateway's files writes them."""

    words: tuple[str, ...] = Field(default=())
    patterns: tuple[str, ...] = Field(default=())
    url: str | None = Field(default=None, pattern="^https?://")
    guard: Guard | None = None
    timeout_seconds: float = Field(default=10.0, gt=0, le=LONGEST_TIMEOUT.total_seconds())


def parse(text: bytes) -> Config:
    """Return the configuration; raise ConfigError with everything that is wrong with it."""
    try:
        config = Config.model_validate_json(text)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
        raise ConfigError("\n".join(lines)) from None
    complaints = _complaints(config)
    if complaints:
        raise ConfigError("\n".join(complaints))
    return config


def _complaints(config: Config) -> list[str]:
    complaints = [
        f"words.{position}: nothing to look for is left without blanks, accents and unseen characters"
        for position, word in enumerate(config.words)
        if is_empty(word)
    ]
    expressions = {f"patterns.{position}": pattern for position, pattern in enumerate(config.patterns)}
    if config.guard:
        expressions["guard.flags"] = config.guard.flags
    for place, pattern in expressions.items():
        try:
            Expression(pattern)
        except re2.error as error:
            complaints.append(f"{place}: no regular expression of RE2: {_said(error)}")
    if not (config.words or config.patterns or config.url or config.guard):
        complaints.append("file: names no judge; allowed are words, patterns, url and guard")
    return complaints


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode() if isinstance(said, bytes) else str(said)
