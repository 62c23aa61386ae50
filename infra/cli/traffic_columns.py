"""How request logs name their columns, and in what unit they count time: tables, decided from the header."""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.problems import Problem

RULE = "traffic-log"

_LISTED = 12
"""More columns than this bury the message."""

_SECONDS_PER = {
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "milliseconds": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
}
"""Endings of a time column's name that say its unit."""

_TIMES = (
    *("timestamp", "time", "ts", "arrival", "arrival_time", "arrived_at", "created", "created_at"),
    *("datetime", "date", "start_time", "request_timestamp"),
)

_NAMES = {
    "time": frozenset({*_TIMES, *(f"{name}_{unit}" for name in _TIMES for unit in _SECONDS_PER)}),
    "input tokens": frozenset(
        {"input_tokens", "prompt_tokens", "contexttokens", "context_tokens", "input_length", "request_tokens"}
    ),
    "output tokens": frozenset(
        {
            *("output_tokens", "completion_tokens", "generatedtokens", "generated_tokens", "output_length"),
            "response_tokens",
        }
    ),
    "cached tokens": frozenset({"cached_prefix_tokens", "cached_tokens", "cached_input_tokens"}),
}
"""What is asked for, by names in use: our own, OpenAI's, Azure's traces, Mooncake's, BurstGPT's."""

_USUAL = {"time": "timestamp", "input tokens": "input_tokens", "output tokens": "output_tokens"}

_FORMATS = (
    # Mooncake, FAST'25 traces: "the arrival time (in milliseconds) of the request since the first".
    (frozenset({"timestamp", "input_length", "output_length", "hash_ids"}), 1e-3),
    # Bailian usage traces of Qwen: "request arrival time in seconds".
    (
        frozenset(
            {
                *("chat_id", "parent_chat_id", "timestamp", "input_length", "output_length"),
                *("type", "turn", "hash_ids"),
            }
        ),
        1.0,
    ),
)
"""Whole headers that say the unit, in seconds, although no column does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which of a log's columns mean what, by their names in the log."""

    time: str
    input_tokens: str
    output_tokens: str
    cached_tokens: str | None
    seconds: float | None
    """What one unit of a numeric time is; None where the header does not say."""


def columns_of(header: Iterable[str], file: str, line: int) -> Columns | tuple[Problem, ...]:
    """Return the columns of a header, or what it lacks and what is ambiguous."""
    names = list(header)
    found = {meaning: [name for name in names if _plain(name) in known] for meaning, known in _NAMES.items()}
    problems: list[Problem] = []
    for meaning, columns in found.items():
        if not columns and meaning in _USUAL:
            got = ", ".join(_shown(name) for name in names[:_LISTED]) or "none"
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            problems.append(
                Problem(
                    file,
                    line,
                    1,
                    f"no column for the {meaning}: name it {_USUAL[meaning]} (or "
                    f"{', '.join(sorted(_shortest(meaning)))}); the columns are: {got}{more}",
                    RULE,
                )
            )
        elif len(columns) > 1:
            message = f"{' and '.join(map(_shown, columns))} mean the {meaning}: keep one"
            problems.append(Problem(file, line, 1, message, RULE))
    if problems:
        return tuple(problems)
    (time,), (tokens_in,), (tokens_out,), cached = found.values()
    return Columns(
        time=time,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=cached[0] if cached else None,
        seconds=_unit(time, frozenset(map(_plain, names))),
    )


def _shortest(meaning: str) -> set[str]:
    """Return the names worth showing; the units of a time are shown once."""
    if meaning == "time":
        return {"time", "ts", "created_at", "arrival_s", "timestamp_ms"}
    return set(_NAMES[meaning]) - {_USUAL[meaning]}


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _shown(name: str) -> str:
    """Return a name that a terminal can print, however long or odd it was."""
    return ascii(name[:40]).strip("'\"") + ("…" if len(name) > 40 else "")


def _unit(time: str, header: frozenset[str]) -> float | None:
    known = next((seconds for names, seconds in _FORMATS if names == header), None)
    return known or _SECONDS_PER.get(_plain(time).rpartition("_")[2])
