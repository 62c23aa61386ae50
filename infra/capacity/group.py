"""A group as the calculator sees it: engines by role, as plain numbers without catalog or template.

Why plain: the same modules run in the page that `modelunits size --html` writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.calibration import Calibration
from infra.capacity.fitted import FITTED, Constants
from infra.capacity.steps import Provenance, StepTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class KvSpace:
    """Room for the KV cache on one data-parallel rank, per GPU; bytes."""

    free_bytes: float
    bytes_per_token: float
    """Of the layers that remember everything."""
    windowed_bytes_per_token: float = 0.0
    """Of the layers that look back `window_tokens` only."""
    window_tokens: int = 0
    state_bytes: float = 0.0
    """Of a sequence, whatever its length: layers of linear attention."""

    def sequence_bytes(self, tokens: float) -> float:
        """Return what a sequence of that many tokens takes."""
        windowed = self.windowed_bytes_per_token * min(tokens, self.window_tokens)
        return self.bytes_per_token * tokens + windowed + self.state_bytes

    def sequences(self, tokens: float) -> int:
        """Return how many sequences of that many tokens fit; a million where they take nothing."""
        each = self.sequence_bytes(tokens)
        return int(self.free_bytes / each) if each else 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEngine:
    """The engines of one role in a group."""

    steps: StepTimes
    count: int = 1
    """Instances of it in a group."""
    ranks: int = 1
    """Data-parallel ranks of an instance, each with sequences of its own."""
    stages: int = 1
    """Pipeline stages."""
    max_num_seqs: int
    """Sequences that one rank runs at once."""
    max_num_batched_tokens: int
    """Tokens of one step of one rank, prompts and answers together."""
    kv: KvSpace
    encode_ms_per_token: float = 0.0
    """Time to turn an image into one token of input, where this role encodes."""
    transfer_ms_per_token: float = 0.0
    """Time in which one token's KV cache leaves this role, where another one goes on."""
    constants: Constants = FITTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The smallest set of engines that can serve; {serve}, {prefill, decode} or {encode, prefill, decode}."""

    roles: Mapping[str, RoleEngine]
    provenance: Provenance
    calibration: Calibration | None = None
    """Runs that were measured on such a group."""

    @property
    def lora_factor(self) -> float | None:
        """Measured step time with adapters in use over without; None where nobody measured it."""
        return self.calibration.lora_factor if self.calibration else None
