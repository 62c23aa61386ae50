"""Nodes to a plain tree with the place of every value; odd scalars, tags and duplicates are refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from infra.problems import Problem
from infra.spec import nodes
from infra.spec.base import Path
from infra.spec.locate import dotted, shown
from infra.spec.scalars import Surprise, is_date, read_plain
from infra.spec.stack import Position

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as plain data, with the places of its values and keys."""

    tree: Json
    root: Position
    positions: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    refused: frozenset[Path]
    """Values that were refused while reading: nothing more need be said about them."""
    dates: frozenset[Path]
    """Values that YAML reads as dates; they mean nothing else without quotes."""
    problems: tuple[Problem, ...]


def read_document(file: str, node: nodes.Node) -> Document:
    """Return a node as a document; raise a SpecError only where expansion has no end."""
    reader = _Reader(file)
    tree = reader.value(node, ())
    return Document(
        tree=tree,
        root=Position(file, node.line, node.column),
        positions=reader.positions,
        keys=reader.keys,
        refused=frozenset(reader.refused),
        dates=frozenset(reader.dates),
        problems=tuple(reader.problems),
    )


def read_entries(file: str, node: nodes.Mapping) -> tuple[dict[str, nodes.Node], tuple[Problem, ...]]:
    """Return the values of one mapping by key, unread, and the problems of its keys.

    Why: Pulumi's files hold keys of others, whose values are not ours to judge.
    """
    reader = _Reader(file)
    values = {name: value for name, (_, value) in reader.pairs(node, (), 0).items()}
    return values, tuple(reader.problems)


def value_at(tree: Json, path: Path) -> Json:
    """Return the value at a path, None where nothing is written."""
    for part in path:
        match tree, part:
            case dict(), str() if part in tree:
                tree = tree[part]
            case list(), int() if part < len(tree):
                tree = tree[part]
            case _:
                return None
    return tree


class _Reader:
    """Walks one document's nodes and collects what it finds."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values = 0
        self.positions: dict[Path, Position] = {}
        self.keys: dict[Path, Position] = {}
        self.refused: set[Path] = set()
        self.dates: set[Path] = set()
        self.problems: list[Problem] = []

    def value(self, node: nodes.Node, path: Path) -> Json:
        """Return a node as plain data, recording its place."""
        self._count(node)
        self.positions[path] = Position(self._file, node.line, node.column)
        if len(path) > nodes.MAX_DEPTH:
            message = f"nested more than {nodes.MAX_DEPTH} levels deep with its aliases expanded"
            raise nodes.refuse(self._file, node.line, node.column, message)
        if node.tag is not None:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            return self._refuse(node, path, f"the tag {shown(tag)} is not used here; remove it")
        match node:
            case nodes.Mapping():
                pairs = self.pairs(node, path, 0)
                for name, (key, _) in pairs.items():
                    self.keys[*path, name] = Position(self._file, key.line, key.column)
                return {name: self.value(value, (*path, name)) for name, (_, value) in pairs.items()}
            case nodes.Sequence():
                return [self.value(item, (*path, index)) for index, item in enumerate(node.items)]
            case nodes.Scalar():
                return self._scalar(node, path)

    def _scalar(self, node: nodes.Scalar, path: Path) -> Json:
        if not node.plain:
            return node.text
        plain = read_plain(node.text)
        if isinstance(plain, Surprise):
            return self._refuse(node, path, plain.reason)
        if is_date(node.text):
            self.dates.add(path)
        return plain

    def pairs(self, node: nodes.Mapping, path: Path, depth: int) -> dict[str, tuple[nodes.Node, nodes.Node]]:
        """Return keys and values, with those that merge keys bring; written keys win, then earlier merges."""
        found: dict[str, tuple[nodes.Node, nodes.Node]] = {}
        merges: dict[str, tuple[nodes.Node, nodes.Node]] = {}
        for key, value in node.pairs:
            self._count(key)
            name = self._key(key, path)
            if name is None:
                continue
            written = merges if name == "<<" and isinstance(key, nodes.Scalar) and key.plain else found
            if name in written:
                line = written[name][0].line
                message = f"duplicate key {shown(name)}; first written on line {line}"
                self._problem(key, path, message, "duplicate-key")
            else:
                written[name] = (key, value)
        for _, value in merges.values():
            for merged in self._merged(value, path, depth):
                for name, pair in merged.items():
                    found.setdefault(name, pair)
        return found

    def _merged(
        self, value: nodes.Node, path: Path, depth: int
    ) -> Iterator[dict[str, tuple[nodes.Node, nodes.Node]]]:
        if depth >= nodes.MAX_DEPTH:
            message = f"merges mappings more than {nodes.MAX_DEPTH} levels deep"
            raise nodes.refuse(self._file, value.line, value.column, message)
        for item in value.items if isinstance(value, nodes.Sequence) else (value,):
            self._count(item)
            if isinstance(item, nodes.Mapping):
                yield self.pairs(item, path, depth + 1)
            else:
                self._problem(item, path, "<< merges a mapping or a list of mappings, and nothing else")

    def _key(self, key: nodes.Node, path: Path) -> str | None:
        if isinstance(key, nodes.Scalar) and key.tag is None:
            if not key.plain or (isinstance(read_plain(key.text), str) and not is_date(key.text)):
                return key.text
            said = f"the key {shown(key.text)} is not text; quote it" if key.text else "a key is missing"
        else:
            said = "keys must be text without a tag"
        self.refused.add(path)
        self._problem(key, path, said)
        return None

    def _count(self, node: nodes.Node) -> None:
        self._values += 1
        if self._values > nodes.MAX_VALUES:
            message = f"holds more than {nodes.MAX_VALUES:,} values with its aliases expanded"
            raise nodes.refuse(self._file, node.line, node.column, message)

    def _refuse(self, node: nodes.Node, path: Path, message: str) -> Json:
        self.refused.add(path)
        self._problem(node, path, message)
        return None

    def _problem(self, node: nodes.Node, path: Path, message: str, rule: str = "yaml") -> None:
        where = f"{dotted(path)}: " if path else ""
        self.problems.append(Problem(self._file, node.line, node.column, where + message, rule))
