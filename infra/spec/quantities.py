"""Numbers that keep their units: `30m`, `1.5TiB`. Shorthand is parsed here and nowhere else."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_GIB = {"MiB": 1 / 1024, "GiB": 1.0, "TiB": 1024.0}
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
DURATION = rf"^{_NUMBER}(s|m|h|d)$"
MEMORY = rf"^{_NUMBER}(MiB|GiB|TiB)$"
_LONGEST = timedelta(days=365)
_SMALLEST_GIB, _LARGEST_GIB = _GIB["MiB"], 1024 * _GIB["TiB"]


def _duration(value: object) -> timedelta:
    match = re.fullmatch(DURATION, value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("duration", "must be a number with a unit (45s, 30m, 1.5h, 7d)")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= _LONGEST.total_seconds():
        raise PydanticCustomError("duration", "must be between 1s and 365d")
    return timedelta(seconds=seconds)


def _memory_gib(value: object) -> float:
    match = re.fullmatch(MEMORY, value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("memory", "must be a number with a unit (512MiB, 80GiB, 1.5TiB)")
    gib = float(match[1]) * _GIB[match[2]]
    if not _SMALLEST_GIB <= gib <= _LARGEST_GIB:
        raise PydanticCustomError("memory", "must be between 1MiB and 1024TiB")
    return gib


def write_duration(value: timedelta) -> str:
    """Return a duration as people write it, in the largest unit that gives a whole number."""
    seconds = value.total_seconds()
    unit = next((unit for unit in "dhm" if seconds % _SECONDS[unit] == 0), "s")
    return f"{seconds / _SECONDS[unit]:.9f}".rstrip("0").rstrip(".") + unit


def write_memory(gib: float) -> str:
    """Return an amount of memory as people write it."""
    unit = next((unit for unit in ("TiB", "GiB") if gib % _GIB[unit] == 0), "MiB")
    return f"{gib / _GIB[unit]:.9f}".rstrip("0").rstrip(".") + unit


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["45s", "30m", "1.5h"]}),
]
"""A length of time with its unit."""

MemoryGib = Annotated[
    float,
    BeforeValidator(_memory_gib),
    PlainSerializer(write_memory, return_type=str),
    WithJsonSchema({"type": "string", "pattern": MEMORY, "examples": ["80GiB", "1.5TiB"]}),
]
"""An amount of memory with its unit; held in GiB."""
