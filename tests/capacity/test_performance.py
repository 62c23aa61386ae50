"""What a group does: laws that hold for every group and load, and what the physics asks for."""

from dataclasses import replace

import pytest
from engines import CATALOG, group, single, stack
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.batching import plain_step_ms
from infra.capacity.calibration import Calibration, Point, calibration
from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.performance import best_within, perform, under_rate
from infra.capacity.serving import misfits

GROUPS = {
    "dense-curve": single("llama-3.3-70b-fp8", "h100-8", tensor_parallel=4),
    "moe-curve": single("gpt-oss-120b", "h200-8", tensor_parallel=2),
    "roofline": single("llama-3.3-70b-fp8", "h20-8", tensor_parallel=4),
    "two-machines": single("deepseek-r1", "h100-8", tensor_parallel=8, pipeline_parallel=2),
    "expert-parallel": single(
        "deepseek-r1", "h200-8", {"enable-expert-parallel": None}, tensor_parallel=1, data_parallel=8
    ),
    "apart": group(
        "llama-3.3-70b-fp8",
        prefill=stack("h20-8", count=3, tensor_parallel=4),
        decode=stack("h200-8", tensor_parallel=4),
    ),
    "encode-apart": group(
        "qwen3-vl-32b",
        encode=stack("l40s-1", count=2),
        prefill=stack("h100-8", tensor_parallel=8),
        decode=stack("h20-8", tensor_parallel=8),
    ),
}
groups = st.sampled_from(list(GROUPS.values()))
loads = st.builds(
    Load,
    input_tokens=st.integers(1, 20000),
    output_tokens=st.integers(1, 4000),
    cache_hit=st.floats(0, 0.95),
)


@given(groups, loads, st.integers(1, 600))
def test_little_s_law_holds(group: Group, load: Load, concurrency: int) -> None:
    """Requests in flight are their rate times their time: no throughput out of nothing."""
    found = perform(group, load, concurrency)
    in_flight_ms = found.ttft_ms + max(1, load.output_tokens - 1) * found.tpot_ms
    assert found.requests_per_second * in_flight_ms / 1000 == pytest.approx(concurrency, rel=0.02)
    assert found.total_tps >= found.output_tps > 0


@given(groups, loads, st.integers(1, 600))
def test_more_requests_wait_longer_and_bring_more(group: Group, load: Load, concurrency: int) -> None:
    """Latency never falls with concurrency; throughput falls a little where answers crowd out prompts."""
    now, then = perform(group, load, concurrency), perform(group, load, 2 * concurrency)
    assert now.ttft_ms <= then.ttft_ms * 1.01
    assert now.tpot_ms <= then.tpot_ms * 1.01
    assert now.total_tps <= then.total_tps * 1.2


@given(groups, loads, st.floats(50, 20000), st.floats(5, 300))
def test_the_best_load_keeps_its_promise(group: Group, load: Load, ttft_ms: float, tpot_ms: float) -> None:
    """What is held at a promise keeps it, and a looser promise holds no less."""
    best = best_within(group, load, ttft_ms, tpot_ms)
    looser = best_within(group, load, 2 * ttft_ms, 2 * tpot_ms)
    if best is None:
        alone = perform(group, load, 1)
        margin = 1 + group.provenance.tpot_error
        assert alone.ttft_ms > ttft_ms or alone.tpot_ms * margin > tpot_ms
        return
    assert best.ttft_ms <= ttft_ms
    assert best.tpot_ms <= tpot_ms
    assert looser is not None
    assert looser.total_tps >= best.total_tps * 0.97


@given(groups, loads, st.floats(0.05, 0.95))
def test_percentiles_rise_and_rates_beyond_reach_have_none(group: Group, load: Load, busy: float) -> None:
    """Under requests that come at random the slow ones wait longer; beyond the highest rate nothing holds."""
    most = max(perform(group, load, 2**power).requests_per_second for power in range(13))
    seen = under_rate(group, load, busy * most)
    assert seen is not None
    assert seen.ttft_p50_ms <= seen.ttft_p90_ms <= seen.ttft_p99_ms
    assert seen.busy == pytest.approx(busy, rel=1e-6)
    assert under_rate(group, load, 1.01 * most) is None


