"""Step times from how much must be read, computed and sent: for GPUs and models without measured kernels."""

from dataclasses import dataclass

from infra.capacity.curves import CAPTURED_TOKENS
from infra.capacity.steps import Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """What one data-parallel rank of an engine reads, computes and sends, and how fast its GPUs do it."""

    weight_bytes: float
    """Read in every step, per GPU, whatever the tokens: attention, dense MLPs, output embedding."""
    expert_bytes: float = 0.0
    """Of all routed experts, per GPU."""
    expert_share: float = 1.0
    """Share of the routed experts that one token visits."""
    activation_bytes: float
    """Read and written for one token between multiplications, per GPU."""
    computing_ms: float
    """Time to multiply one token with the weights that it meets."""
    fixed_ms: float
    """Time of a step that does nothing."""
    sending_ms: float = 0.0
    """Time to exchange one token's results between GPUs."""
    sending_fixed_ms: float = 0.0
    """And of an exchange of nothing."""
    bytes_per_ms: float
    attention_ms: float
    """Time for one token to look at one other, over the layers that look at everything."""
    kv_bytes: float
    """Read for each token of context, per GPU, over the layers that look at everything."""
    windowed_share: float = 0.0
    """What layers that look back `window_tokens` only add, as a share of those."""
    window_tokens: int = 0
    mixed_factor: float
    launch_ms: float
    """Both as in a curve."""
    provenance: Provenance

    def dense_ms(self, tokens: float, *, mixed: bool) -> float:
        """Return the time of all but attention for a step of that many tokens."""
        awake = 1 - (1 - self.expert_share) ** tokens if self.expert_bytes else 0.0
        reading = (self.weight_bytes + self.expert_bytes * awake) / self.bytes_per_ms
        touching = tokens * self.activation_bytes / self.bytes_per_ms
        kernels = max(reading, tokens * self.computing_ms) + touching + self.fixed_ms
        sending = self.sending_fixed_ms + tokens * self.sending_ms
        if not mixed:
            return kernels + sending
        kernels = kernels * self.mixed_factor + sending
        return max(self.launch_ms, kernels) if tokens > CAPTURED_TOKENS else kernels

    def prefill_attention_ms(self, new_tokens: float, past_tokens: float) -> float:
        """Return the time in which new tokens look at each other and at the past ones of their prompt."""
        pairs = new_tokens * (past_tokens + new_tokens / 2)
        windowed = new_tokens * min(self.window_tokens, past_tokens + new_tokens / 2)
        weighted = pairs + self.windowed_share * windowed
        return weighted * self.attention_ms

    def decode_attention_ms(self, sequences: float, context_tokens: float) -> float:
        """Return the time in which sequences look at their context for one token each."""
        seen = context_tokens + self.windowed_share * min(self.window_tokens, context_tokens)
        return sequences * seen * self.kv_bytes / self.bytes_per_ms
