"""What is asked of a group: how long requests are, and how much of them is known already."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a request is: tokens in, of them from an image or found in the prefix cache, and tokens out."""

    input_tokens: int = 3000
    output_tokens: int = 300
    image_tokens: int = 0
    """Part of the input."""
    cache_hit: float = 0.0
    """Share of the input whose KV cache is there already: shortens prefill, takes KV space all the same."""
    adapters: int = 0
    """LoRA adapters in use, not merged into the weights."""

    @property
    def cached_tokens(self) -> int:
        """Return the tokens in that need no prefill."""
        return int(self.input_tokens * self.cache_hit)

    @property
    def new_tokens(self) -> int:
        """Return the tokens in that prefill computes; the last one always."""
        return max(1, self.input_tokens - self.cached_tokens)

    @property
    def context_tokens(self) -> int:
        """Return the tokens in memory half-way through the answer."""
        return self.input_tokens + self.output_tokens // 2

    @property
    def total_tokens(self) -> int:
        """Return the tokens that a request counts as: in and out."""
        return self.input_tokens + self.output_tokens


REFERENCE_LOAD = Load()