@pytest.mark.parametrize("name", GROUPS)
def test_cache_hits_shorten_prefill_and_free_no_memory(name: str) -> None:
    """Half of the prompt in the cache: the first token comes sooner, the room stays the same."""
    cold, warm = Load(input_tokens=8000), Load(input_tokens=8000, cache_hit=0.5)
    before, after = perform(GROUPS[name], cold, 8), perform(GROUPS[name], warm, 8)
    assert after.ttft_ms < before.ttft_ms
    crowded = perform(GROUPS[name], cold, 4096), perform(GROUPS[name], warm, 4096)
    if "serve" in GROUPS[name].roles:
        assert crowded[0].running == crowded[1].running


def test_the_kv_cache_bounds_what_runs() -> None:
    """Requests beyond the room wait: they add to the time to first token and to nothing else."""
    group = single("llama-3.3-70b-fp8", "h100-8", tensor_parallel=2)
    full = perform(group, Load(input_tokens=16000), 256)
    fuller = perform(group, Load(input_tokens=16000), 512)
    assert full.limit == "memory"
    assert full.running == fuller.running < 64
    assert fuller.ttft_ms > 1.5 * full.ttft_ms
    assert fuller.tpot_ms == pytest.approx(full.tpot_ms)


def test_a_longer_prompt_than_a_step_is_read_in_chunks() -> None:
    """A smaller budget a step: answers are disturbed less at once, the first token waits longer."""
    few = single("llama-3.3-70b-fp8", "h100-8", {"max-num-batched-tokens": 1024}, tensor_parallel=4)
    many = single("llama-3.3-70b-fp8", "h100-8", {"max-num-batched-tokens": 8192}, tensor_parallel=4)
    load = Load(input_tokens=8000)
    assert perform(few, load, 1).ttft_ms > perform(many, load, 1).ttft_ms


def test_the_slowest_role_sets_the_rate() -> None:
    """One slow prefill engine is the bottleneck; eight of them leave it to decode."""

    def apart(count: int) -> Group:
        return group(
            "llama-3.3-70b-fp8",
            prefill=stack("h20-8", count=count, tensor_parallel=4),
            decode=stack("h200-8", arguments={"max-num-seqs": 16}, tensor_parallel=4),
        )

    few, many = (perform(apart(count), Load(), 64) for count in (1, 8))
    assert (few.bottleneck, few.limit) == ("prefill", "compute")
    assert many.bottleneck == "decode"
    assert many.total_tps > 2 * few.total_tps
    assert perform(apart(8), Load(), 64).ttft_ms < perform(apart(1), Load(), 64).ttft_ms


def test_the_kv_cache_travels_within_the_time_to_first_token() -> None:
    """A slower network delays first tokens and nothing else."""
    fast = GROUPS["apart"]
    prefill = replace(fast.roles["prefill"], transfer_ms_per_token=1.0)
    slow = replace(fast, roles={**fast.roles, "prefill": prefill})
    quick, delayed = perform(fast, Load(), 1), perform(slow, Load(), 1)
    assert delayed.ttft_ms - quick.ttft_ms == pytest.approx(3000, rel=0.05)
    assert delayed.tpot_ms == quick.tpot_ms


def test_images_are_encoded_before_prompts_are_read() -> None:
    """A request with an image waits for the encoder."""
    plain, image = Load(), Load(image_tokens=1024)
    group = GROUPS["encode-apart"]
    assert perform(group, image, 1).ttft_ms > perform(group, plain, 1).ttft_ms + 10


