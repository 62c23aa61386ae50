"""The answer of `modelunits size` as tables."""

from collections.abc import Callable, Iterator

from infra.cli.size_answer import Answer, Entry, Figures, Rates
from infra.cli.size_numbers import NOT_KNOWN, cell, counted, money
from infra.plan.tables import Column, Table


def size_tables(answer: Answer) -> Iterator[Table]:
    """Yield the tables of an answer, in the order in which a buyer asks."""
    yield _units(answer)
    yield _cost(answer)
    yield _latency(answer)
    yield _throughput(answer)
    yield _memory(answer)
    if answer.sensitivities:
        yield _sensitivity(answer)


def _units(answer: Answer) -> Table:
    return _table(
        answer,
        "Units",
        ("Steps", "Units", "GPUs", "Machines"),
        lambda entry, found: (
            str(entry.sized.steps if entry.sized else ""),
            counted(found.units),
            counted(found.gpus),
            counted(found.machines),
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
            money(number)
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
            counted(found.concurrency),
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
