"""Score the calculator on measured rows, against plain AIConfigurator 0.12 and a naive roofline.

    python benchmarks/capacity.py [--rows FILE]

Every row is scored with constants that were fitted without its model; rows that nothing predicts are counted.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite, isnan, nan
from pathlib import Path
from statistics import mean, median

from capacity_rows import (
    ROWS,
    SHORTEST,
    Memory,
    Numbers,
    Predictor,
    Serving,
    catalog_model,
    group,
    memory,
    predict,
    serving,
    with_tps,
)

from infra.capacity.calibration import Point, calibration
from infra.capacity.fitted import FITTED, WITHOUT
from infra.capacity.load import Load
from infra.capacity.memory import memory_fit
from infra.capacity.performance import TPOT_MARGIN, perform
from infra.catalog.load import load_catalog

SLOS_TPOT_MS = (15, 20, 30, 50, 80)
CALIBRATED_AT = 16
"""Concurrency of a curve's one calibration point, or the nearest to it; that row is not scored."""
METRICS = ("tps", "tpot_ms", "ttft_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One predictor's answers, in the order of the rows it was asked."""

    name: str
    rows: Sequence[Serving]
    answers: Sequence[Numbers | None]


def main() -> int:
    """Print the tables; fail where the calculator answers fewer rows than there are."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=ROWS, help="measured rows in the format of the default")
    options = parser.parse_args()
    rows = serving(options.rows)
    ours = Scored(name="calculator", rows=rows, answers=[unseen(row) for row in rows])
    plain = Scored(
        name="calculator, roofline", rows=rows, answers=[unseen(row, curves=False) for row in rows]
    )
    steady = Scored(name="calculator, steady state", rows=rows, answers=[_steady(row) for row in rows])
    aic = Scored(name="AIConfigurator 0.12", rows=rows, answers=[row.aiconfigurator for row in rows])
    naive = Scored(name="naive roofline", rows=rows, answers=[Numbers(nan, nan, r.naive_tps) for r in rows])
    calibrated = one_point(rows)
    print(f"{len(rows)} serving rows, {len({row.curve for row in rows})} curves; errors in %: mean, median\n")
    print("| rows | predictor | TPS | TPOT | TTFT | TPS within 20 % | covered |")
    print("|---|---|---|---|---|---|---|")
    for kind, kept in _kinds(rows):
        for scored in (ours, calibrated, steady, plain, aic, naive):
            print(_line(kind, kept, scored))
    print("\n| TPOT promises | decisions | violate | too cautious |\n|---|---|---|---|")
    for scored in (ours, calibrated, aic):
        print(_decision_line(scored))
    starts = memory(options.rows)
    right = sum(fits(one) == one.starts for one in starts)
    print(f"\nFits or not: right on {right} of {len(starts)} starts.")
    missed = [row.id for row, answer in zip(rows, ours.answers, strict=True) if answer is None]
    for one in missed:
        print(f"no answer: {one}", file=sys.stderr)
    return 1 if missed else 0


def unseen(row: Serving, *, curves: bool = True) -> Numbers | None:
    """Answer a row with constants that never saw its model."""
    return predict(row, WITHOUT.get(row.model, FITTED), curves=curves)


def _steady(row: Serving) -> Numbers | None:
    """Answer a row with what `size` says: means of a steady load, without the run's first wave."""
    found = group(row, WITHOUT.get(row.model, FITTED))
    if found is None:
        return None
    mean_length = (1 + SHORTEST) / 2
    load = Load(input_tokens=round(row.isl * mean_length), output_tokens=round(row.osl * mean_length))
    there = perform(found, load, row.concurrency)
    return with_tps(row, there.ttft_ms, there.tpot_ms)


def one_point(rows: Sequence[Serving]) -> Scored:
    """Answer every curve after one of its own rows, which is left out."""
    kept: list[Serving] = []
    answers: list[Numbers | None] = []
    for _, of_curve in groupby(sorted(rows, key=lambda row: str(row.curve)), key=lambda row: row.curve):
        curve = list(of_curve)
        chosen = min(curve, key=lambda row: abs(row.concurrency - CALIBRATED_AT))
        for row in curve:
            if row is not chosen:
                kept.append(row)
                answers.append(_calibrated(row, chosen, unseen))
    return Scored(name="calculator, one point a curve", rows=kept, answers=answers)


def _calibrated(row: Serving, chosen: Serving, predictor: Predictor) -> Numbers | None:
    at_point, here = predictor(chosen), predictor(row)
    if at_point is None or here is None:
        return None
    load = Load(input_tokens=chosen.isl, output_tokens=chosen.osl)
    point = Point(
        load=load,
        concurrency=chosen.concurrency,
        ttft_ms=chosen.measured.ttft_ms,
        tpot_ms=chosen.measured.tpot_ms,
    )
    known = calibration([point], lambda _load, _concurrency: (at_point.ttft_ms, at_point.tpot_ms))
    return with_tps(
        row,
        here.ttft_ms * known.ttft_factor(load, row.concurrency),
        here.tpot_ms * known.tpot_factor(load, row.concurrency),
    )


def _kinds(rows: Sequence[Serving]) -> Iterable[tuple[str, frozenset[str]]]:
    dense = frozenset(row.id for row in rows if not _moe(row))
    everything = frozenset(row.id for row in rows)
    return ("all", everything), ("dense", dense), ("MoE", everything - dense)


def _moe(row: Serving) -> bool:
    model = catalog_model(row.model, row.precision)
    return model is not None and model.moe


def _line(kind: str, kept: frozenset[str], scored: Scored) -> str:
    pairs = [(r, a) for r, a in zip(scored.rows, scored.answers, strict=True) if r.id in kept]
    cells = []
    for metric in METRICS:
        errors = [e for row, answer in pairs if answer and isfinite(e := error(row, answer, metric))]
        cells.append(f"{100 * mean(errors):.1f}, {100 * median(errors):.1f}" if errors else "-")
    answered = [error(row, answer, "tps") for row, answer in pairs if answer]
    within = sum(one <= 0.2 for one in answered) / max(1, len(answered))
    covered = f"{len(answered)} of {len(pairs)}"
    return f"| {kind} | {scored.name} | {' | '.join(cells)} | {100 * within:.0f} % | {covered} |"


def error(row: Serving, answer: Numbers, metric: str) -> float:
    """Return how far an answer is from what was measured, as a share of that."""
    return abs(getattr(answer, metric) / getattr(row.measured, metric) - 1)


def _decision_line(scored: Scored) -> str:
    made, violating, cautious = decisions(scored)
    return (
        f"| {scored.name} | {made} | {100 * violating / max(1, made):.0f} % "
        f"| {100 * cautious / max(1, made):.0f} % |"
    )


def decisions(scored: Scored) -> tuple[int, int, int]:
    """Count choices of the largest concurrency for a promise, those that break it and those below the best.

    Only where the curve's rows leave a choice: one keeps the promise and another does not.
    """
    made = violating = cautious = 0
    answer_of: Mapping[str, Numbers | None] = dict(
        zip((row.id for row in scored.rows), scored.answers, strict=True)
    )
    ordered = sorted(scored.rows, key=lambda row: str(row.curve))
    for _, of_curve in groupby(ordered, key=lambda row: row.curve):
        curve = sorted(of_curve, key=lambda row: row.concurrency)
        for slo in SLOS_TPOT_MS:
            keeping = [row for row in curve if row.measured.tpot_ms <= slo]
            if not keeping or len(keeping) == len(curve):
                continue
            made += 1
            chosen = [row for row in curve if promised(row, answer_of[row.id]) <= slo]
            if chosen and chosen[-1].measured.tpot_ms > slo:
                violating += 1
            elif not chosen or chosen[-1].concurrency < keeping[-1].concurrency:
                cautious += 1
    return made, violating, cautious


def promised(row: Serving, answer: Numbers | None) -> float:
    """Return the TPOT that is held against a promise: the calculator adds its margin, others have none."""
    if answer is None or isnan(answer.tpot_ms):
        return float("inf")
    if answer is row.aiconfigurator:
        return answer.tpot_ms
    found = group(row, FITTED)
    return answer.tpot_ms * (1 + TPOT_MARGIN * (found.provenance.tpot_error if found else 0.0))


def fits(one: Memory) -> bool | None:
    """Return whether the calculator says that an engine starts; None where the catalog lacks its model."""
    model = catalog_model(one.model, one.precision)
    return (
        model
        and memory_fit(
            model,
            load_catalog().gpus[one.gpu],
            role="serve",
            tensor_parallel=one.tensor_parallel,
            longest_sequence_tokens=one.max_model_len,
            gpu_memory_utilization=0.9,
        ).fits
    )


if __name__ == "__main__":
    raise SystemExit(main())
