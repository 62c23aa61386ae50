"""YAML text to nodes with their places, one document per file, without building any objects."""

import re
from dataclasses import dataclass, replace
from typing import Protocol

import yaml

from infra.problems import Problem, SpecError

MAX_DEPTH = 32
"""The deepest format, a template's performance table, needs five levels."""

MAX_VALUES = 20_000
"""Keys and values of one document, aliases expanded: ten times those of a large one; ends an alias bomb."""

_LINE_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number or other single value, as written."""

    line: int
    column: int
    tag: str | None
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    tag: str | None
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written, duplicates included."""

    line: int
    column: int
    tag: str | None
    pairs: tuple[tuple["Node", "Node"], ...]


Node = Scalar | Sequence | Mapping


def refuse(file: str, line: int, column: int, message: str, rule: str = "yaml") -> SpecError:
    """Return the error for a file that cannot be read any further."""
    return SpecError([Problem(file, line, column, message, rule)])


def decode(file: str, data: bytes) -> str:
    """Return the text of a file, or raise a located SpecError for bytes that are not UTF-8 text."""
    if data.startswith(_OTHER_ENCODINGS):
        raise refuse(file, 1, 1, "must be UTF-8 text; this is UTF-16 or UTF-32")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        message = f"must be UTF-8 text; byte 0x{data[error.start]:02x} is not"
        raise refuse(file, *_line_and_column(before), message) from None
    if bad := _UNPRINTABLE.search(text):
        where = _line_and_column(text[: bad.start()])
        raise refuse(file, *where, f"must be printable text; U+{ord(bad[0]):04X} is not")
    return text


def _line_and_column(before: str) -> tuple[int, int]:
    lines = _LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1


def parse(file: str, data: bytes) -> Node:
    """Return the one document of a file, or raise a SpecError with its first problem.

    Why: events instead of PyYAML's compose, which recurses in C and resolves YAML 1.1's scalars.
    """
    text = decode(file, data)
    composer = _Composer(file)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax(file, text, error) from None
    if composer.root is None:
        raise refuse(file, 1, 1, "the file is empty")
    return composer.root


def _syntax(file: str, text: str, error: yaml.MarkedYAMLError) -> SpecError:
    line, column = _place(error.problem_mark)
    lines = _LINE_BREAK.split(text)
    if line <= len(lines) and lines[line - 1][column - 1 : column] == "\t":
        return refuse(file, line, column, "a tab cannot indent YAML; use spaces")
    context = ""
    if error.context:
        begun = _place(error.context_mark)[0]
        context = f" {error.context}" + (f" from line {begun}:" if begun not in (1, line) else ":")
    return refuse(file, line, column, f"not YAML:{context} {error.problem}")


def _place(mark: "_Mark | None") -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Mark(Protocol):
    line: int
    column: int


class _Composer:
    """Builds nodes from events; lists and mappings that are still open are on a stack."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self._file = file
        self._values = 0
        self._anchors: dict[str, Node] = {}
        self._open: list[tuple[yaml.CollectionStartEvent, list[Node]]] = []

    def take(self, event: yaml.Event) -> None:
        """Take in the next event, or raise a located SpecError for what a spec may not hold."""
        line, column = _place(event.start_mark)
        self._values += 1
        if self._values > MAX_VALUES:
            raise refuse(self._file, line, column, f"holds more than {MAX_VALUES:,} values")
        match event:
            case yaml.ScalarEvent():
                self._add(Scalar(line, column, event.tag, event.value, event.implicit[0]), event.anchor)
            case yaml.CollectionEndEvent():
                start, children = self._open.pop()
                self._add(_closed(start, children), start.anchor)
            case yaml.CollectionStartEvent():
                if len(self._open) == MAX_DEPTH:
                    raise refuse(self._file, line, column, f"nested more than {MAX_DEPTH} levels deep")
                self._open.append((event, []))
            case yaml.AliasEvent():
                name = event.anchor or ""
                if name not in self._anchors:
                    raise refuse(self._file, line, column, f"no anchor &{name[:40]} ends above")
                self._add(replace(self._anchors[name], line=line, column=column), None)
            case yaml.DocumentStartEvent() if self.root is not None:
                raise refuse(self._file, line, column, "a second document begins; a file holds one")

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node


def _closed(start: yaml.CollectionStartEvent, children: list[Node]) -> Node:
    line, column = _place(start.start_mark)
    if isinstance(start, yaml.SequenceStartEvent):
        return Sequence(line, column, start.tag, tuple(children))
    return Mapping(line, column, start.tag, tuple(zip(children[::2], children[1::2], strict=True)))
