"""Which parameters the gateway refuses, as one table: fields of the body, and when they are refused.

Why here and not in the engine: what is refused must wake no endpoint. `best_of` is not in the table, because
vLLM 0.32 has no such parameter and ignores it; `use_beam_search` alone asks for what it once asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from infra.render.gateway.errors import INVALID, CallerError
from infra.render.gateway.usage import ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of the body that the gateway reads, and under which name it keeps it.

    A list is never read: where vLLM takes a list, the gateway has nothing to refuse.
    """

    path: tuple[str, ...]
    key: str
    kind: Literal["value", "number", "object"] = "value"
    """`value`: a text, number or boolean; `number`: also a text that is a number; `object`: any object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Any value but null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A number between two, both included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """One of some values."""

    values: tuple[bool | float | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What holds, or does not hold, of a value that the gateway keeps."""

    key: str
    value: Present | Between | OneOf
    holds: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request is refused where all conditions are met."""

    error: CallerError
    when: tuple[Condition, ...]


ABOVE_ZERO = 1e-300
"""Stands for `more than 0`."""

LARGEST = 1e300
"""Stands for `no upper bound`."""

GREEDY = 1e-5
"""vLLM samples greedily below this temperature (vllm/sampling_params.py, _SAMPLING_EPS)."""

MODEL = "model"
NOT_JSON = "not_json"
"""Kept where the body could not be read."""


def _no(param: str, message: str, *when: Condition, code: str = "invalid_value") -> Refusal:
    error = CallerError(status=400, type=INVALID, code=code, param=param, message=message)
    return Refusal(error=error, when=when)


def _is(key: str, value: Present | Between | OneOf) -> Condition:
    return Condition(key=key, value=value)


def _not(key: str, value: Present | Between | OneOf) -> Condition:
    return Condition(key=key, value=value, holds=False)


def _number(param: str, allowed: str, value: Between | OneOf) -> Refusal:
    return _no(param, f"`{param}` has to be {allowed}.", _is(param, Present()), _not(param, value))


MOST_CHOICES = 10
"""Of one request: MaaS's bound of `n`."""

_BEAM = _is("use_beam_search", OneOf(values=(True,)))
_NO_BEAM = _not("use_beam_search", OneOf(values=(True,)))
_SEVERAL = OneOf(values=tuple(range(2, MOST_CHOICES + 1)))

PARAMETERS = (
    _number("n", "a whole number from 1 to 10", OneOf(values=tuple(range(1, MOST_CHOICES + 1)))),
    _number("temperature", "a number from 0 to 2", Between(low=0, high=2)),
    _number("top_p", "a number above 0 and up to 1", Between(low=ABOVE_ZERO, high=1)),
    _number("top_k", "-1, 0 or a larger whole number", Between(low=-1, high=LARGEST)),
    _number("min_p", "a number from 0 to 1", Between(low=0, high=1)),
    _number("presence_penalty", "a number from -2 to 2", Between(low=-2, high=2)),
    _number("frequency_penalty", "a number from -2 to 2", Between(low=-2, high=2)),
    _number("repetition_penalty", "a number above 0", Between(low=ABOVE_ZERO, high=LARGEST)),
    _number("max_tokens", "a whole number from 1 up", Between(low=1, high=LARGEST)),
    _number("max_completion_tokens", "a whole number from 1 up", Between(low=1, high=LARGEST)),
    _number("min_tokens", "a whole number from 0 up", Between(low=0, high=LARGEST)),
    _number("length_penalty", "a number", Between(low=-LARGEST, high=LARGEST)),
    _number("use_beam_search", "true or false", OneOf(values=(True, False))),
    _no("n", "`use_beam_search` needs `n` from 2 to 10.", _BEAM, _not("n", _SEVERAL)),
    _no(
        "top_p",
        "`use_beam_search` needs `top_p` 1.",
        _BEAM,
        _is("top_p", Present()),
        _not("top_p", OneOf(values=(1,))),
    ),
    _no(
        "top_k",
        "`use_beam_search` needs `top_k` -1.",
        _BEAM,
        _is("top_k", Present()),
        _not("top_k", OneOf(values=(-1, 0))),
    ),
    _no(
        "temperature",
        "`use_beam_search` needs `temperature` 0.",
        _BEAM,
        _not("temperature", OneOf(values=(0,))),
    ),
    _no(
        "length_penalty",
        "`length_penalty` needs `use_beam_search` true.",
        _NO_BEAM,
        _is("length_penalty", Present()),
        _not("length_penalty", OneOf(values=(1,))),
    ),
    _no(
        "n",
        "`n` above 1 needs `temperature` above 0, or `use_beam_search`.",
        _NO_BEAM,
        _is("temperature", Between(low=0, high=GREEDY)),
        _is("n", _SEVERAL),
    ),
    _no(
        "n",
        "`n` above 1 needs a `top_k` other than 1.",
        _NO_BEAM,
        _is("top_k", OneOf(values=(1,))),
        _is("n", _SEVERAL),
    ),
)
"""Refused everywhere: the rules of MaaS's document and the ranges that vLLM takes."""


