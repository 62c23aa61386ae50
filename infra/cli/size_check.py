"""What `modelunits size` is asked, and everything that is wrong with it at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from infra.capacity.load import Load
from infra.capacity.sizing import Promise
from infra.catalog.model import Model

MOST_REQUESTS_PER_SECOND = 1_000_000
"""Beyond what any single endpoint was reported to serve, by far."""
MOST_ADAPTERS = 1024
MOST_MS = 3_600_000
HEADROOM = (1.0, 10.0)
"""As endpoint files bound it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The numbers of a command line, as they were typed."""

    requests_per_second: float | None
    input_tokens: int | None
    output_tokens: int | None
    cache_hit: float | None
    adapters: int
    tier: str | None
    ttft_ms: float | None
    tpot_ms: float | None
    headroom: float
    from_log: bool

    @property
    def load(self) -> Load:
        """Return the load that is asked for; only once nothing is wrong."""
        return Load(
            input_tokens=self.input_tokens or 1,
            output_tokens=self.output_tokens or 1,
            cache_hit=self.cache_hit or 0.0,
            adapters=self.adapters,
        )

    @property
    def own(self) -> Promise | None:
        """Return the latencies asked for, where no tier is named."""
        if self.ttft_ms is None or self.tpot_ms is None:
            return None
        return Promise(ttft_ms=self.ttft_ms, tpot_ms=self.tpot_ms)


def wrong(wanted: Wanted, model: Model | None) -> Iterator[str]:
    """Yield everything that cannot be answered, with what is allowed."""
    if wanted.from_log:
        yield from _twice(wanted)
    else:
        yield from _amount(
            "--requests-per-second",
            wanted.requests_per_second,
            MOST_REQUESTS_PER_SECOND,
            "above 0 and at most",
        )
        yield from _lengths(wanted, model)
    if wanted.cache_hit is not None and not 0 <= wanted.cache_hit < 1:
        yield f"--cache-hit: must be at least 0 and below 1, got {wanted.cache_hit:g}"
    if not 0 <= wanted.adapters <= MOST_ADAPTERS:
        yield f"--adapters: must be from 0 to {MOST_ADAPTERS}, got {wanted.adapters}"
    if not HEADROOM[0] <= wanted.headroom <= HEADROOM[1]:
        yield f"--headroom: must be from {HEADROOM[0]:g} to {HEADROOM[1]:g}, got {wanted.headroom:g}"
    yield from wrong_promise(wanted)


def wrong_promise(wanted: Wanted) -> Iterator[str]:
    """Yield what is wrong with the tier or the latencies that are asked for."""
    for name, value in (("--ttft-ms", wanted.ttft_ms), ("--tpot-ms", wanted.tpot_ms)):
        if value is not None:
            yield from _amount(name, value, MOST_MS, "above 0 and at most")
    if wanted.tier is not None and (wanted.ttft_ms is not None or wanted.tpot_ms is not None):
        yield "--tier: give either a tier, or --ttft-ms and --tpot-ms"
    elif (wanted.ttft_ms is None) != (wanted.tpot_ms is None):
        given, absent = ("--ttft-ms", "--tpot-ms") if wanted.tpot_ms is None else ("--tpot-ms", "--ttft-ms")
        yield f"{given}: needs {absent} too; a promise is both"


def _twice(wanted: Wanted) -> Iterator[str]:
    given = {
        "--requests-per-second": wanted.requests_per_second,
        "--input": wanted.input_tokens,
        "--output": wanted.output_tokens,
    }
    for name, value in given.items():
        if value is not None:
            yield f"{name}: comes from the log of --traffic; leave it out"


def _amount(name: str, value: float | None, most: float, bounds: str) -> Iterator[str]:
    if value is None:
        yield f"{name}: is needed, unless --traffic reads it from a log"
    elif not isfinite(value) or not 0 < value <= most:
        yield f"{name}: must be {bounds} {most:,}, got {value:g}"


def _lengths(wanted: Wanted, model: Model | None) -> Iterator[str]:
    lengths = {"--input": wanted.input_tokens, "--output": wanted.output_tokens}
    for name, value in lengths.items():
        if value is None:
            yield f"{name}: is needed, unless --traffic reads it from a log"
        elif value < 1:
            yield f"{name}: must be at least 1 token, got {value:,}"
    total = sum(value or 0 for value in lengths.values())
    if model and total > model.max_context:
        yield (
            f"--input and --output: {model.name} has a context of {model.max_context:,} tokens, "
            f"got {total:,} together"
        )
