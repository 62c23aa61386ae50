"""`modelunits check`: every rule's verdict without an engine."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.check import Checked, check_stack
from infra.cli.arguments import AsOf, Root, day_of, fail
from infra.cli.check_gateway import gateway_problems
from infra.problems import Problem
from infra.spec.load import stack_names


class CheckFormat(StrEnum):
    """How problems are written."""

    TEXT = "text"
    GITHUB = "github"
    JSON = "json"


def check(
    root: Root,
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to check; default: all of them.")] = None,
    as_of: AsOf = None,
    output: Annotated[CheckFormat, typer.Option("--format", help="How to print.")] = CheckFormat.TEXT,
) -> None:
    """Judge stacks by every rule; exit code 1 when something would not be deployed."""
    chosen = stacks or stack_names(root)
    if not chosen:
        fail("there is no stacks/Pulumi.<stack>.yaml to check")
    checked = {name: _checked(root, name, day_of(root, name, as_of)) for name in chosen}
    print(_FORMATS[output](checked))
    if any(one.problems for one in checked.values()):
        raise typer.Exit(1)


def _checked(root: Path, name: str, day: date) -> Checked:
    found = check_stack(root, name, day)
    return replace(found, problems=(*found.problems, *gateway_problems(name, found)))


def _text(checked: dict[str, Checked]) -> str:
    lines = [str(problem) for problem in _unique(one.problems for one in checked.values())]
    lines += [f"warning: {warning}" for warning in _unique(one.warnings for one in checked.values())]
    for name, one in checked.items():
        endpoints = len(one.plan.endpoints) if one.plan else 0
        lines.append(
            f"{name}: {_count(endpoints, 'endpoint')}, {_count(len(one.problems), 'problem')}, "
            f"{_count(len(one.warnings), 'warning')}"
        )
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number or 'no'} {noun}s"


def _github(checked: dict[str, Checked]) -> str:
    """Write annotations that GitHub shows on the lines of a diff."""
    return "\n".join(
        f"::{kind} file={_escaped(p.file)},line={p.line},col={p.column},title={p.rule}::{_escaped(p.message)}"
        for kind, groups in (
            ("error", (one.problems for one in checked.values())),
            ("warning", (one.warnings for one in checked.values())),
        )
        for p in _unique(groups)
    )


def _escaped(text: str) -> str:
    """Escape as workflow commands want it: a newline or a comma would end the field."""
    for raw, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (",", "%2C"), ("::", "%3A%3A")):
        text = text.replace(raw, code)
    return text


def _json(checked: dict[str, Checked]) -> str:
    return json.dumps(
        {
            name: {
                "problems": [asdict(problem) for problem in one.problems],
                "warnings": [asdict(warning) for warning in one.warnings],
            }
            for name, one in checked.items()
        },
        indent=2,
    )


def _unique(groups: Iterable[Iterable[Problem]]) -> list[Problem]:
    """Merge what several stacks say: a template's problem is everybody's, and is said once."""
    return sorted({problem for group in groups for problem in group})


_FORMATS = {CheckFormat.TEXT: _text, CheckFormat.GITHUB: _github, CheckFormat.JSON: _json}
