"""The Pulumi program: check the stack's files, then build what its plan says."""

import gc
import sys
from datetime import date
from pathlib import Path
from typing import NoReturn

import pulumi

from infra.build import build
from infra.check import check_stack
from infra.problems import SpecError

SHOWN = 32
"""Tells Pulumi's language host that the error is on the screen already, so that it adds none of its own
(pythonProcessExitedAfterShowingUserActionableMessage in pulumi-language-python)."""


def main() -> None:
    """Build the stack, or end with every problem on a line of its own before anything is registered."""
    checked = check_stack(Path(pulumi.get_root_directory()), pulumi.get_stack(), _as_of())
    for warning in checked.warnings:
        pulumi.log.warn(str(warning))
    try:
        plan = checked.usable_plan()
    except SpecError as error:
        _refuse("\n".join(map(str, error.problems)))
    build(plan, checked.manifests)


def _as_of() -> date:
    text = pulumi.Config("modelunits").get("as-of")
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        _refuse(f"modelunits:as-of: must be a day such as 2026-12-31, got {text}")


def _refuse(why: str) -> NoReturn:
    pulumi.log.error(why)
    sys.exit(SHOWN)


if __name__ == "__main__":
    # Thousands of small objects live until the end: looking for garbage among them only costs time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    main()
