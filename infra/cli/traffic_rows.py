"""Takes a log of requests apart into rows: CSV or JSON lines, plain or gzipped, nothing judged yet."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import NoReturn

from pydantic_core import from_json

from infra.cli.traffic_columns import RULE, Columns, columns_of
from infra.cli.traffic_faults import Faults
from infra.problems import Problem, SpecError

SAMPLE = 1000
"""Lines among which the first whole JSON object must be, and which tell how time is counted."""

_HEAD_BYTES = 4096

NumberedLine = tuple[int, str]


Row = tuple[int, str | float, str | int, str | int, str]
"""A request as it is written, text or numbers of JSON: line, time, tokens in, out and cached.

The last is empty where a log that has cached tokens does not say. A plain tuple: there may be millions.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a log, to be read once, and what its columns mean."""

    columns: Columns
    rows: Iterator[Row]


def refuse(file: str, message: str, line: int = 1) -> NoReturn:
    """Say that nothing of a log can be read, and why."""
    raise SpecError([Problem(file, line, 1, message, RULE)])


def rows_of(stream: io.BufferedReader, file: str, faults: Faults) -> Rows:
    """Return the rows of a log; lines that are none are added to the faults as they are met."""
    lines = _numbered(_text(stream, file), faults)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        broken = next(iter(faults), None)
        refuse(file, broken.reason if broken else "is empty: a header and a line a request are needed")
    number, text = first
    if text.lstrip().startswith("["):
        refuse(file, "is one JSON array: write one JSON object a line", number)
    if text.lstrip().startswith("{"):
        sample = [first, *islice(lines, SAMPLE)]
        columns = _json_columns(sample, file)
        return Rows(columns=columns, rows=_json_rows(chain(sample, lines), columns, faults))
    header = _fields(text) or [text]
    found = columns_of(header, file, number)
    if not isinstance(found, Columns):
        raise SpecError(found)
    return Rows(columns=found, rows=_csv_rows(lines, header, found, text.strip(), faults))


def _text(stream: io.BufferedReader, file: str) -> io.TextIOWrapper:
    """Return a log as text; what does not start like text is refused."""
    plain: io.BufferedReader | gzip.GzipFile = stream
    if stream.peek(2)[:2] == b"\x1f\x8b":
        plain = gzip.GzipFile(fileobj=stream)
    try:
        head = plain.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    except (EOFError, zlib.error, gzip.BadGzipFile):
        refuse(file, "is broken gzip: nothing of it can be read")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse(file, "is UTF-16: save it as UTF-8")
    if b"\0" in head:
        refuse(file, "is not text: CSV or JSON lines are read, plain or gzipped")
    return io.TextIOWrapper(plain, encoding="utf-8-sig", errors="backslashreplace")


def _numbered(stream: Iterable[str], faults: Faults) -> Iterator[NumberedLine]:
    number = 0
    try:
        for line in stream:
            number += 1
            yield number, line
    except (EOFError, zlib.error, OSError):
        faults.add("the file breaks off here; what follows cannot be read", number + 1)


def _fields(line: str) -> list[str] | None:
    """Return the fields of a CSV line; None where its quotes do not match."""
    # The usual limit is on runaway quotes; here a field is within its line whatever its quotes do.
    csv.field_size_limit(max(len(line), csv.field_size_limit()))
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _csv_rows(
    lines: Iterable[NumberedLine], header: list[str], columns: Columns, head: str, faults: Faults
) -> Iterator[Row]:
    """Read line by line: a stray quote then spoils its own line, and not all that follow."""
    width = len(header)
    time = header.index(columns.time)
    tokens_in = header.index(columns.input_tokens)
    tokens_out = header.index(columns.output_tokens)
    cached = None if columns.cached_tokens is None else header.index(columns.cached_tokens)
    wrong_width = f"not the {width} fields of the header"
    for number, line in lines:
        fields = line.rstrip("\n").split(",") if '"' not in line else _fields(line)
        if fields is None:
            faults.add("quotes that do not match, or text over several lines", number, line)
        elif len(fields) != width:
            faults.add(wrong_width if line.strip() else "blank", number, line)
        elif fields[0] == header[0] and line.strip() == head:
            faults.add("the header again", number)
        else:
            cached_tokens = "0" if cached is None else fields[cached]
            yield number, fields[time], fields[tokens_in], fields[tokens_out], cached_tokens


def _json_columns(sample: Iterable[NumberedLine], file: str) -> Columns:
    """Return the columns of the first object that has all that is needed."""
    problems: tuple[Problem, ...] = ()
    for number, line in sample:
        row = _json_object(line)
        if row is None:
            continue
        found = columns_of(row, file, number)
        if isinstance(found, Columns):
            return found
        problems = problems or found
    if problems:
        raise SpecError(problems)
    refuse(file, "no line is a JSON object")


def _json_rows(lines: Iterable[NumberedLine], columns: Columns, faults: Faults) -> Iterator[Row]:
    time, tokens_in, tokens_out = columns.time, columns.input_tokens, columns.output_tokens
    cached = columns.cached_tokens
    for number, line in lines:
        row = _json_object(line)
        if row is None:
            faults.add("no JSON object" if line.strip() else "blank", number, line)
            continue
        try:
            at, input_tokens, output_tokens = row[time], row[tokens_in], row[tokens_out]
        except KeyError as error:
            faults.add(f"no {error.args[0]}", number, line)
            continue
        cached_tokens = "0" if cached is None else row.get(cached)
        yield (
            number,
            at if type(at) is float or type(at) is int else str(at),
            input_tokens if type(input_tokens) is int else str(input_tokens),
            output_tokens if type(output_tokens) is int else str(output_tokens),
            "" if cached_tokens is None else str(cached_tokens),
        )


def _json_object(line: str) -> dict[str, object] | None:
    try:
        row = from_json(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
