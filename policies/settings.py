"""What the policy pack reads of the stack it judges: the day, its exemptions and its levels."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from policies.exemptions import WrittenExemption, exemptions_of
from policies.levels import Levels, levels_from_config


class SettingsError(Exception):
    """The stack's settings cannot be used."""


def as_of(environment: Mapping[str, str], today: date) -> date:
    """Return the day of `modelunits:as-of`, or today."""
    written = _configuration(environment).get("modelunits:as-of")
    if not written:
        return today
    try:
        return date.fromisoformat(str(written))
    except ValueError:
        raise SettingsError(f"modelunits:as-of: must be a day such as 2026-12-31, got {written}") from None


def exemptions(environment: Mapping[str, str]) -> tuple[WrittenExemption, ...]:
    """Return the exemptions of `modelunits:environment`; the program says what is wrong with it."""
    written = _configuration(environment).get("modelunits:environment")
    try:
        return tuple(exemptions_of(json.loads(str(written))))
    except ValueError:
        return ()


def levels(environment: Mapping[str, str], folder: Path) -> Levels:
    """Return the levels of the stack's file, which --policy-pack-config overrides."""
    file = folder / f"{environment.get('PULUMI_STACK', '')}.json"
    return levels_from_config(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _configuration(environment: Mapping[str, str]) -> Mapping[str, object]:
    """Return the stack's configuration, as Pulumi hands it to its plugins."""
    read = json.loads(environment.get("PULUMI_CONFIG", "{}"))
    return read if isinstance(read, Mapping) else {}
