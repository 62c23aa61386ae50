"""A document against its model: every complaint of pydantic as one of ours, at its place."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infra.problems import Problem, allowed
from infra.spec.base import Path, Spec
from infra.spec.document import Document, Json, value_at
from infra.spec.locate import dotted, fields, kinds_at, shown, step
from infra.spec.messages import is_type_error, said, wrong_type
from infra.spec.stack import Position, Source

S = TypeVar("S", bound=Spec)


def validate(
    model: type[S], document: Document, *, partial: bool = False
) -> tuple[S | None, tuple[Problem, ...]]:
    """Return the value that a document describes, or None, and all its problems.

    A partial document may lack top-level fields: those of a base that was not found.
    """
    dated = _dates_for_text(model, document)
    document = replace(document, refused=document.refused | {path for path, _ in dated})
    problems = [*document.problems, *(problem for _, problem in dated)]
    value: S | None = None
    try:
        value = model.model_validate_json(json.dumps(document.tree))
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
        if partial:
            errors = [error for error in errors if error["type"] != "missing" or len(error["loc"]) > 1]
        problems += _problems(model, document, errors)
    return (None if problems else value), tuple(problems)


def source(document: Document) -> Source:
    """Return the places of a document's values."""
    return Source(document.root, document.positions)


def _problems(model: type[Spec], document: Document, errors: list[ErrorDetails]) -> Iterator[Problem]:
    places: dict[tuple[Path, bool], list[ErrorDetails]] = defaultdict(list)
    for error in errors:
        place = _place(model, document.tree, error)
        if place and not _said_already(document, place[0]):
            places[place].append(error)
    for (path, on_key), found in places.items():
        yield _problem(model, document, path, on_key, found)


def _place(model: type[Spec], tree: Json, error: ErrorDetails) -> tuple[Path, bool] | None:
    """Return an error's path, and whether it is about a key; None for a union member that was not meant.

    Why: pydantic puts the names of union members into its locations; the types tell where. A mapping
    was meant as the member that is one, so what other members say of it is left out.
    """
    kinds: tuple[object, ...] = (model,)
    path: Path = ()
    for index, part in enumerate(error["loc"]):
        if len(kinds) > 1:
            mapping = isinstance(value_at(tree, path), dict)
            specs = [kind for kind in kinds if fields(kind) is not None]
            if mapping and specs and is_type_error(error) and index == len(error["loc"]) - 1:
                return None
            kinds = tuple(specs) if mapping else kinds[:1]
        elif part == "[key]" and index == len(error["loc"]) - 1:
            return path, True
        else:
            path = (*path, part)
            kinds = tuple(below for kind in kinds for below in step(kind, part))
    return path, False


def _said_already(document: Document, path: Path) -> bool:
    return any(path[:length] in document.refused for length in range(len(path) + 1))


def _problem(
    model: type[Spec], document: Document, path: Path, on_key: bool, errors: list[ErrorDetails]
) -> Problem:
    value = path[-1] if on_key else value_at(document.tree, path)
    telling = [error for error in errors if not is_type_error(error)]
    if telling and telling[0]["type"] == "extra_forbidden":
        known = [names for kind in kinds_at(model, path[:-1]) if (names := fields(kind)) is not None]
        text = f"unknown key {shown(path[-1])}; {allowed(known[0], str(path[-1]))}"
        return _at(document.keys[path], path[:-1], text, "unknown-key")
    text = said(telling[0], value) if telling else wrong_type(errors, value)
    if on_key:
        return _at(document.keys[path], path[:-1], f"key {shown(value)}: {text}", "schema")
    return _at(source(document).locate(path), path, text, "schema")


def _at(place: Position, path: Path, text: str, rule: str) -> Problem:
    message = f"{dotted(path)}: {text}" if path else text
    return Problem(place.file, place.line, place.column, message, rule)


def _dates_for_text(model: type[Spec], document: Document) -> tuple[tuple[Path, Problem], ...]:
    found = []
    for path in document.dates:
        if (kinds := kinds_at(model, path)) and date not in kinds:
            text = f"{shown(value_at(document.tree, path))} is a date to YAML; quote it to mean text"
            found.append((path, _at(document.positions[path], path, text, "yaml")))
    return tuple(found)
