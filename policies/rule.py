"""What a rule is, what it judges and what it finds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

Level = Literal["advisory", "mandatory", "disabled"]
Severity = Literal["low", "medium", "high", "critical"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A component of ours or a Kubernetes object, as Pulumi registers it."""

    type: str
    name: str
    props: Mapping[str, object]
    urn: str = ""

    @property
    def identity(self) -> str:
        """What tells this resource from every other of the same run."""
        return self.urn or f"{self.type}::{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a rule may know beside the resource."""

    as_of: date
    earlier: Sequence[Resource] = ()
    """Resources of the same run, judged before, that the rule relates to this one."""
    rules: tuple[str, ...] = ()
    """The names of all rules."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where: in the endpoint's file, the environment's, or the object."""

    path: Path
    text: str
    level: Literal["advisory", "mandatory"] = "mandatory"
    """At most this: a warning stays one where the rule is mandatory."""

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.text}" if self.path else self.text


Check = Callable[[Resource, Context], Iterator[Finding]]
CheckAll = Callable[[Sequence[Resource], Context], Iterator[tuple[Resource, Finding]]]


def _unrelated(_resource: Resource) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named judgement. It is pure and remembers nothing; its module's docstring is its documentation."""

    name: str
    description: str
    severity: Severity
    remediation: str
    applies_to: tuple[str, ...]
    """Type tokens; `*` stands for any API version."""
    check: Check
    doc: str
    relation: Callable[[Resource], str | None] = _unrelated
    """Resources for which this gives the same key are judged in view of each other."""
    check_all: CheckAll | None = None
    """Judges what only shows when every resource is known, such as something missing."""
    written_in: Path = ()
    """Where in the endpoint's file its author can mend what the rule finds in a Kubernetes object."""


def dotted(path: Path) -> str:
    """Write a path as people do: roles[1].gpus."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")
