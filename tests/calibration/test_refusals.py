"""Runs that cannot calibrate are refused with the reason, its numbers and what is allowed."""

from dataclasses import replace

import pytest
from measured import measurement, predict_run, result, target

from infra.calibration.refusals import Stated, refusals
from infra.capacity.measurement import Deployment, Latency, Lengths, lengths, lengths_of

NOTHING = Stated()


def said(stated: Stated = NOTHING, **changes: object) -> list[str]:
    """Return what is said against a run with some changes."""
    return [str(problem) for problem in refusals(result(**changes), target(), predict_run, stated)]


ROOM = target().room(measurement().load)
SLOW = Latency(mean_ms=8000.0)
CASES = {
    "failed": (
        {"failed": 2},
        "2 of 162 requests failed; must be none [failed-requests]",
    ),
    "unequal input": (
        {"input_tokens": Lengths(mean=3000, spread=0.31)},
        "input lengths: vary by 31% of their mean of 3,000 tokens (standard deviation); must be at most 10% "
        "[lengths]",
    ),
    "unequal output": (
        {"output_tokens": Lengths(mean=300, spread=0.5)},
        "output lengths: vary by 50% of their mean of 300 tokens (standard deviation); must be at most 10% "
        "[lengths]",
    ),
    "unknown lengths": (
        {"input_tokens": Lengths(mean=3000, spread=None)},
        "input lengths: the file does not say how they vary; give --equal-lengths if they do not [lengths]",
    ),
    "no warm-up": (
        {"warmed_up": False},
        "no warm-up: the first requests were measured; send unmeasured ones first [warm-up]",
    ),
    "unknown warm-up": (
        {"warmed_up": None},
        "warm-up: the file does not say; give --warmed-up if requests went before [warm-up]",
    ),
    "few": (
        {"completed": 40},
        "40 requests with 16 in flight; must be at least 64 (4 for each) [few-requests]",
    ),
    "not held": (
        {"requests_per_second": 1.2},
        "10.5 requests were in flight on average, not 16; must be at least 80% of it: run it for longer "
        "[few-requests]",
    ),
    "no room": (
        {"concurrency": 256, "completed": 2560, "requests_per_second": 26.0},
        f"256 requests in flight, and a group holds {ROOM} of 3000 tokens in and 300 out: the others queued; "
        f"must be at most {ROOM} [queueing]",
    ),
    "queued": (
        {"ttft": SLOW, "requests_per_second": 1.05},
        "TTFT 8,000 ms is 5.1 times the 1,560 ms that it should be with 16 in flight: requests queued; "
        "must be at most 3 times [queueing]",
    ),
    "too fast": (
        {"tpot": Latency(mean_ms=4.8), "requests_per_second": 5.0},
        "TPOT 4.8 ms is 0.20 times the 24.0 ms that it should be; must be 0.33 to 3 times: was it this "
        "model, on these GPUs? [implausible]",
    ),
    "saturated": (
        {"concurrency": None, "requested_rps": 2.5},
        "served 1.80 of 2.50 requests per second; must be at least 95%: beyond saturation TTFT is queueing "
        "[queueing]",
    ),
    "no level": (
        {"concurrency": None},
        "has no load level, neither a concurrency that was held nor a rate; measure one of them, and of "
        "inference-perf give stage_<N>_lifecycle_metrics.json [load]",
    ),
    "cut short": (
        {"cut_short": "it was cancelled"},
        "not one steady run: it was cancelled [load]",
    ),
    "not streamed": (
        {"tpot": Latency(mean_ms=0.0)},
        "has no TTFT or no TPOT; measure with streaming and answers of several tokens [no-latency]",
    ),
}


def test_a_good_run_is_not_refused() -> None:
    """Nothing is said against a warm closed loop of equal requests on the target."""
    assert [] == said()


