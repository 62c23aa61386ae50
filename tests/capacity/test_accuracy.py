"""The calculator keeps its accuracy on rows of models that its constants never saw: docs/accuracy.md."""

from itertools import groupby
from statistics import mean, median

import pytest
from capacity import Scored, decisions, error, fits, one_point, unseen
from capacity_rows import Serving, memory, serving

from infra.capacity.fitted import FITTED, WITHOUT


@pytest.fixture(scope="module")
def rows() -> tuple[Serving, ...]:
    """Return every third curve, whole."""
    ordered = sorted(serving(), key=lambda row: str(row.curve))
    curves = [list(of) for _, of in groupby(ordered, key=lambda row: row.curve)]
    return tuple(row for curve in curves[::3] for row in curve)


def test_no_constant_saw_the_rows_it_is_scored_on(rows: tuple[Serving, ...]) -> None:
    """Every model of the rows has constants that were fitted without it, not those in use."""
    for model in {row.model for row in rows}:
        assert WITHOUT[model] != FITTED


def test_every_row_has_an_answer_within_the_bar(rows: tuple[Serving, ...]) -> None:
    """Uncalibrated: median TPS error at most 13 %, mean TTFT error at most half of AIConfigurator's 46 %."""
    answers = [unseen(row) for row in rows]
    assert None not in answers
    pairs = [(row, answer) for row, answer in zip(rows, answers, strict=True) if answer]
    assert median(error(row, answer, "tps") for row, answer in pairs) <= 0.13
    assert median(error(row, answer, "tpot_ms") for row, answer in pairs) <= 0.13
    assert mean(error(row, answer, "ttft_ms") for row, answer in pairs) <= 0.23


def test_one_measured_point_a_curve_halves_what_is_left(rows: tuple[Serving, ...]) -> None:
    """Calibrated by one row: mean TPS error at most 10 %, median at most 6 %, on the others."""
    scored = one_point(rows)
    errors = [
        error(row, answer, "tps") for row, answer in zip(scored.rows, scored.answers, strict=True) if answer
    ]
    assert len(errors) == len(scored.rows)
    assert mean(errors) <= 0.10
    assert median(errors) <= 0.06


def test_choices_of_concurrency_keep_their_promise() -> None:
    """The largest concurrency for a TPOT promise: at most 10 % break it, at most 25 % are below the best."""
    every = serving()
    made, violating, cautious = decisions(
        Scored(name="calculator", rows=every, answers=[unseen(row) for row in every])
    )
    assert made >= 80
    assert violating / made <= 0.10
    assert cautious / made <= 0.25


def test_what_fits_is_what_started() -> None:
    """Whether an engine starts is right for every published start."""
    assert all(fits(start) == start.starts for start in memory())
