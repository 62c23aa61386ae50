"""Where pydantic's locations lie in what was written, and how places and values are shown."""

import json
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from infra.spec.base import Path, Spec

_SIMPLE_KEY = re.compile(r"[-_.:/A-Za-z0-9]{1,64}")
_LONGEST = 40


def dotted(path: Path) -> str:
    """Return a path as people write it: `units.purchases[0].start`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{shown(part)}]"
    return text


def printable(text: str) -> str:
    """Return text that any terminal and encoding can show."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def shown(value: object) -> str:
    """Return a written value in few words, safe to print."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            short = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
            return f"'{printable(short)}'"
        case list():
            return "a list"
        case _:
            return "a mapping"


def members(kind: object) -> tuple[object, ...]:
    """Return the alternatives of a type: one, or those of a union; None and annotations left out."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return tuple(one for arg in get_args(kind) if arg is not NoneType for one in members(arg))
    return (kind,)


def fields(kind: object) -> dict[str, object] | None:
    """Return the fields of a spec type, or None where any key may stand."""
    if isinstance(kind, type) and issubclass(kind, Spec) and kind.model_config.get("extra") != "allow":
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return None


def step(kind: object, part: str | int) -> tuple[object, ...]:
    """Return the types that stand one step below a type, or nothing where there is no such place."""
    if isinstance(kind, type) and issubclass(kind, Spec):
        if part in kind.model_fields:
            return members(kind.model_fields[str(part)].annotation)
        extra = get_type_hints(kind).get("__pydantic_extra__")
        return members(get_args(extra)[1]) if kind.model_config.get("extra") == "allow" else ()
    if get_origin(kind) is tuple and isinstance(part, int):
        return members(get_args(kind)[0])
    if isinstance(origin := get_origin(kind), type) and issubclass(origin, Mapping):
        return members(get_args(kind)[1])
    return ()


def kinds_at(model: type[Spec], path: Path) -> tuple[object, ...]:
    """Return the types that may stand at a path of a document."""
    kinds: tuple[object, ...] = (model,)
    for part in path:
        kinds = tuple(below for kind in kinds for below in step(kind, part))
    return kinds
