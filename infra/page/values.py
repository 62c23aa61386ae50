"""Frozen dataclasses as plain JSON and back, so that a page can carry them.

Why not pickle: the page should be readable, and diffs of two pages should say what changed.
"""

import importlib
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass

CLASS = "class"
"""The key under which an object of JSON says what it was; no field may have this name."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json(value: object) -> Json:
    """Return a dataclass, and all it holds, as plain values; a TypeError names what JSON cannot say."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        held = {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        return {CLASS: f"{kind.__module__}:{kind.__qualname__}", **held}
    if isinstance(value, Mapping):
        return {_key(key): to_json(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(held) for held in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def from_json(value: Json) -> object:
    """Return what `to_json` was given: dataclasses again, and tuples for lists."""
    if isinstance(value, list):
        return tuple(map(from_json, value))
    if not isinstance(value, dict):
        return value
    held = {name: from_json(inner) for name, inner in value.items() if name != CLASS}
    return _class(str(value[CLASS]))(**held) if CLASS in value else held


def modules_of(value: Json) -> Set[str]:
    """Return the modules whose classes a document names."""
    if isinstance(value, list):
        return {name for inner in value for name in modules_of(inner)}
    if not isinstance(value, dict):
        return set()
    own = {str(value[CLASS]).partition(":")[0]} if CLASS in value else set()
    return own | {name for inner in value.values() for name in modules_of(inner)}


def _key(key: object) -> str:
    if not isinstance(key, str) or key == CLASS:
        raise TypeError(f"{key!r} is no key of a JSON object")
    return key


def _class(name: str) -> type:
    module, _, kind = name.partition(":")
    found: type = getattr(importlib.import_module(module), kind)
    return found
