"""What a group does while it holds a number of requests: the calculator's one answer, and its inverses."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.capacity.batching import together
from infra.capacity.calibration import Calibration
from infra.capacity.disaggregated import apart
from infra.capacity.fitted import typical
from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.queueing import waits
from infra.capacity.solving import crossing
from infra.capacity.state import State, States
from infra.capacity.steps import Provenance

MOST_CONCURRENCY = 4096
"""Where looking for the largest load ends."""
_CLOSE = 1e-3
NEARLY_ALL = 0.97
"""Beyond this share of the rate, more requests only wait for each other."""
TPOT_MARGIN = 0.5
"""How much of the expected error is added to a TPOT before it is held against a promise: docs/accuracy.md."""


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
    binding: str = "rate"
    """The promise that more requests would break, TTFT or TPOT; rate: they would only wait for each other."""
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
    """Return what a group does with that many requests in flight; `concurrency` is at least 1."""
    found = _states(group, load)(concurrency)
    requests_per_second = found.rate_per_ms * 1000
    return Performance(
        concurrency=concurrency,
        ttft_ms=found.ttft_ms,
        tpot_ms=found.tpot_ms,
        requests_per_second=requests_per_second,
        output_tps=requests_per_second * load.output_tokens,
        total_tps=requests_per_second * load.total_tokens,
        running=found.running,
        bottleneck=found.bottleneck,
        limit=found.limit,
        provenance=provenance_of(group, load, concurrency),
    )


def under_rate(group: Group, load: Load, requests_per_second: float) -> OpenLoop | None:
    """Return what callers see at a rate; None where the group cannot keep up with it."""
    wanted = requests_per_second / 1000
    state = _states(group, load)
    peak = max(_levels(MOST_CONCURRENCY), key=lambda held: state(held).rate_per_ms)
    most = state(peak).rate_per_ms
    if wanted <= 0 or wanted >= most:
        return None
    concurrency = crossing(lambda held: state(held).rate_per_ms / wanted - 1, 1e-3, peak, _CLOSE)
    found = state(concurrency)
    lines = waits(found.queues, wanted)
    at = found.unhindered_ms

    def percentile_ms(share: float) -> float:
        return at + (2 * share - 1) * found.residual_ms + lines.percentile_ms(share)

    return OpenLoop(
        requests_per_second=requests_per_second,
        in_flight=wanted * (at + lines.mean_ms + max(0, load.output_tokens - 1) * found.tpot_ms),
        busy=wanted / most,
        ttft_mean_ms=at + lines.mean_ms,
        ttft_p50_ms=percentile_ms(0.5),
        ttft_p90_ms=percentile_ms(0.9),
        ttft_p99_ms=percentile_ms(0.99),
        tpot_ms=found.tpot_ms,
        provenance=provenance_of(group, load, concurrency),
    )


def best_within(group: Group, load: Load, ttft_ms: float, tpot_ms: float) -> Performance | None:
    """Return the load to hold at most within both latencies; None where not even one request keeps them.

    Of the largest load that keeps them it takes off what brings next to nothing but waiting.
    """

    state = _states(group, load)

    def kept(concurrency: int) -> bool:
        found = state(concurrency)
        slower = 1 + TPOT_MARGIN * provenance_of(group, load, concurrency).tpot_error
        return found.ttft_ms <= ttft_ms and found.tpot_ms * slower <= tpot_ms

    most = largest(kept)
    if not most:
        return None
    # The rate may fall again: prompts wait, and longer steps pass fewer of them.
    enough = NEARLY_ALL * max(state(held).rate_per_ms for held in _levels(most))
    fewer = largest(lambda concurrency: state(concurrency).rate_per_ms < enough)
    chosen = min(most, fewer + 1)
    held, more = perform(group, load, chosen), state(most + 1)
    if chosen < most:
        return held
    if more.ttft_ms > ttft_ms:
        # Prompts wait for each other: for the time to read them, or for room.
        return replace(held, binding="TTFT", limit="memory" if more.limit == "memory" else "compute")
    return replace(held, binding="TPOT")


def largest(kept: Callable[[int], bool]) -> int:
    """Return the largest concurrency that is kept, as all below it are; 0 where none is."""
    if not kept(1):
        return 0
    low, high = 1, 2
    while high <= MOST_CONCURRENCY and kept(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    return low


def _levels(most: int) -> tuple[int, ...]:
    """Return the levels at which a rate is looked for: doubling, and the last."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


def provenance_of(group: Group, load: Load, concurrency: float) -> Provenance:
    """Return how far to trust a group at a load level: as measured there, as calibrated, or as it is."""
    label = group.calibration.label(load, round(concurrency)) if group.calibration else None
    if group.calibration is None or label is None:
        return group.provenance
    runs = len(group.calibration.points)
    source = f"{runs} measured run{'' if runs == 1 else 's'}; {group.provenance.source}"
    # A run's TTFT is that of its first wave too, and its factor holds at its own load level only.
    return replace(
        typical("measured" if label == "measured" else "calibrated", label, source),
        ttft_error=group.provenance.ttft_error,
    )


def _states(group: Group, load: Load) -> States:
    factor = (group.lora_factor or 1.0) if load.adapters else 1.0
    if "serve" in group.roles:
        plain = together(group.roles["serve"], load, factor)
    else:
        plain = apart(group, load, factor)
    known = group.calibration
    if known is None:
        return plain
    return lambda concurrency: _calibrated(plain(concurrency), known, load, concurrency)


def _calibrated(found: State, known: Calibration, load: Load, concurrency: float) -> State:
    """Return a state as measured runs correct it: latencies by their factors, the rate by Little's law."""
    level = max(1, round(concurrency))
    slower, later = known.tpot_factor(load, level), max(1, load.output_tokens - 1)
    tpot = found.tpot_ms * slower
    # Who waits for room waits for others' answers, which are slower by that much.
    waiting = max(0.0, found.ttft_ms - found.unhindered_ms)
    ttft = (found.ttft_ms - waiting) * known.ttft_factor(load, level) + waiting * slower
    return replace(
        found,
        ttft_ms=ttft,
        tpot_ms=tpot,
        rate_per_ms=concurrency / (ttft + later * tpot),
        unhindered_ms=found.unhindered_ms * known.ttft_factor(load, level),
        residual_ms=found.residual_ms * slower,
        queues=tuple(replace(queue, service_ms=queue.service_ms * slower) for queue in found.queues),
    )
