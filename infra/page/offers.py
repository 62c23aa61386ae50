"""What a page knows, and what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.sizing import Offer, Promise

OWN = "own limits"
"""The name of latencies that belong to no tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A template that can serve a model."""

    offer: Offer
    longest_tokens: int
    """Of a request, in and out, that its engines accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """For every model the templates that serve it, in the order of choice."""

    currency: str
    stack: str | None = None
    """Whose machines and prices they are; None: the catalog's."""
    models: Mapping[str, Mapping[str, Listed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page asks; own latencies where no tier is named."""

    model: str
    template: str
    tier: str | None = None
    own: Promise | None = None
    requests_per_second: float
    input_tokens: int = 3000
    output_tokens: int = 300
    cache_hit: float = 0.0
    headroom: float = 1.0
