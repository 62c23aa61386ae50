"""Numbers that keep their units: `30m`, `1.5TiB`. Shorthand is parsed here and nowhere else."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_GIB = {"MiB": 1 / 1024, "GiB": 1.0, "TiB": 1024.0}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(rf"{_NUMBER}(s|m|h|d)")
_MEMORY = re.compile(rf"{_NUMBER}(MiB|GiB|TiB)")


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("duration", "must be a number with a unit: 45s, 30m, 1.5h or 7d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _memory_gib(value: object) -> float:
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("memory", "must be a number with a unit: 512MiB, 80GiB or 1.5TiB")
    return float(match[1]) * _GIB[match[2]]


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^{_DURATION.pattern}$", "examples": ["45s", "30m", "1.5h"]}
    ),
]
"""A length of time with its unit."""

MemoryGib = Annotated[
    float,
    BeforeValidator(_memory_gib),
    WithJsonSchema({"type": "string", "pattern": rf"^{_MEMORY.pattern}$", "examples": ["80GiB", "1.5TiB"]}),
]
"""An amount of memory with its unit; held in GiB."""
