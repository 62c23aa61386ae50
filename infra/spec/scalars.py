"""What a plain YAML scalar means, where YAML 1.1 and 1.2 agree; where they differ it is refused."""

import re
from dataclasses import dataclass
from math import isfinite

Plain = str | int | float | bool | None

_NULL = frozenset({"~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_SWITCH = frozenset({"yes", "no", "on", "off"})
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9].*)?")
_MAX_DIGITS = 18
"""Whole numbers of this length are exact in JSON, in the schema checker and in 64 bits."""

_BEGIN_NUMBERS = "+-.0123456789"
_NUMBER_TO_SOME = "is a number to some programs and text to others"
_SURPRISES = (
    (re.compile(r"[-+]?0[0-9_]+"), "may be octal: write a number without leading zeros, or quote it"),
    (re.compile(r"[-+]?0(o[0-7]+|b[01_]+)"), f"{_NUMBER_TO_SOME}: write decimals, or quote it"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), f"{_NUMBER_TO_SOME}: write decimals, or quote it"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"),
        f"{_NUMBER_TO_SOME}: write digits only, or quote it",
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "is base 60 to some programs: quote it"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "is not a finite number"),
    (
        re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+"),
        f"{_NUMBER_TO_SOME}: write it without an exponent, or quote it",
    ),
)


@dataclass(frozen=True, slots=True)
class Surprise:
    """A scalar that programs read differently, and what to write instead."""

    reason: str


def is_date(text: str) -> bool:
    """Say whether YAML 1.1 reads a plain scalar as a date."""
    return _DATE.fullmatch(text) is not None


def read_plain(text: str) -> Plain | Surprise:
    """Return the value of a plain scalar, dates as text, or why it is refused."""
    if text == "":
        return Surprise("has no value: write one, or null to mean none")
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text.lower() in _SWITCH:
        return Surprise(
            f"'{text}' is true or false to some programs: write true or false, or quote it to mean text"
        )
    if text[0] not in _BEGIN_NUMBERS:
        return text
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            return Surprise(f"is a number of more than {_MAX_DIGITS} digits")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if isfinite(number) else Surprise("is not a finite number")
    for pattern, reason in _SURPRISES:
        if pattern.fullmatch(text):
            return Surprise(f"'{text[:40]}' {reason}")
    return text