def test_adapters_slow_steps_by_what_was_measured() -> None:
    """A measured factor counts in every step; without one nothing is made up."""
    plain = GROUPS["dense-curve"]
    slowed = replace(plain, calibration=Calibration((), (), lora_factor=1.3))
    load = Load(adapters=2)
    assert perform(slowed, load, 8).tpot_ms > 1.2 * perform(plain, load, 8).tpot_ms
    assert perform(slowed, Load(), 8) == perform(plain, Load(), 8)


def test_labels_say_what_is_known() -> None:
    """Measured kernels make estimates; data sheets, and roles apart, extrapolations."""
    labels = {name: group.provenance.label for name, group in GROUPS.items()}
    assert labels["dense-curve"] == labels["moe-curve"] == "estimated"
    assert labels["roofline"] == labels["apart"] == labels["encode-apart"] == "extrapolated"


def test_a_measured_run_is_the_answer_at_its_load_and_corrects_others() -> None:
    """The same load gives what was measured; other levels have its factor and are called calibrated."""
    plain, load = GROUPS["dense-curve"], Load()
    before = perform(plain, load, 16)
    point = Point(load=load, concurrency=16, ttft_ms=1.5 * before.ttft_ms, tpot_ms=1.2 * before.tpot_ms)

    def predicted(load: Load, concurrency: int) -> tuple[float, float]:
        found = perform(plain, load, concurrency)
        return found.ttft_ms, found.tpot_ms

    known = replace(plain, calibration=calibration([point], predicted))
    after, near = perform(known, load, 16), perform(known, load, 32)
    assert (after.ttft_ms, after.tpot_ms) == pytest.approx((point.ttft_ms, point.tpot_ms))
    assert (after.provenance.label, near.provenance.label) == ("measured", "calibrated")
    assert near.tpot_ms == pytest.approx(1.2 * perform(plain, load, 32).tpot_ms)
    held = best_within(known, load, 3000, 60)
    assert held is not None
    assert held.provenance.label == "calibrated"


def test_a_group_says_which_promise_stops_it() -> None:
    """A tight TTFT is a matter of reading prompts; a tight TPOT is not; a loose promise stops nothing."""
    group = GROUPS["roofline"]
    alone = perform(group, Load(), 1)
    tight = best_within(group, Load(), 1.05 * alone.ttft_ms, 1000)
    slow = best_within(group, Load(), 60000, 1.4 * alone.tpot_ms)
    loose = best_within(group, Load(), 60000, 1000)
    assert tight is not None
    assert slow is not None
    assert loose is not None
    assert (tight.binding, tight.limit) == ("TTFT", "compute")
    assert slow.binding == "TPOT"
    assert loose.binding == "rate"


def test_a_single_request_is_held_up_by_nobody() -> None:
    """Alone, every later token takes a plain step, however long the prompt was."""
    group = single("llama-3.3-70b-fp8", "h100-8", tensor_parallel=2)
    load = Load(input_tokens=8000, output_tokens=20)
    engine = group.roles["serve"]
    assert perform(group, load, 1).tpot_ms == pytest.approx(plain_step_ms(engine, load, 1, 1.0), rel=1e-3)


def test_experts_that_a_size_would_cut_too_finely_are_refused() -> None:
    """Of experts 1536 wide a sixteenth is 96, whose blocks vLLM can cut to 32; of a part of 24 it cannot."""
    model = CATALOG.models["qwen3-235b-a22b-fp8"]
    assert model.experts is not None
    narrow = model.model_copy(update={"experts": model.experts.model_copy(update={"mlp_size": 96})})
    four = {"serve": stack("h200-8", tensor_parallel=4)}
    spread = {"serve": stack("h200-8", arguments={"enable-expert-parallel": None}, tensor_parallel=4)}
    assert misfits(model, four) == ()
    assert "128-column blocks" in " ".join(misfits(narrow, four))
    assert "128-column blocks" not in " ".join(misfits(narrow, spread))
