"""What the kinds of groups have in common once their steady state is found."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.capacity.queueing import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A group in steady state; milliseconds, requests per millisecond."""

    ttft_ms: float
    tpot_ms: float
    rate_per_ms: float
    running: float
    """Requests that are not waiting for room."""
    bottleneck: str
    """The role that sets the rate."""
    limit: str
    """What that role runs out of: memory, bandwidth or compute."""
    unhindered_ms: float
    """Time to first token of a request that finds no line anywhere."""
    residual_ms: float
    """Of that, the mean wait for the current step to end; evenly spread from nothing to twice that."""
    queues: tuple[Queue, ...]
    """Lines that requests wait in when they come at random."""


States = Callable[[float], State]
"""The state of a group under one load, by the requests in flight."""
