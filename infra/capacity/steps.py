"""The time of one engine step, taken apart by what it grows with; curves and rooflines both answer this."""

from dataclasses import dataclass
from typing import Literal, Protocol

Label = Literal["measured", "calibrated", "estimated", "extrapolated"]
"""How a number came to be, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where numbers come from, and the error to expect of each: a share, 0.1 for 10 %."""

    label: Label
    source: str
    ttft_error: float
    tpot_error: float
    tps_error: float


class StepTimes(Protocol):
    """What one data-parallel rank of an engine takes for each part of a step, in milliseconds."""

    @property
    def provenance(self) -> Provenance:
        """How far to trust it."""

    def dense_ms(self, tokens: float, *, mixed: bool) -> float:
        """Return the time of all but attention for a step of that many tokens.

        `mixed` says that prompts are among them: such steps run without whole CUDA graphs.
        """

    def prefill_attention_ms(self, new_tokens: float, past_tokens: float) -> float:
        """Return the time in which new tokens look at each other and at the past ones of their prompt."""

    def decode_attention_ms(self, sequences: float, context_tokens: float) -> float:
        """Return the time in which sequences look at their context for one token each."""
