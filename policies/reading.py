"""Reads values out of properties: plain data, or the SDK's proxies with floats for integers."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import cast

from policies.rule import Path, dotted


class UnreadableError(Exception):
    """A property of a component of ours is missing or is something else than we write."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(f"property {dotted(path)} must be {expected}")


def at(value: object, *path: str | int) -> object:
    """Return the value at a path, or None where there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and _is_list(value):
            items = cast("Sequence[object]", value)
            value = items[step] if step < len(items) else None
        else:
            return None
    return value


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def number(value: object, *path: str | int) -> float:
    """Return the number at a path."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise UnreadableError(path, "a number")
    return found


def whole(value: object, *path: str | int) -> int:
    """Return the whole number at a path; Pulumi sends 4 as 4.0."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if isinstance(found, float) and found.is_integer():
        return int(found)
    raise UnreadableError(path, "a whole number")


def text(value: object, *path: str | int) -> str:
    """Return the text at a path."""
    found = at(value, *path)
    if not isinstance(found, str):
        raise UnreadableError(path, "text")
    return found


def flag(value: object, *path: str | int) -> bool:
    """Return the truth at a path."""
    found = at(value, *path)
    if not isinstance(found, bool):
        raise UnreadableError(path, "true or false")
    return found


def items(value: object, *path: str | int) -> Sequence[object]:
    """Return the list at a path."""
    found = at(value, *path)
    if not _is_list(found):
        raise UnreadableError(path, "a list")
    return cast("Sequence[object]", found)


def text_or_none(value: object, *path: str | int) -> str | None:
    """Return the text at a path, or None where there is anything else."""
    found = at(value, *path)
    return found if isinstance(found, str) else None


def items_or_none(value: object, *path: str | int) -> Sequence[object]:
    """Return the list at a path, empty where there is anything else."""
    found = at(value, *path)
    return cast("Sequence[object]", found) if _is_list(found) else ()


def mapping_or_none(value: object, *path: str | int) -> Mapping[str, object]:
    """Return the mapping at a path, empty where there is anything else."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}
