"""`modelunits size --write`: put the answer into an endpoint's file, if the stack then passes `check`."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from infra.cli.size_numbers import count
from infra.problems import Problem, SpecError
from infra.spec.base import NAME, PATTERN_WORDS
from infra.spec.endpoint import FineTune
from infra.spec.load import load_stack

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

_SCHEMA = "# yaml-language-server: $schema=../../schemas/endpoint.json\n"
_READ = ("Pulumi.yaml", "stacks", "templates", "policies/config", "calibrations")
"""What `check` reads of a project."""
_ROUND_TRIP_WIDTH = 10**6
"""Columns beyond which lines are folded: none, so that no line changes that nobody meant."""


class RefusedError(Exception):
    """The answer cannot be put into this file; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An endpoint's file in a project."""

    root: Path
    stack: str
    name: str
    exists: bool

    @property
    def file(self) -> str:
        """Return the file from the project's folder."""
        return f"stacks/{self.stack}/{self.name}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What is put into the file."""

    model: str
    template: str
    tier: str | None
    ttft_ms: float
    tpot_ms: float
    """Both count where no tier is named."""
    units: int
    step_units: int
    """The least that can run."""
    reserved_units: int | None
    """The floor that costs least; None where no log tells it."""
    team: str | None
    inherited: str | None = None
    """The model of the endpoint that the file extends."""


def target_of(root: Path, path: Path) -> Target:
    """Return the endpoint that a path means: `stacks/<stack>/<name>.yaml`, from here or from the project."""
    there = next(
        (p for p in (path.resolve(), (root / path).resolve()) if p.is_relative_to(root / "stacks")), None
    )
    parts = there.relative_to(root / "stacks").parts if there else ()
    if there is None or len(parts) != 2 or there.suffix != ".yaml":
        raise RefusedError(f"--write: must be stacks/<stack>/<endpoint>.yaml in {root}, got {path}")
    if not re.fullmatch(NAME, there.stem):
        raise RefusedError(f"--write: {there.stem}: the name before .yaml {PATTERN_WORDS[NAME]}")
    return Target(root=root, stack=parts[0], name=there.stem, exists=there.is_file())


def write_answer(target: Target, bought: Bought, as_of: date) -> tuple[str, ...]:
    """Write the answer and return sentences that say what was written.

    Raises:
        RefusedError: the file cannot take it.
        SpecError: the stack would not pass `check` with it.
    """
    before = (target.root / target.file).read_text(encoding="utf-8") if target.exists else None
    text, said = edited(before, replace(bought, inherited=_model(target)))
    problems = _new_problems(target, text, as_of)
    if problems:
        raise SpecError(problems)
    (target.root / target.file).write_text(text, encoding="utf-8")
    return f"wrote {target.file}: {said[0]}", *said[1:]


