"""Reads the cases beside the rules."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, cast

import yaml

import policies.rules
from policies.registry import RULES
from policies.rule import Resource, Rule

Verdict = Literal["passes", "warns", "fails"]
_FOLDER = Path(str(policies.rules.__file__)).parent


@dataclass(frozen=True)
class Case:
    """One resource, what is there before it, and what the rule says about all of them."""

    rule: Rule
    verdict: Verdict
    title: str
    resources: tuple[Resource, ...]
    as_of: date
    says: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.rule.name} {self.verdict}: {self.title}"


def cases() -> Iterator[Case]:
    """Yield every case of every rule."""
    for rule in RULES:
        yield from cases_of(rule)


def cases_of(rule: Rule) -> Iterator[Case]:
    """Yield the cases of a rule."""
    path = _FOLDER / f"{rule.name.replace('-', '_')}.cases.yaml"
    for written in cast("list[dict[str, object]]", yaml.safe_load(path.read_text())):
        (verdict,) = {"passes", "warns", "fails"} & written.keys()
        unknown = written.keys() - {verdict, "as_of", "earlier", "resource", "says"}
        assert not unknown, f"{path.name}: unknown keys {unknown}"
        listed = [*cast("list[object]", written.get("earlier", [])), written["resource"]]
        yield Case(
            rule=rule,
            verdict=cast("Verdict", verdict),
            title=str(written[verdict]),
            resources=tuple(Resource(**cast("dict[str, str]", one)) for one in listed),  # type: ignore[arg-type]
            as_of=cast("date", written.get("as_of", date(2026, 11, 21))),
            says=tuple(cast("list[str]", written.get("says", []))),
        )
