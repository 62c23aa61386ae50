"""What a group does while it holds a number of requests: the calculator's one answer, and its inverse."""

from dataclasses import dataclass

from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.steps import Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """A group in steady state with `concurrency` requests in flight; means, milliseconds, per group."""

    concurrency: int
    ttft_ms: float
    tpot_ms: float
    requests_per_second: float
    output_tps: float
    total_tps: float
    """Input and output."""
    running: float
    """Requests of the concurrency that are not waiting for room."""
    bottleneck: str
    """The role that sets the rate."""
    limit: str
    """What that role runs out of: memory, bandwidth or compute."""
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """A group under requests that come when they like (Poisson) at a rate; milliseconds."""

    requests_per_second: float
    in_flight: float
    busy: float
    """Share of the highest rate that the group can keep up with."""
    ttft_mean_ms: float
    ttft_p50_ms: float
    ttft_p90_ms: float
    ttft_p99_ms: float
    tpot_ms: float
    provenance: Provenance


def perform(group: Group, load: Load, concurrency: int) -> Performance:
    """Return what a group does with that many requests in flight."""
    raise NotImplementedError


def under_rate(group: Group, load: Load, requests_per_second: float) -> OpenLoop | None:
    """Return what callers see at a rate; None where the group cannot keep up with it."""
    raise NotImplementedError


def best_within(group: Group, load: Load, ttft_ms: float, tpot_ms: float) -> Performance | None:
    """Return the largest load that keeps both latencies; None where not even one request does."""
    raise NotImplementedError
