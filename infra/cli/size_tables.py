"""The answer of `modelunits size` as tables and sentences."""

from collections.abc import Callable, Iterator
from math import floor, log10

from infra.cli.size_answer import Answer, Entry, Figures, Number, Rates
from infra.plan.tables import Column, Table

NOT_KNOWN = "n/a"
"""For a price that nobody gave; never 0."""


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
        yield f"{_trust(entry)}: {_whole(found.units)} units, by its expected error of TPS."
        yield _limit(entry)


def size_tables(answer: Answer) -> Iterator[Table]:
    """Yield the tables of an answer, in the order in which a buyer asks."""
    yield _units(answer)
    yield _cost(answer)
    yield _latency(answer)
    yield _throughput(answer)
    yield _memory(answer)
    if answer.sensitivities:
        yield _sensitivity(answer)


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
    for name, why in answer.left_out.items():
        yield f"Left out: {name}: {why}"


def cell(number: Number | None) -> str:
    """Return a number with its error, or as a range where it is extrapolated."""
    if number is None:
        return NOT_KNOWN
    if number.label == "extrapolated":
        return f"{_rough(number.low)}-{_rough(number.high)}"
    return f"{short(number.value)} ±{number.error:.0%}"


def short(value: float) -> str:
    """Return a number with three digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _units(answer: Answer) -> Table:
    return _table(
        answer,
        "Units",
        ("Steps", "Units", "GPUs", "Machines"),
        lambda entry, found: (
            str(entry.sized.steps if entry.sized else ""),
            _counted(found.units),
            _counted(found.gpus),
            _counted(found.machines),
        ),
        words=("Limited by", "Figures"),
        said=_said,
    )


def _said(answer: Answer, entry: Entry) -> tuple[str, ...]:
    label: str = entry.provenance.label
    if answer.lora_unverified:
        label += ",\nLoRA unverified"
    if entry.sized is None:
        return str(entry.alternative.too_slow), label
    held = entry.sized.held
    return f"{held.bottleneck}: {held.limit}" if held.limit else NOT_KNOWN, label


def _cost(answer: Answer) -> Table:
    return _table(
        answer,
        f"Cost, {answer.currency}",
        ("Per hour", "Month by the hour", "Month reserved", "Per million tokens"),
        lambda _, found: tuple(
            _money(number)
            for number in (
                found.hourly,
                found.monthly_hourly,
                found.monthly_reserved,
                found.per_million_tokens,
            )
        ),
    )


def _latency(answer: Answer) -> Table:
    return _table(
        answer,
        "Latency of a group at its concurrency, and its TTFT percentiles at the asked rate",
        ("Concurrency", "TTFT ms", "TPOT ms", "p50 ms", "p90 ms", "p99 ms"),
        lambda _, found: (
            _counted(found.concurrency),
            cell(found.ttft_ms),
            cell(found.tpot_ms),
            *(
                map(cell, found.open_loop_ttft_ms.values())
                if found.open_loop_ttft_ms
                else ("cannot keep up", "", "")
            ),
        ),
    )


def _throughput(answer: Answer) -> Table:
    def rates(of: Rates) -> tuple[str, ...]:
        return cell(of.requests_per_second), cell(of.output_tps), cell(of.total_tps)

    rows = tuple(
        (answer.name(entry) if of == "unit" else "", of, *rates(each))
        for entry in answer.entries
        if entry.figures
        for of, each in (("unit", entry.figures.unit), ("step", entry.figures.step))
    )
    return Table(
        title="Throughput",
        columns=_columns((answer.rows, "Of a"), ("Requests/s", "Output TPS", "Total TPS")),
        rows=rows,
    )


def _memory(answer: Answer) -> Table:
    return Table(
        title="Memory, GiB of each GPU",
        columns=(
            *_columns(
                (answer.rows, "Role", "GPU"),
                ("Weights", "KV cache", "Other", "There is", "Headroom"),
            ),
            Column(heading="Fits"),
        ),
        rows=tuple(
            (
                answer.name(entry),
                memory.role,
                f"{memory.gpus} {memory.gpu}",
                f"{memory.weights_gib:.1f}",
                f"{memory.kv_gib:.1f}",
                f"{memory.adapters_gib + memory.overhead_gib:.1f}",
                f"{memory.available_gib:.1f}",
                f"{memory.headroom_gib:.1f}",
                "yes" if memory.fits else "no",
            )
            for entry in answer.entries
            for memory in entry.memory
        ),
    )


def _sensitivity(answer: Answer) -> Table:
    return Table(
        title="What matters most: units and cost per hour if an assumption is off",
        columns=_columns(("Assumption",), ("If less", "Units", "Per hour", "If more", "Units", "Per hour")),
        rows=tuple(
            (
                one.assumption,
                *(
                    text
                    for outcome in (one.less, one.more)
                    for text in (
                        outcome.told,
                        "too slow" if outcome.units is None else f"{outcome.units:,}",
                        NOT_KNOWN if outcome.hourly is None else f"{outcome.hourly:,.2f}",
                    )
                ),
            )
            for one in answer.sensitivities
        ),
    )


def _table(
    answer: Answer,
    title: str,
    numbers: tuple[str, ...],
    cells: Callable[[Entry, Figures], tuple[str, ...]],
    *,
    words: tuple[str, ...] = (),
    said: Callable[[Answer, Entry], tuple[str, ...]] | None = None,
) -> Table:
    """Return a table of a row for each entry; dashes where it is too slow."""
    return Table(
        title=title,
        columns=(*_columns((answer.rows,), numbers), *(Column(heading=word) for word in words)),
        rows=tuple(
            (
                answer.name(entry),
                *(cells(entry, entry.figures) if entry.figures else ("-",) * len(numbers)),
                *(said(answer, entry) if said else ()),
            )
            for entry in answer.entries
        ),
    )


def _columns(words: tuple[str, ...], numbers: tuple[str, ...]) -> tuple[Column, ...]:
    return (
        *(Column(heading=word) for word in words),
        *(Column(heading=number, numeric=True) for number in numbers),
    )


def _tier(entry: Entry) -> str:
    tier = entry.alternative.tier
    return f"tier {tier}" if tier else "latencies as asked"


def _trust(entry: Entry) -> str:
    words = {
        "measured": "Measured",
        "calibrated": "An estimate, calibrated by measured runs",
        "estimated": "An estimate from measured kernels",
        "extrapolated": "A rough estimate: nobody measured this model on this GPU",
    }
    return words[entry.provenance.label]


def _limit(entry: Entry) -> str:
    sized = entry.sized
    if sized is None or not sized.held.limit:
        return "What limits it was not measured."
    return f"The slowest role is {sized.held.bottleneck}, which runs out of {sized.held.limit} first."


def _counted(number: Number) -> str:
    return f"{number.value:,.0f} ({_whole(number)})" if number.low < number.high else f"{number.value:,.0f}"


def _whole(number: Number) -> str:
    least, most = f"{number.low:,.0f}", f"{number.high:,.0f}"
    return least if least == most else f"{least}-{most}"


def _money(number: Number | None) -> str:
    if number is None:
        return NOT_KNOWN
    if number.label == "extrapolated" and number.low < number.high:
        return f"{short(number.low)}-{short(number.high)}"
    return f"{number.value:,.2f}"


def _rough(value: float) -> str:
    """Return a number with two digits."""
    if value == 0:
        return "0"
    digits = 1 - floor(log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
