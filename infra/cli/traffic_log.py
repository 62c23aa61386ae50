"""Reads a log of requests: every line is used, or counted with a reason."""

import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader, RawIOBase
from itertools import chain, islice
from pathlib import Path
from typing import cast

from infra.capacity.traffic import MINUTE_S, Requests, observed_days
from infra.cli.traffic_clock import Clock, clock_of
from infra.cli.traffic_columns import RULE
from infra.cli.traffic_faults import Faults, LineFault, TrafficFaultError
from infra.cli.traffic_rows import SAMPLE, Row, refuse, rows_of
from infra.problems import Problem, SpecError

STANDARD_INPUT = Path("-")

MOST_TOKENS = 10_000_000
"""The longest context that any model was announced with; a line with more is broken."""

LONGEST_DAYS = 400
"""A longer log is no traffic to size for; most often, its milliseconds were taken for seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLog:
    """What was read, and what was not."""

    file: str
    requests: Requests
    left_out: tuple[LineFault, ...]
    """Lines that no request was read from."""
    doubtful: tuple[LineFault, ...]
    """Lines that were used, after something was put right."""
    assumptions: tuple[str, ...]
    """Sentences: what the log does not say, and was taken to be."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the lines to show beside any result: what was left out, put right and assumed."""
        count = sum(fault.lines for fault in self.left_out)
        lines = count + len(self.requests.arrivals_s)
        total = f"{count:,} of {lines:,} lines are left out; demand is understated by what they stood for."
        return (
            *((total,) if count else ()),
            *(f"Left out: {fault}" for fault in self.left_out),
            *(f"Used: {fault}" for fault in self.doubtful),
            *self.assumptions,
        )


def read_traffic(path: Path) -> TrafficLog:
    """Return the requests of a CSV or JSON-lines log, gzipped or not; `-` is standard input.

    Raises a SpecError with located problems where not one request can be read. Print `remarks` beside
    whatever is made of the result.
    """
    file = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        if path == STANDARD_INPUT:
            return _read(BufferedReader(cast("RawIOBase", sys.stdin.buffer)), file)
        with path.open("rb") as stream:
            return _read(stream, file)
    except OSError as error:
        refuse(file, f"cannot be read: {error.strerror or error}")


def _read(stream: BufferedReader, file: str) -> TrafficLog:
    left_out, doubtful = Faults(), Faults()
    log = rows_of(stream, file, left_out)
    sample = list(islice(log.rows, SAMPLE))
    clock = clock_of([time for _, time, *_ in sample], log.columns)
    table = _Table(file=file, cached_tokens=None if log.columns.cached_tokens is None else array("q"))
    if clock is None:
        for line, time, *_ in sample:
            left_out.add("the time is neither a number nor ISO 8601", line, time)
    else:
        table.fill(chain(sample, log.rows), clock, left_out, doubtful)
    if clock is None or not table.arrivals_s:
        raise SpecError(_nothing(file, left_out))
    return TrafficLog(
        file=file,
        requests=table.requests(absolute=clock.absolute),
        left_out=tuple(left_out),
        doubtful=tuple(doubtful),
        assumptions=clock.assumptions,
    )


def _nothing(file: str, left_out: Faults) -> list[Problem]:
    """Say why no line could be used: each reason, where it was met first."""
    return [
        Problem(file, fault.first_lines[0], 1, f"no request can be read: {fault}", RULE) for fault in left_out
    ] or [Problem(file, 1, 1, "has a header and no requests", RULE)]


@dataclass(slots=True, kw_only=True)
class _Table:
    """The columns of a log while they are filled."""

    file: str
    cached_tokens: "array[int] | None"
    arrivals_s: "array[float]" = field(default_factory=lambda: array("d"))
    input_tokens: "array[int]" = field(default_factory=lambda: array("q"))
    output_tokens: "array[int]" = field(default_factory=lambda: array("q"))
    sorted: bool = True

    def fill(self, rows: Iterable[Row], clock: Clock, left_out: Faults, doubtful: Faults) -> None:
        """Add every row that can be used."""
        before = 0.0
        for line, time, raw_in, raw_out, raw_cached in rows:
            try:
                arrival = clock.read(time)
                tokens_in = _tokens(raw_in, "in")
                tokens_out = _tokens(raw_out, "out")
                if not tokens_in and not tokens_out:
                    raise TrafficFaultError("no tokens, neither in nor out")
                if self.cached_tokens is not None:
                    self.cached_tokens.append(_cached(raw_cached, tokens_in, line, doubtful))
            except TrafficFaultError as fault:
                left_out.add(fault.reason, line, fault.example)
                continue
            self.arrivals_s.append(arrival)
            self.input_tokens.append(tokens_in)
            self.output_tokens.append(tokens_out)
            if arrival < before:
                self.sorted = False
                doubtful.add("earlier than the line before; sorted", line)
            before = arrival

    def requests(self, *, absolute: bool) -> Requests:
        """Return the columns in order of arrival, from a full minute on."""
        if not self.sorted:
            order = sorted(range(len(self.arrivals_s)), key=self.arrivals_s.__getitem__)
            self.arrivals_s = array("d", map(self.arrivals_s.__getitem__, order))
            self.input_tokens = array("q", map(self.input_tokens.__getitem__, order))
            self.output_tokens = array("q", map(self.output_tokens.__getitem__, order))
            if self.cached_tokens is not None:
                self.cached_tokens = array("q", map(self.cached_tokens.__getitem__, order))
        if (days := observed_days(self.arrivals_s)) > LONGEST_DAYS:
            refuse(
                self.file,
                f"spans {days:,.0f} days, at most {LONGEST_DAYS} can be sized; where its times are "
                "milliseconds, name their column timestamp_ms",
            )
        begin_s = self.arrivals_s[0] // MINUTE_S * MINUTE_S if absolute else 0.0
        return Requests(
            begin=datetime.fromtimestamp(begin_s, UTC) if absolute else None,
            arrivals_s=array("d", (arrival - begin_s for arrival in self.arrivals_s)),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens,
        )


def _tokens(raw: str | int, where: str) -> int:
    try:
        tokens = int(raw)
    except ValueError:
        tokens = _whole(raw, where)
    if 0 <= tokens <= MOST_TOKENS:
        return tokens
    limit = "less than 0" if tokens < 0 else f"more than {MOST_TOKENS:,}"
    raise TrafficFaultError(f"tokens {where}: {limit}", raw)


def _whole(raw: str | int, where: str) -> int:
    """Read 374.0, as spreadsheets and data frames write it."""
    try:
        number = float(raw)
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise TrafficFaultError(f"tokens {where}: no whole number", raw)
    return int(number)


def _cached(raw: str, tokens_in: int, line: int, doubtful: Faults) -> int:
    """Return the cached tokens; none where a line does not say, which asks for more units, not fewer."""
    if raw == "":
        doubtful.add("cached tokens not given; taken for 0", line)
        return 0
    cached = _tokens(raw, "from the cache")
    if cached > tokens_in:
        raise TrafficFaultError("more tokens from the cache than in", raw)
    return cached
