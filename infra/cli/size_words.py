"""The answer of `modelunits size` in sentences."""

from collections.abc import Iterator

from infra.cli.size_answer import Answer, Entry, Number
from infra.cli.size_numbers import NOT_KNOWN, count, whole


def headline(answer: Answer) -> str:
    """Return the line that matters most."""
    sized, found = answer.chosen.sized, answer.chosen.figures
    if sized is None or found is None:
        return ""
    return (
        f"{count(sized.units, 'unit')} ({count(sized.steps, 'step')} of "
        f"{answer.chosen.alternative.offer.units_per_step}) = {count(sized.gpus, 'GPU')} on "
        f"{count(sized.machines, 'machine')}{_cost(answer, sized.hourly)}"
    )


def _cost(answer: Answer, hourly: float | None) -> str:
    """Return the price of an hour: of the machines' share that is used, and of whole machines."""
    if hourly is None:
        return f", {NOT_KNOWN} per hour"
    told, whole_machines = f"{hourly:,.2f} {answer.currency} per hour", answer.whole_hourly
    if whole_machines is None or f"{whole_machines:,.2f}" == f"{hourly:,.2f}":
        return f", {told}"
    return f"; their share costs {told}, whole {whole_machines:,.2f}"


def sentences(answer: Answer) -> Iterator[str]:
    """Yield what stands below the headline: what was asked, and how far to trust the answer."""
    demand, load, entry = answer.demand, answer.demand.load, answer.chosen
    one, found = entry.alternative, entry.figures
    hits = f", {load.cache_hit:.0%} of the input cached" if load.cache_hit else ""
    adapters = f", {count(load.adapters, 'adapter')}" if load.adapters else ""
    yield (
        f"{answer.model} on {one.template}, {_tier(entry)} (TTFT {one.promise.ttft_ms:,.0f} ms, TPOT "
        f"{one.promise.tpot_ms:g} ms): {demand.requests_per_second:.4g} requests/s of "
        f"{load.input_tokens:,} + {load.output_tokens:,} tokens{hits}{adapters}, "
        f"headroom {demand.headroom:g}; prices of {answer.market}"
    )
    if found:
        yield f"{_trust(entry)}: {_range(found.units)}, by its expected error of TPS."
        yield _limit(entry)


def notes(answer: Answer) -> Iterator[str]:
    """Yield where numbers come from, what was left out and what nobody knows."""
    seen: dict[str, list[str]] = {}
    for entry in answer.entries:
        by = entry.provenance
        told = (
            f"{by.label}: {by.source}; off by {by.ttft_error:.0%} on average in TTFT, {by.tpot_error:.0%} in "
            f"TPOT and {by.tps_error:.0%} in TPS: single cases are off by more"
        )
        seen.setdefault(told, []).append(answer.name(entry))
    for told, names in seen.items():
        yield f"{told} ({', '.join(names)})" if len(seen) > 1 else told
    if any(entry.figures and entry.figures.open_loop_ttft_ms for entry in answer.entries):
        yield (
            "TTFT p50, p90, p99: by a queueing formula that agrees with a replay within 35%; no public row "
            "has them to be compared with."
        )
    yield (
        f"Memory: estimated, within {answer.gib_error:g} GiB of each GPU. KV cache: of the requests held at "
        "the tier, or of the longest that the engine accepts. Other: activations, runtime and adapters."
    )
    if any(entry.sized and entry.sized.hourly is None for entry in answer.entries):
        yield f"n/a: {answer.market} has no price of these machines; --stack takes a stack's."
    if answer.lora_unverified:
        yield (
            "LoRA: unverified. Nobody measured by how much adapters slow this group down; the figures have "
            "their memory (rank 16 each) and none of their time. Measure before you buy."
        )
    images = {entry.alternative.template: entry.alternative.offer.image_tokens for entry in answer.entries}
    for name, tokens in images.items():
        if tokens:
            yield f"{name} encodes images: of every request's input, {tokens:,} tokens are taken to be one."
    for name, why in answer.left_out.items():
        yield f"Left out: {name}: {why}"


def _tier(entry: Entry) -> str:
    tier = entry.alternative.tier
    return f"tier {tier}" if tier else "latencies as asked"


def _trust(entry: Entry) -> str:
    words = {
        "measured": "Measured",
        "calibrated": "An estimate, calibrated by measured runs",
        "estimated": "An estimate from measured kernels",
        "extrapolated": "A rough estimate, nobody measured the like",
    }
    return words[entry.provenance.label]


def _range(units: Number) -> str:
    told = whole(units)
    return "1 unit" if told == "1" else f"{told} units"


def _limit(entry: Entry) -> str:
    sized = entry.sized
    if sized is None or not sized.held.limit:
        return "What limits it was not measured."
    return f"The slowest role is {sized.held.bottleneck}, which runs out of {sized.held.limit} first."
