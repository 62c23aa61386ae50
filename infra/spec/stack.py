"""Everything that was written for one stack, loaded and valid in itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from infra.problems import Problem
from infra.spec.base import Path
from infra.spec.endpoint import Endpoint
from infra.spec.environment import Environment
from infra.spec.template import Template

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where each value of one document was written; after `extends`, in several files."""

    root: Position
    positions: Mapping[Path, Position] = field(hash=False)

    def locate(self, path: Path) -> Position:
        """Return where the value at a path was written, or its nearest written ancestor."""
        while path:
            if path in self.positions:
                return self.positions[path]
            path = path[:-1]
        return self.root

    def problem(self, path: Path, message: str, rule: str) -> Problem:
        """Return a problem at the place where the value at a path was written."""
        at = self.locate(path)
        return Problem(at.file, at.line, at.column, message, rule)


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """A valid document with its name and its places."""

    name: str
    value: T
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack's documents: what the plan is made from."""

    project: str
    name: str
    environment: Written[Environment]
    templates: Mapping[str, Written[Template]]
    endpoints: tuple[Written[Endpoint], ...]
