"""`extends: <stack>/<endpoint>`: one level; a field here replaces that whole field there."""

from collections.abc import Mapping
from typing import TypeVar

from infra.spec.base import Path
from infra.spec.document import Document, Json, value_at

V = TypeVar("V")

_INSTEAD: tuple[tuple[Path, Path], ...] = (
    (("tier",), ("slo",)),
    (("slo",), ("tier",)),
    (("throughput",), ("units", "hourly")),
    (("units", "hourly"), ("throughput",)),
)
"""What is written instead of what: the one here also replaces the other there."""


def merge(document: Document, base: Document) -> Document:
    """Return a document with those fields of its base that it does not replace, at their own places."""
    own = _fields(document.tree)
    dropped: set[Path] = {(name,) for name in own}
    dropped |= {there for here, there in _INSTEAD if value_at(document.tree, here) is not None}
    inherited = {
        name: _without(value, {path[1:] for path in dropped if path[0] == name and len(path) > 1})
        for name, value in _fields(base.tree).items()
        if (name,) not in dropped
    }
    return Document(
        tree=inherited | own,
        root=document.root,
        positions=_kept(base.positions, dropped) | dict(document.positions),
        keys=_kept(base.keys, dropped) | dict(document.keys),
        refused=frozenset(_kept(dict.fromkeys(base.refused), dropped)) | document.refused,
        dates=frozenset(_kept(dict.fromkeys(base.dates), dropped)) | document.dates,
        problems=document.problems + base.problems,
    )


def _fields(tree: Json) -> dict[str, Json]:
    return tree if isinstance(tree, dict) else {}


def _without(value: Json, dropped: set[Path]) -> Json:
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if (name,) not in dropped}
    return value


def _kept(places: Mapping[Path, V], dropped: set[Path]) -> dict[Path, V]:
    return {
        path: place
        for path, place in places.items()
        if not any(path[: len(gone)] == gone for gone in dropped)
    }
