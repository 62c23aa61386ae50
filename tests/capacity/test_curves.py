"""Curves: what is committed is what the kernel tables give, and reading them invents nothing."""

import subprocess
import sys
from math import log
from pathlib import Path

import pytest
from engines import CATALOG, stack
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.curves import Curve
from infra.capacity.facts import group_of
from infra.catalog.curves import FOLDER, NEW_TOKENS, SEQUENCES, TOKENS, Grid, load_curves

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.stem for path in FOLDER.glob("*.csv"))


def curve(model: str, machine: str, **sizes: int) -> Curve:
    """Return the step times of a model on a machine."""
    facts = CATALOG.models[model]
    steps = group_of(facts, load_curves(model), {"serve": stack(machine, **sizes)}).roles["serve"].steps
    assert isinstance(steps, Curve)
    return steps


LLAMA = curve("llama-3.3-70b-fp8", "h100-8", tensor_parallel=4)


@pytest.mark.parametrize("model", MODELS)
def test_every_file_is_whole(model: str) -> None:
    """Each layout has all its rows, times are positive, and a full step takes longer than an empty one."""
    curves = load_curves(model)
    assert curves.tables.startswith("aiconfigurator-core 0.12.0")
    assert curves.grids
    for grid in curves.grids.values():
        assert len(grid.compute_ms) == len(grid.communicate_ms) == len(TOKENS)
        assert all(len(row) == len(NEW_TOKENS) for row in grid.prefill_ms)
        assert all(len(row) == len(SEQUENCES) for row in (*grid.decode_ms, *grid.decode_fp8_ms))
        assert min(grid.compute_ms) > 0
        assert min(grid.compute_ms) < grid.compute_ms[-1] / 2
        assert 0 <= grid.measured_share <= 1


def test_a_curve_passes_through_its_points() -> None:
    """At the grid's own tokens a step takes what the file says, or the least of what follows."""
    grid = _grid()
    for place, tokens in enumerate(TOKENS):
        least = min(grid.compute_ms[place:]) + min(grid.communicate_ms[place:])
        assert LLAMA.dense_ms(tokens, mixed=False) == pytest.approx(least, rel=1e-3)


def _grid() -> Grid:
    return load_curves("llama-3.3-70b-fp8").grids["h100", 4, 1, False]


@given(st.floats(1, 30000), st.floats(1, 30000))
def test_more_tokens_never_take_less(one: float, other: float) -> None:
    """Steps, prompts and answers: more of them take at least as long."""
    less, more = sorted((one, other))
    assert LLAMA.dense_ms(less, mixed=False) <= LLAMA.dense_ms(more, mixed=False) * 1.000001
    assert LLAMA.dense_ms(less, mixed=True) <= LLAMA.dense_ms(more, mixed=True) * 1.000001
    assert LLAMA.prefill_attention_ms(less, 0) <= LLAMA.prefill_attention_ms(more, 0) * 1.000001
    assert LLAMA.decode_attention_ms(less, 3000) <= LLAMA.decode_attention_ms(more, 3000) * 1.000001


def test_beyond_the_grid_the_last_stretch_goes_on() -> None:
    """Four times the tokens of the last point take about four times as long: nothing is flat there."""
    last, beyond = (LLAMA.dense_ms(tokens, mixed=False) for tokens in (TOKENS[-1], 4 * TOKENS[-1]))
    assert 0.8 < log(beyond / last) / log(4) < 1.2


@pytest.mark.slow
def test_what_is_committed_is_what_is_generated() -> None:
    """A dense model, one with experts and one with compressed attention, made again from the kernel tables.

    Three of all, because all take half an hour; `make catalog` makes all.
    """
    models = ["llama-3.1-8b", "gpt-oss-20b", "deepseek-v3"]
    made = subprocess.run(
        [sys.executable, "tools/curves.py", "--check", *models],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
