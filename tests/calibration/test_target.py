"""What the calculator says of a run: the run from its first wave on, not the steady state behind it."""

import pytest
from measured import measurement, target

from infra.calibration.files import calibration_at, with_results
from infra.calibration.refusals import Stated, refusals
from infra.calibration.results import Result
from infra.capacity.facts import group_of
from infra.capacity.load import Load
from infra.capacity.measurement import Latency, Lengths, Measurement
from infra.capacity.performance import perform
from infra.capacity.replay import closed_loop, replay
from infra.capacity.roles import role_stack
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog

UNIFORM = 0.1 / 0.9 / 3**0.5
"""Spread of lengths drawn evenly from 0.8 to 1.0 of the longest."""


def seen(concurrency: int, per_place: int) -> Measurement:
    """Return what a client sees of an engine that is as fast as the calculator says."""
    longest = Load(input_tokens=3333, output_tokens=333)
    requests = closed_loop(longest, per_place * concurrency, 0.8)
    run = replay(target().group.roles["serve"], requests, concurrency)
    return measurement(
        input_tokens=Lengths(mean=3000, spread=UNIFORM),
        output_tokens=Lengths(mean=300, spread=UNIFORM),
        concurrency=concurrency,
        completed=len(requests),
        ttft=Latency(mean_ms=run.ttft_mean_ms),
        tpot=Latency(mean_ms=run.tpot_mean_ms),
        requests_per_second=len(requests) / run.duration_ms * 1000,
    )


@pytest.mark.parametrize(("concurrency", "per_place"), [(4, 10), (16, 10), (48, 10), (48, 6)])
def test_an_engine_as_predicted_needs_no_correction(concurrency: int, per_place: int) -> None:
    """The factors of a perfect prediction are 1, though the run had a first wave and steady states none."""
    run = seen(concurrency, per_place)
    found = Result(file="run.json", place="", digest="0" * 64, measurement=run)
    made = calibration_at(with_results(None, target(), [found], Stated()).points, target().predict)

    assert () == refusals(found, target(), target().predict, Stated())
    assert pytest.approx(1, abs=0.03) == made.ttft_factor(run.load, concurrency)
    assert pytest.approx(1, abs=0.03) == made.tpot_factor(run.load, concurrency)


def test_a_first_wave_is_most_of_a_mean_ttft() -> None:
    """The same run held against the steady state would correct TTFT by more than half."""
    run = seen(48, 10)

    assert run.ttft.mean_ms > 1.5 * perform(target().group, run.load, 48).ttft_ms


def test_roles_apart_are_held_against_the_steady_state() -> None:
    """Prefill and decode apart are not replayed; what decodes has the room."""
    catalog = load_catalog()
    gpu, machine = catalog.gpus["h100"], catalog.machines["h100-8"]
    roles = {role: role_stack(machine, gpu, {}, tensor_parallel=2) for role in ("prefill", "decode")}
    model = catalog.models["qwen3-32b"]
    apart = target(roles=roles, group=group_of(model, load_curves(model.name), roles))
    run = measurement().run
    steady = perform(apart.group, run.load, run.concurrency)

    assert (steady.ttft_ms, steady.tpot_ms) == apart.predict(run)
    assert apart.room(run.load) == target().room(run.load)
    assert "prefill-h100-tp2-decode-h100-tp2-bf16" == apart.layout


def test_rates_are_held_against_the_steady_state() -> None:
    """Requests that came at a rate had no first wave."""
    run = measurement(concurrency=None, requested_rps=1.8).run
    steady = perform(target().group, run.load, run.concurrency)

    assert (steady.ttft_ms, steady.tpot_ms) == target().predict(run)
