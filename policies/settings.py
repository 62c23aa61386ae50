"""What the policy pack takes from the stack that it judges: the day, its exemptions and its levels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from policies.exemptions import Exemption, exemptions_of
from policies.levels import Levels, LevelsError, levels_from_file

_ENVIRONMENT, _AS_OF = "modelunits:environment", "modelunits:as-of"


class SettingsError(Exception):
    """The stack's settings cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What verdicts on one stack depend on, beside its resources."""

    as_of: date
    exemptions: tuple[Exemption, ...] = ()
    levels: Levels


def stack_settings(
    stack: str, configuration: Mapping[str, str], *, levels_folder: Path, today: date
) -> StackSettings:
    """Read a stack's settings from its configuration and its file of levels.

    Why the stack of another program has no levels: one of the same name would weaken its rules unseen.
    """
    is_ours = _ENVIRONMENT in configuration
    return StackSettings(
        as_of=_as_of(configuration, today),
        exemptions=tuple(exemptions_of(_parsed(configuration[_ENVIRONMENT]))) if is_ours else (),
        levels=_levels(levels_folder / f"{stack}.json") if is_ours else {},
    )


def _as_of(configuration: Mapping[str, str], today: date) -> date:
    written = configuration.get(_AS_OF)
    if not written:
        return today
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise SettingsError(f"{_AS_OF}: must be a day such as 2026-12-31, got {written}") from None


def _parsed(environment: str) -> object:
    """Read the environment; the program says what is wrong with it."""
    try:
        return json.loads(environment)
    except ValueError:
        return None


def _levels(file: Path) -> Levels:
    try:
        return levels_from_file(file)
    except LevelsError as error:
        raise SettingsError(f"policies/config/{file.name}: {error}") from None
