"""Step times read off a grid that was generated from measured kernels."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from infra.capacity.steps import Provenance

PAST_OFFSET = 512
"""Added to past tokens before their logarithm is taken, so that none at all has one."""
SMALLEST_MS = 1e-6
CAPTURED_TOKENS = 512
"""The largest step that vLLM captures in CUDA graphs by default; beyond, the host launches every kernel."""

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Logarithms of the grid's axes."""

    tokens: Row
    new_tokens: Row
    past_tokens: Row
    sequences: Row
    context_tokens: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Logarithms of step times over the axes, straight in between: a power law passes exactly."""

    axes: Axes
    compute: Row
    communicate: Row
    prefill: tuple[Row, ...]
    decode: tuple[Row, ...]
    mixed_factor: float
    """Time of a step with prompts in it over the sum of its kernels."""
    launch_ms: float
    """Time in which the host launches the kernels of such a step, while GPUs wait or compute."""
    provenance: Provenance

    def dense_ms(self, tokens: float, *, mixed: bool) -> float:
        """Return the time of all but attention for a step of that many tokens."""
        at = log(max(1.0, tokens))
        compute = exp(_line(self.axes.tokens, self.compute, at))
        communicate = exp(_line(self.axes.tokens, self.communicate, at))
        if not mixed:
            return compute + communicate
        kernels = compute * self.mixed_factor + communicate
        return max(self.launch_ms, kernels) if tokens > CAPTURED_TOKENS else kernels

    def prefill_attention_ms(self, new_tokens: float, past_tokens: float) -> float:
        """Return the time in which new tokens look at each other and at the past ones of their prompt."""
        past, new = log(past_tokens + PAST_OFFSET), log(max(1.0, new_tokens))
        return exp(_plane(self.axes.past_tokens, self.axes.new_tokens, self.prefill, past, new))

    def decode_attention_ms(self, sequences: float, context_tokens: float) -> float:
        """Return the time in which sequences look at their context for one token each."""
        context, here = log(max(1.0, context_tokens)), log(max(1.0, sequences))
        return exp(_plane(self.axes.context_tokens, self.axes.sequences, self.decode, context, here))


def logarithms(values: Sequence[float]) -> Row:
    """Return the logarithms of times, of which none is longer than one further on.

    Why: kernels for a few tokens are at times slower than those for more; an engine may pad to those.
    """
    shortest = float("inf")
    found: list[float] = []
    for value in reversed(values):
        shortest = min(shortest, max(value, SMALLEST_MS))
        found.append(log(shortest))
    return tuple(reversed(found))


def _place(axis: Row, at: float) -> tuple[int, float]:
    """Return the stretch of an axis and how far along it a place is; beyond its end the last one goes on."""
    index = min(max(bisect_right(axis, at) - 1, 0), len(axis) - 2)
    return index, max(0.0, (at - axis[index]) / (axis[index + 1] - axis[index]))


def _line(axis: Row, values: Row, at: float) -> float:
    index, along = _place(axis, at)
    return values[index] + along * (values[index + 1] - values[index])


def _plane(rows: Row, columns: Row, values: tuple[Row, ...], row: float, column: float) -> float:
    index, along = _place(rows, row)
    near, far = _line(columns, values[index], column), _line(columns, values[index + 1], column)
    return near + along * (far - near)
