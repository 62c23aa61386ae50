"""The answer of `modelunits size` in sentences."""

from collections.abc import Iterator

from infra.cli.size_answer import Answer, Entry
from infra.cli.size_numbers import NOT_KNOWN, whole


def headline(answer: Answer) -> str:
    """Return the line that matters most."""
    sized, found = answer.chosen.sized, answer.chosen.figures
    if sized is None or found is None:
        return ""
    hourly = NOT_KNOWN if sized.hourly is None else f"{sized.hourly:,.2f} {answer.currency}"
    return (
        f"{_count(sized.units, 'unit')} ({_count(sized.steps, 'step')} of "
        f"{answer.chosen.alternative.offer.units_per_step}) = {_count(sized.gpus, 'GPU')} on "
        f"{_count(sized.machines, 'machine')}, {hourly} per hour"
    )


def sentences(answer: Answer) -> Iterator[str]:
    """Yield what stands below the headline: what was asked, and how far to trust the answer."""
    demand, load, entry = answer.demand, answer.demand.load, answer.chosen
    one, found = entry.alternative, entry.figures
    hits = f", {load.cache_hit:.0%} of the input cached" if load.cache_hit else ""
    adapters = f", {_count(load.adapters, 'adapter')}" if load.adapters else ""
    yield (
        f"{answer.model} on {one.template}, {_tier(entry)} (TTFT {one.promise.ttft_ms:,.0f} ms, TPOT "
        f"{one.promise.tpot_ms:g} ms): {demand.requests_per_second:.4g} requests/s of "
        f"{load.input_tokens:,} + {load.output_tokens:,} tokens{hits}{adapters}, "
        f"headroom {demand.headroom:g}; prices of {answer.market}"
    )
    if found:
        yield f"{_trust(entry)}: {whole(found.units)} units, by its expected error of TPS."
        yield _limit(entry)


def notes(answer: Answer) -> Iterator[str]:
    """Yield where numbers come from, what was left out and what nobody knows."""
    seen: dict[str, list[str]] = {}
    for entry in answer.entries:
        by = entry.provenance
        told = (
            f"{by.label}: {by.source}; expect TTFT within {by.ttft_error:.0%}, TPOT {by.tpot_error:.0%}, "
            f"TPS {by.tps_error:.0%}"
        )
        seen.setdefault(told, []).append(answer.name(entry))
    for told, names in seen.items():
        yield f"{told} ({', '.join(names)})" if len(seen) > 1 else told
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


def _limit(entry: Entry) -> str:
    sized = entry.sized
    if sized is None or not sized.held.limit:
        return "What limits it was not measured."
    return f"The slowest role is {sized.held.bottleneck}, which runs out of {sized.held.limit} first."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