def _internal(param: str, *but: Condition) -> Refusal:
    message = f"`{param}` is for the inside of an endpoint: leave it out."
    return _no(param, message, _is(param, Present()), *but, code="unsupported_parameter")


INTERNAL = (
    _internal("kv_transfer_params"),
    _internal("ec_transfer_params"),
    _internal("vllm_xargs"),
    _internal("priority", _not("priority", OneOf(values=(0,)))),
)
"""Refused everywhere: with these a caller would reach into engines, or pass other callers in the queue."""


def _structured(param: str, *but: Condition, only: str = "") -> Refusal:
    allowed = f"`{param}` can only be {only}" if only else f"leave `{param}` out"
    message = f"The endpoint does not offer structured output: {allowed}."
    return _no(param, message, _is(param, Present()), *but, code="unsupported_feature")


_GUIDED = ("guided_json", "guided_regex", "guided_grammar", "guided_choice", "structural_tag")
"""vLLM 0.32 ignores them and answers without constraint, which callers should know."""

STRUCTURED_OUTPUT = (
    _structured(
        "response_format", _not("response_format.type", OneOf(values=("text",))), only='{"type": "text"}'
    ),
    _structured("tool_choice", _not("tool_choice", OneOf(values=("none", "auto"))), only='"none" or "auto"'),
    _structured("structured_outputs"),
    *map(_structured, _GUIDED),
)
"""Refused for endpoints whose template does not support structured output: every road that vLLM has."""


def _any(name: str, key: str) -> tuple[Field, Field]:
    return Field(path=(name,), key=key), Field(path=(name,), key=key, kind="object")


def _fields() -> Iterable[Field]:
    yield Field(path=(MODEL,), key=MODEL)
    # vLLM reads a text as a number too, and Envoy keeps no text above 8 KiB: these see numbers among blanks.
    yield from (Field(path=(name,), key=name, kind="number") for name in ("n", "priority"))
    numbers = {condition.key for refusal in PARAMETERS for condition in refusal.when}
    yield from (Field(path=(name,), key=name) for name in sorted(numbers))
    yield Field(path=("priority",), key="priority")
    for name in ("kv_transfer_params", "ec_transfer_params", "vllm_xargs", "response_format", "tool_choice"):
        yield from _any(name, name)
    yield Field(path=("response_format", "type"), key="response_format.type")
    yield Field(path=("stream_options", "include_usage"), key=ASKED)
    yield from _any("structured_outputs", "structured_outputs")
    yield Field(path=("guided_json",), key="guided_json", kind="object")
    yield from (Field(path=(name,), key=name) for name in _GUIDED)


FIELDS = tuple(_fields())
"""What the gateway reads of a body. Each costs every request a look-up: only what somebody needs."""