def edited(before: str | None, bought: Bought) -> tuple[str, tuple[str, ...]]:
    """Return a file's text with the answer in it, and what was set; comments and all else are kept.

    Reserved units and orders are commitments: they stay where no log says better; hourly units do the rest.
    So does the least of hourly units; in a new file it is a step, so that callers do not wait for a start.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - a twentieth of a second, and only where a file is written
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _ROUND_TRIP_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        tree = CommentedMap() if before is None else yaml.load(before)
    except YAMLError as error:
        raise RefusedError(f"--write: the file is no YAML that can be kept: {error}") from None
    if not isinstance(tree, CommentedMap):
        raise RefusedError("--write: the file is no mapping")
    _set_model(tree, bought)
    if before is None:
        tree["team"] = bought.team
    tree["template"] = bought.template
    _set_promise(tree, bought)
    least, most_before = bought.step_units if before is None else 0, _most(tree.get("units"))
    told = _set_units(tree, bought, least)
    most = _most(tree["units"])
    out = StringIO()
    yaml.dump(tree, out)
    tier = bought.tier or f"TTFT {bought.ttft_ms:g} ms and TPOT {bought.tpot_ms:g} ms"
    text = out.getvalue() if before is not None else _SCHEMA + out.getvalue()
    said = f"{bought.model} on {bought.template}, {tier}, {told}"
    if most >= most_before:
        return text, (said,)
    return text, (said, f"WARNING: the most that may run shrinks from {most_before} to {count(most, 'unit')}")


def _model(target: Target) -> str | None:
    """Return the model that the file has now, of its own or by extending another."""
    stack = load_stack(target.root, target.stack).stack
    found = (
        next((one.value.model for one in stack.endpoints if one.name == target.name), None) if stack else None
    )
    return found.base if isinstance(found, FineTune) else found


def _set_model(tree: "CommentedMap", bought: Bought) -> None:
    """Set the model; a fine-tune stays one."""
    written = tree.get("model")
    if written is None and "extends" in tree and bought.inherited == bought.model:
        return
    if not isinstance(written, dict):
        tree["model"] = bought.model
    elif written.get("base") != bought.model:
        raise RefusedError(
            f"--write: the file has a fine-tune of {written.get('base')}, and {bought.model} was sized"
        )


def _set_promise(tree: "CommentedMap", bought: Bought) -> None:
    """Set the tier, or the latencies that were asked for; one takes the place of the other."""
    new: tuple[str, object] = (
        ("tier", bought.tier)
        if bought.tier
        else ("slo", type(tree)({"ttft_ms": bought.ttft_ms, "tpot_ms": bought.tpot_ms}))
    )
    old = "slo" if bought.tier else "tier"
    if old in tree:
        place = list(tree).index(old)
        del tree[old]
        tree.insert(place, *new)
    else:
        tree[new[0]] = new[1]


def _most(units: object) -> int:
    """Return the most units that a file lets run, reserved and hourly."""
    if not isinstance(units, dict):
        return 0
    hourly = units.get("hourly")
    return _reserved(units) + (_whole(hourly.get("max")) if isinstance(hourly, dict) else 0)


def _reserved(units: Mapping[str, object]) -> int:
    orders = units.get("purchases")
    if isinstance(orders, list) and orders:
        return sum(_whole(order.get("units")) for order in orders if isinstance(order, dict))
    return _whole(units.get("reserved"))


def _whole(value: object) -> int:
    """Return a number of units; what is none is a problem that `check` tells."""
    return value if isinstance(value, int) else 0


def _set_units(tree: "CommentedMap", bought: Bought, least: int) -> str:
    if "throughput" in tree:
        raise RefusedError("--write: the file asks for throughput; take that out to have units instead")
    units = tree.get("units")
    if not isinstance(units, dict):
        units = tree["units"] = type(tree)()
    reserved = _reserved(units)
    if units.get("purchases"):
        told = f"purchases of {count(reserved, 'unit')} as they are"
    else:
        reserved = reserved if bought.reserved_units is None else bought.reserved_units
        if reserved or "reserved" in units:
            units["reserved"] = reserved
        told = f"reserved {reserved}{'' if bought.reserved_units is not None else ' as it was'}"
        told = told if reserved else "nothing reserved"
    written = units.get("hourly")
    most = max(0, bought.units - reserved)
    if bought.reserved_units is not None:
        least = 0
    elif isinstance(written, dict):
        least = _whole(written.get("min"))
    hourly = {"min": min(least, most), "max": most}
    if isinstance(written, dict):
        written.update(hourly)
    else:
        units["hourly"] = type(tree)(hourly)
        units["hourly"].fa.set_flow_style()
    return f"{told}, hourly from {hourly['min']} to {count(most, 'unit')}"


def _new_problems(target: Target, text: str, as_of: date) -> tuple[Problem, ...]:
    """Return what `check` would say of the file, and of others only because of it."""
    from infra.check import check_stack  # noqa: PLC0415 - every rule, only where a file is written

    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in _READ:
            _copy(target.root / name, copy / name)
        before = set(check_stack(copy, target.stack, as_of).problems)
        file = copy / target.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        after = check_stack(copy, target.stack, as_of).problems
    return tuple(problem for problem in after if problem.file == target.file or problem not in before)


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to)
    elif source.is_file():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)