@pytest.mark.parametrize("name", CASES)
def test_unfit_runs(name: str) -> None:
    """Each thing that spoils a run is the one reason given, whole."""
    changes, message = CASES[name]

    assert [f"run.json:1:1: {message}"] == said(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "Qwen/Qwen3-32B-FP8"},
            "model: measured Qwen/Qwen3-32B-FP8, not qwen3-32b (Qwen/Qwen3-32B) [model]",
        ),
        (
            {"engine_version": "0.31.2"},
            "engine version: measured vllm 0.31.2; must be 0.32.x [engine-version]",
        ),
        (
            {"engine_version": None},
            "engine version: the file does not say; give --engine-version [engine-version]",
        ),
        ({"engine": "sglang"}, "engine: measured sglang; only vllm is calibrated [engine-version]"),
        ({"gpu": "NVIDIA H200"}, "gpu: measured on NVIDIA H200, not h100 [gpu]"),
        ({"tensor_parallel": 4}, "tensor parallel: measured with 4, not 2 [gpu]"),
        ({"instances": 2}, "engines: measured with 2, not 1 [gpu]"),
        ({"precision": "fp8"}, "precision: measured with fp8, not bf16 [gpu]"),
    ],
)
def test_runs_of_something_else(changes: dict[str, object], message: str) -> None:
    """A run on another model, engine, GPU or layout than the target's is refused with both."""
    was = replace(measurement().deployment, **changes)

    assert [f"run.json:1:1: {message}"] == said(deployment=was)


def test_what_agrees_is_not_refused() -> None:
    """Names of the same model and GPU as tools write them, and an endpoint's id, are the target's."""
    for model in ("Qwen/Qwen3-32B", "/models/Qwen3-32B", "qwen3-32b", "ep-chat-77ce6b", None):
        for gpu in ("NVIDIA-H100-80GB-HBM3", "NVIDIA H100 80GB HBM3", "h100_sxm", None):
            was = Deployment(model=model, gpu=gpu, engine_version="0.32.0", tensor_parallel=2, instances=1)
            assert [] == said(deployment=was)


def test_options_say_what_files_do_not() -> None:
    """With the options a run passes whose file says neither version, warm-up nor lengths."""
    silent = {
        "deployment": Deployment(),
        "warmed_up": None,
        "input_tokens": Lengths(mean=3000, spread=None),
        "output_tokens": Lengths(mean=300, spread=None),
    }

    assert [] == said(Stated(engine_version="0.32.3", warmed_up=True, equal_lengths=True), **silent)


def test_options_never_overrule_files() -> None:
    """A file that says there was no warm-up, or another version, is believed."""
    found = said(
        Stated(engine_version="0.32.0", warmed_up=True, equal_lengths=True),
        warmed_up=False,
        input_tokens=Lengths(mean=3000, spread=0.4),
    )

    assert [text.rpartition("[")[2] for text in found] == ["engine-version]", "lengths]", "warm-up]"]
    assert "the file says 0.32.1, --engine-version says 0.32.0" in found[0]


def test_every_reason_is_given() -> None:
    """A run with several faults is told all of them."""
    found = said(failed=1, warmed_up=False, completed=20, ttft=SLOW)

    assert ["failed-requests]", "warm-up]", "few-requests]", "queueing]"] == [
        text.rpartition("[")[2] for text in found
    ]


def test_a_long_ttft_is_no_queue_while_the_answer_is_longer() -> None:
    """TTFT that was predicted badly is what calibration is for: it is refused only where it can be a wait."""
    assert [] == said(ttft=Latency(mean_ms=5000.0), output_tokens=Lengths(mean=1000, spread=0))


def test_lengths_that_are_drawn_as_inferencex_draws_them_are_equal() -> None:
    """A uniform draw from 0.8 to 1.0 of the nominal length passes, by any statistic; 0.5 to 1.0 does not."""
    for low, passes in ((0.8, True), (0.5, False)):
        values = [3000 * (low + (1 - low) * i / 1000) for i in range(1001)]
        middle = (values[100], values[900])
        for one in (
            lengths_of(values),
            lengths(lengths_of(values).mean, p10_to_p90=middle),
            lengths(lengths_of(values).mean, least_and_most=(values[0], values[-1])),
        ):
            assert passes == (said(input_tokens=one) == [])
