"""The closed form against a replay of the same engine, request by request."""

from random import Random
from statistics import mean, median

import pytest
from engines import single

from infra.capacity.load import Load
from infra.capacity.performance import perform, under_rate
from infra.capacity.replay import Request, closed_loop, replay

ENGINES = [
    ("llama-3.3-70b-fp8", "h100-8", 4),
    ("gpt-oss-120b", "h200-8", 2),
    ("llama-3.3-70b-fp8", "h20-8", 8),
]
LOADS = [Load(), Load(input_tokens=900, output_tokens=900), Load(input_tokens=7400, output_tokens=900)]


@pytest.mark.parametrize(("model", "machine", "size"), ENGINES)
@pytest.mark.parametrize("load", LOADS, ids=lambda load: f"{load.input_tokens}-{load.output_tokens}")
def test_steady_state_agrees_with_the_replay(model: str, machine: str, size: int, load: Load) -> None:
    """After the first wave the replay does what the closed form says: TPOT within 8 %, TTFT within 30 %."""
    group = single(model, machine, tensor_parallel=size)
    for concurrency in (4, 16, 48):
        run = replay(group.roles["serve"], closed_loop(load, 20 * concurrency, 0.5), concurrency)
        later = slice(4 * concurrency, None)
        found = perform(group, _mean(load), concurrency)
        assert found.tpot_ms == pytest.approx(mean(run.tpot_ms[later]), rel=0.08)
        assert found.ttft_ms == pytest.approx(mean(run.ttft_ms[later]), rel=0.3)


def _mean(load: Load) -> Load:
    """Return the mean of lengths between half of a load's and all of them."""
    return Load(input_tokens=load.input_tokens * 3 // 4, output_tokens=load.output_tokens * 3 // 4)


@pytest.mark.parametrize(("model", "machine", "size"), ENGINES)
@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_percentiles_agree_with_requests_that_come_at_random(
    model: str, machine: str, size: int, busy: float
) -> None:
    """Median, p90 and p99 of TTFT under Poisson arrivals: within 35 % of a replay."""
    group, load = single(model, machine, tensor_parallel=size), Load()
    rate = busy * perform(group, load, 4096).requests_per_second
    random, now_ms, requests = Random(7), 0.0, []
    for _ in range(2000):
        now_ms += random.expovariate(rate) * 1000
        requests.append(
            Request(
                new_tokens=load.new_tokens,
                past_tokens=0,
                output_tokens=load.output_tokens,
                after_ms=now_ms,
            )
        )
    waits = sorted(replay(group.roles["serve"], tuple(requests), 4096).ttft_ms[200:])
    seen = under_rate(group, load, rate)
    assert seen is not None
    for share, estimate in ((0.5, seen.ttft_p50_ms), (0.9, seen.ttft_p90_ms), (0.99, seen.ttft_p99_ms)):
        assert estimate == pytest.approx(waits[int(share * len(waits))], rel=0.35)


def test_a_run_s_mean_is_made_by_its_first_wave() -> None:
    """Sixty-four long prompts at once: the mean TTFT of ten waves is a multiple of the median."""
    engine = single("llama-3.3-70b-fp8", "h100-8", {"max-num-seqs": 64}, tensor_parallel=4).roles["serve"]
    run = replay(engine, closed_loop(Load(input_tokens=8192, output_tokens=1024), 640, 0.8), 64)
    assert run.ttft_mean_ms > 3 * median(run.ttft_ms)


def test_every_request_is_answered_whatever_the_room() -> None:
    """More requests than the KV cache holds: they wait, and all are answered."""
    engine = single("llama-3.3-70b-fp8", "h100-8", tensor_parallel=2).roles["serve"]
    requests = closed_loop(Load(input_tokens=16000, output_tokens=500), 120, 1.0)
    run = replay(engine, requests, 60)
    assert len(run.ttft_ms) == len(requests)
    assert min(run.ttft_ms) > 0
    assert min(run.tpot_ms) > 0
