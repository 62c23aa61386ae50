"""What pydantic's kinds of error are called in the words of the people who write specs."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from infra.spec.base import PATTERN_WORDS
from infra.spec.locate import shown

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true, false",
    "date_type": "a day such as 2026-11-01",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
}
"""Errors that mean: this is another type of value."""


def either(names: Sequence[str]) -> str:
    """Return alternatives as people list them: `a, b or c`."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def nearest(names: Sequence[str], got: object) -> str:
    """Return a hint at the name that was probably meant, or nothing."""
    near = get_close_matches(got, names, n=1) if isinstance(got, str) else []
    return f"; did you mean {near[0]}?" if near else ""


def is_type_error(error: ErrorDetails) -> bool:
    """Say whether an error means that the value is of another type than asked for."""
    return error["type"] in _EXPECTED


def wrong_type(errors: Iterable[ErrorDetails], value: object) -> str:
    """Return what is said of a value that is of none of the types that may stand there."""
    wanted = list(dict.fromkeys(one for error in errors for one in _EXPECTED[error["type"]].split(", ")))
    if "a number" in wanted and "a whole number" in wanted:
        wanted.remove("a whole number")
    quote = "; quote it" if "text" in wanted and isinstance(value, (bool, int, float)) else ""
    return f"must be {either(wanted)}, got {shown(value)}{quote}"


def said(error: ErrorDetails, value: object) -> str:
    """Return what is said of one error other than an unknown key."""
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return "is required"
        case "greater_than_equal":
            return f"must be at least {context['ge']:.15g}, got {shown(value)}"
        case "greater_than":
            return f"must be more than {context['gt']:.15g}, got {shown(value)}"
        case "less_than_equal":
            return f"must be at most {context['le']:.15g}, got {shown(value)}"
        case "literal_error":
            names = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"must be {either(names)}, got {shown(value)}{nearest(names, value)}"
        case "string_pattern_mismatch":
            return f"{PATTERN_WORDS[str(context['pattern'])]}, got {shown(value)}"
        case "string_too_short":
            return f"must be at least {context['min_length']} characters long, got {shown(value)}"
        case "string_too_long":
            return f"must be at most {context['max_length']} characters long, got {len(str(value))}"
        case "duration" | "memory" | "time_zone":
            return f"{error['msg']}, got {shown(value)}"
        case "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            return f"must be a day such as 2026-11-01, got {shown(value)}"
        case _:
            return error["msg"]
