"""The words and tables of an answer."""

from collections.abc import Mapping

from infra.capacity.sensitivity import Outcome, Sensitivity
from infra.capacity.sizing import Offer, Sized
from infra.page.offers import Asked
from infra.page.view import Column, Row, Table

_FIRST = Column(name="", numeric=False)
_LABEL = Column(name="Label", numeric=False)
_ALTERNATIVES = (
    Column(name="Units"),
    Column(name="GPUs"),
    Column(name="In flight, group"),
    Column(name="TTFT, ms"),
    Column(name="TPOT, ms"),
    Column(name="Requests/s, step"),
    Column(name="Per hour"),
    Column(name="Label", numeric=False),
)


def figure(value: float) -> str:
    """Return a number with three digits that say something, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def doubtful(text: str, error: float) -> str:
    """Return a figure with the error to expect, a share."""
    return f"{text} ± {error * 100:.0f} %"


def money(amount: float | None, currency: str, digits: int = 2) -> str:
    """Return an amount; machines without a price cost what nobody told."""
    return "unknown" if amount is None else f"{amount:,.{digits}f} {currency}"


def count(number: int, one: str) -> str:
    """Return a number of things."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def detail(sized: Sized, currency: str) -> str:
    """Return what the units come to, and how far to trust that."""
    trust = sized.held.provenance
    parts = (count(sized.steps, "step"), count(sized.gpus, "GPU"), count(sized.machines, "machine"))
    return (
        f"{', '.join(parts)}; {money(sized.hourly, currency)} per hour: "
        f"{doubtful(trust.label, trust.tps_error)}"
    )


def basis(sized: Sized, most: Sensitivity) -> str:
    """Return what limits a group, which assumption matters most, and where the numbers come from."""
    held = sized.held
    limit = f"{held.limit.capitalize()} limits it, in the role {held.bottleneck}. " if held.limit else ""
    return (
        f"{limit}What matters most: {most.assumption}, {_at(most.less)}; {_at(most.more)}. "
        f"From {held.provenance.source}. ± is how far off that is on average: single cases are off by more. "
        "TTFT of a median, 90 % and 99 % is by a queueing formula that agrees with a replay within 35 %; no "
        "public row has it to be compared with."
    )


def _at(outcome: Outcome) -> str:
    taken = "nothing keeps the promise" if outcome.units is None else count(outcome.units, "unit")
    return f"{taken} at {outcome.told}"


def too_long(most: int, tokens: int) -> str:
    """Say that requests are longer than engines accept."""
    return f"context: a request has {tokens:,} tokens, the engines accept {most:,}"


def latency(sized: Sized) -> Table:
    """Return the latencies at full load and at the load asked for."""
    held, seen, trust = sized.held, sized.seen, sized.held.provenance

    def row(name: str, full: float | None, at_load: float | None, error: float) -> Row:
        told = ("" if ms is None else doubtful(f"{figure(ms)} ms", error) for ms in (full, at_load))
        return (name, *told, trust.label)

    return Table(
        title="Latency",
        columns=(_FIRST, Column(name="At full load"), Column(name="At this load"), _LABEL),
        rows=(
            row("TTFT, mean", held.ttft_ms, seen.ttft_mean_ms if seen else None, trust.ttft_error),
            row("TTFT, median", None, seen.ttft_p50_ms if seen else None, trust.ttft_error),
            row("TTFT of 90 %", None, seen.ttft_p90_ms if seen else None, trust.ttft_error),
            row("TTFT of 99 %", None, seen.ttft_p99_ms if seen else None, trust.ttft_error),
            row("TPOT, mean", held.tpot_ms, seen.tpot_ms if seen else None, trust.tpot_error),
        ),
    )


def throughput(sized: Sized, offer: Offer) -> Table:
    """Return what units hold at full load."""
    held, trust = sized.held, sized.held.provenance

    def row(name: str, of_group: float) -> Row:
        of_step = of_group * offer.groups_per_step
        values = (of_step / offer.units_per_step, of_step, of_step * sized.steps)
        return (name, *(doubtful(figure(value), trust.tps_error) for value in values), trust.label)

    return Table(
        title="Full load",
        columns=(
            _FIRST,
            Column(name="One unit"),
            Column(name=f"One step ({count(offer.units_per_step, 'unit')})"),
            Column(name="All units"),
            _LABEL,
        ),
        rows=(
            row("Requests in flight", held.concurrency),
            row("Requests/s", held.requests_per_second),
            row("Tokens/s, in and out", held.total_tps),
            row("Output tokens/s", held.output_tps),
        ),
    )


def cost(sized: Sized, currency: str) -> Table:
    """Return what the units cost: as far off as the throughput that they were counted by."""
    trust = sized.held.provenance

    def row(name: str, amount: float | None, digits: int = 2) -> Row:
        return (name, doubtful(money(amount, currency, digits), trust.tps_error), trust.label)

    return Table(
        title="Cost",
        columns=(_FIRST, Column(name="All units"), _LABEL),
        rows=(
            row("Hourly units, per hour", sized.hourly),
            row("Reserved units, per month", sized.monthly),
            row("Per million tokens at this load, hourly units", sized.per_million_tokens, digits=3),
        ),
    )


def alternatives(
    title: str, first: str, found: Mapping[str, Sized | str], chosen: str, currency: str
) -> Table:
    """Return what the same load takes in other ways, a row each, or why it cannot be served so."""
    return Table(
        title=title,
        columns=(Column(name=first, numeric=False), *_ALTERNATIVES),
        rows=tuple(_alternative(name, outcome, currency) for name, outcome in found.items()),
        current=list(found).index(chosen),
    )


def _alternative(name: str, outcome: Sized | str, currency: str) -> Row:
    if isinstance(outcome, str):
        return (name, outcome)
    held, trust = outcome.held, outcome.held.provenance
    return (
        name,
        f"{outcome.units:,}",
        f"{outcome.gpus:,}",
        doubtful(f"{held.concurrency:,}", trust.tps_error),
        doubtful(figure(held.ttft_ms), trust.ttft_error),
        doubtful(figure(held.tpot_ms), trust.tpot_error),
        doubtful(figure(outcome.step_requests_per_second), trust.tps_error),
        money(outcome.hourly, currency),
        trust.label,
    )


def command(asked: Asked, stack: str | None) -> str:
    """Return the command that prints the same numbers."""
    words = [
        "modelunits size",
        f"--model {asked.model} --template {asked.template}",
        f"--requests-per-second {_plain(asked.requests_per_second)}",
        f"--input {asked.input_tokens} --output {asked.output_tokens}",
    ]
    if asked.cache_hit:
        words.append(f"--cache-hit {_plain(asked.cache_hit)}")
    if asked.own:
        words.append(f"--ttft-ms {_plain(asked.own.ttft_ms)} --tpot-ms {_plain(asked.own.tpot_ms)}")
    else:
        words.append(f"--tier {asked.tier}")
    if asked.headroom != 1:
        words.append(f"--headroom {_plain(asked.headroom)}")
    if stack:
        words.append(f"--stack {stack}")
    return " ".join(words)


def _plain(value: float) -> str:
    """Return a number with all of its digits, and without a point where it is whole."""
    return str(int(value)) if value == int(value) else repr(value)
