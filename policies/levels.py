"""How much each rule weighs in a stack; `policies/config/<stack>.json` is a --policy-pack-config file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from infra.problems import allowed
from policies.registry import RULES
from policies.rule import Level

Levels = Mapping[str, Level]

DEFAULT_LEVEL: Level = "mandatory"
"""Of every rule that a stack says nothing about."""


class LevelsError(Exception):
    """What was written as levels cannot be used."""


def levels_from_file(file: Path) -> Levels:
    """Read levels from a file; without it every rule has its default."""
    if not file.exists():
        return {}
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise LevelsError(f"cannot be read: {error}") from None
    return levels_from_text(text)


def levels_from_text(text: str) -> Levels:
    """Read levels from a file's text."""
    try:
        return levels_from_config(json.loads(text, object_pairs_hook=_without_repetition))
    except (ValueError, RecursionError) as error:
        raise LevelsError(f"cannot be read as JSON: {error}") from None


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    for index, (key, _) in enumerate(pairs):
        if key in (earlier for earlier, _ in pairs[:index]):
            raise LevelsError(f"{key}: is there twice")
    return dict(pairs)


def levels_from_config(document: object) -> Levels:
    """Read levels from the JSON document; `all` stands for every rule that is not named."""
    if not isinstance(document, Mapping):
        raise LevelsError("must be an object from rule names to levels")
    names = [rule.name for rule in RULES]
    levels: dict[str, Level] = {}
    for key, value in document.items():
        if key not in (*names, "all"):
            raise LevelsError(f"{key}: no such rule; {allowed((*names, 'all'), str(key))}")
        written = value.get("enforcementLevel") if isinstance(value, Mapping) else value
        levels[key] = _level(key, written)
    every = levels.pop("all", None)
    return levels if every is None else dict.fromkeys(names, every) | levels


def _level(key: str, written: object) -> Level:
    if written == "remediate":
        # No rule rewrites anything; Pulumi weighs what a remediation left as mandatory.
        return "mandatory"
    for level in get_args(Level):
        if written == level:
            return level  # type: ignore[no-any-return]
    raise LevelsError(f"{key}: {allowed(get_args(Level), written if isinstance(written, str) else None)}")
