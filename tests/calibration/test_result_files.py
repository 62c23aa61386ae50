"""Result files of every tool: one run, as each of them writes it, is read as the same measurement.

The files in `results/` have the structure of what vLLM 0.32.0, GuideLLM 0.8.1 and AIPerf 0.13.0 wrote against
a stand-in server; their numbers, and the files of the other tools and versions, are made up.
"""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from infra.calibration.results import Result, read_results
from infra.capacity.measurement import Deployment, Latency, Lengths, Measurement

RESULTS = Path(__file__).parent / "results"
DAY = date(2026, 11, 18)
RUN = Measurement(
    tool="any",
    measured_on=DAY,
    input_tokens=Lengths(mean=3000, spread=0),
    output_tokens=Lengths(mean=300, spread=0),
    concurrency=16,
    completed=160,
    failed=0,
    warmed_up=True,
    duration_s=100,
    ttft=Latency(mean_ms=420, p50_ms=400, p90_ms=520, p99_ms=700),
    tpot=Latency(mean_ms=31.2, p50_ms=31, p90_ms=32, p99_ms=33),
    requests_per_second=1.6,
    output_tps=480,
)
QWEN = Deployment(model="Qwen/Qwen3-32B")
EXPECTED = {
    "vllm-bench-serve.json": replace(
        RUN,
        tool="vllm-bench-serve",
        deployment=replace(QWEN, engine_version="0.32.0", gpu="h100", tensor_parallel=2),
    ),
    "aiperf.json": replace(
        RUN, tool="aiperf", tool_version="0.13.0", deployment=replace(QWEN, gpu="NVIDIA H100 80GB HBM3")
    ),
    "aiperf-0.5.json": replace(RUN, tool="aiperf", tool_version="0.5.0", deployment=QWEN),
    "inference-perf.json": replace(
        RUN, tool="inference-perf", measured_on=None, warmed_up=None, cache_hit=0.0
    ),
    "inference-perf-0.2.json": replace(
        RUN,
        tool="inference-perf",
        measured_on=None,
        warmed_up=None,
        concurrency=None,
        requested_rps=1.6,
        duration_s=None,
    ),
    "llm-d.yaml": replace(
        RUN,
        tool="llm-d-benchmark/guidellm",
        tool_version="0.8.1",
        warmed_up=None,
        duration_s=None,
        deployment=Deployment(
            model="Qwen/Qwen3-32B",
            engine="vllm",
            engine_version="0.32.0",
            gpu="NVIDIA-H100-80GB-HBM3",
            tensor_parallel=2,
            pipeline_parallel=1,
            data_parallel=1,
            instances=1,
        ),
    ),
}


def only(path: Path) -> Result:
    """Return the one result of a file without problems."""
    results, problems = read_results([path])

    assert ((), 1) == (problems, len(results))

    return results[0]


def changed(tmp_path: Path, name: str, *changes: tuple[str, object]) -> Path:
    """Write one of the files with values changed, by dotted paths; None takes a key away."""
    tree = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    for dotted, value in changes:
        *way, last = dotted.split(".")
        place = tree
        for key in way:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    path = tmp_path / name
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def said(path: Path) -> list[str]:
    """Return the problems of a file that cannot be read, without the folder it is in."""
    results, problems = read_results([path])

    assert () == results

    return [str(problem).replace(f"{path.parent}/", "") for problem in problems]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_tool_says_the_same_of_one_run(name: str) -> None:
    """Lengths, load, latencies in milliseconds and rates are the same; the rest is what a tool says of it."""
    found = only(RESULTS / name).measurement
    wanted = EXPECTED[name]
    latencies = [
        (getattr(one, field), getattr(two, field))
        for one, two in ((found.ttft, wanted.ttft), (found.tpot, wanted.tpot))
        for field in ("mean_ms", "p50_ms", "p90_ms", "p99_ms")
    ]

    assert all(one == pytest.approx(two) for one, two in latencies)
    assert replace(wanted, ttft=found.ttft, tpot=found.tpot) == found


def test_a_guidellm_report_holds_several_runs() -> None:
    """Each benchmark of a report is a run of its own: one without warm-up, then the known run."""
    results, problems = read_results([RESULTS / "guidellm.json"])

    assert () == problems
    assert ["benchmarks[0]", "benchmarks[1]"] == [result.place for result in results]
    assert (8, False) == (results[0].measurement.concurrency, results[0].measurement.warmed_up)
    assert replace(RUN, tool="guidellm", tool_version="0.8.1", deployment=QWEN) == results[1].measurement


def test_what_follows_from_a_measurement() -> None:
    """Requests in flight follow from rate and time, and total tokens per second from both lengths."""
    assert pytest.approx(15.598, abs=1e-3) == RUN.in_flight
    assert (16, 5280) == (RUN.level, RUN.total_tps)
    assert replace(RUN, concurrency=None, requested_rps=1.6).level == 16


def test_open_loops_are_told_from_closed_ones(tmp_path: Path) -> None:
    """A rate that was asked for is an open loop, whatever bounds its requests in flight."""
    for name, *changes in (
        ("vllm-bench-serve.json", ("request_rate", 1.7)),
        ("aiperf.json", ("input_config.phases.1.rate", 1.7)),
        ("aiperf-0.5.json", ("input_config.loadgen.request_rate", 1.7)),
        ("guidellm.json", ("benchmarks.1.config.strategy", {"type_": "poisson", "rate": 1.7})),
    ):
        results, _ = read_results([changed(tmp_path, name, *changes)])
        run = results[-1].measurement
        assert (None, 1.7) == (run.concurrency, run.requested_rps), name


def test_no_limit_at_all_is_no_load_level(tmp_path: Path) -> None:
    """`vllm bench serve` with neither a rate nor a concurrency sends everything at once."""
    run = only(changed(tmp_path, "vllm-bench-serve.json", ("max_concurrency", None))).measurement

    assert (None, None) == (run.concurrency, run.requested_rps)


def test_what_vllm_leaves_out_is_unknown(tmp_path: Path) -> None:
    """Without --save-detailed and --metadata neither the spread of lengths nor the server is known."""
    hidden = ("input_lens", "output_lens", "warmups", "engine_version", "gpu", "tensor_parallel")
    path = changed(tmp_path, "vllm-bench-serve.json", *((key, None) for key in hidden))
    run = only(path).measurement

    assert Lengths(mean=3000, spread=None) == run.input_tokens
    assert (None, QWEN) == (run.warmed_up, run.deployment)


def test_failed_requests_are_counted(tmp_path: Path) -> None:
    """Errors of every tool are failed requests; those cut off when the time was up are not."""
    for name, change in (
        ("vllm-bench-serve.json", ("failed", 7)),
        ("aiperf.json", ("error_summary", [{"count": 4}, {"count": 3}])),
        ("aiperf.json", ("error_request_count", {"unit": "requests", "avg": 7.0})),
        ("inference-perf.json", ("failures.count", 7)),
        ("guidellm.json", ("benchmarks.1.metrics.request_totals.errored", 7)),
    ):
        results, _ = read_results([changed(tmp_path, name, change)])
        assert results[-1].measurement.failed == 7, name


def test_runs_that_were_no_steady_state_say_so(tmp_path: Path) -> None:
    """A ramp, a cancelled run and phases measured together are kept as the reason against a run."""
    phase = {"name": "more", "kind": "profiling", "concurrency": 32}
    whole = json.loads((RESULTS / "aiperf.json").read_text(encoding="utf-8"))["input_config"]["phases"]
    for name, change, reason in (
        ("vllm-bench-serve.json", ("ramp_up_strategy", "linear"), "the rate rose while it ran (linear)"),
        ("aiperf.json", ("was_cancelled", True), "it was cancelled"),
        ("aiperf.json", ("is_complete", False), "it did not finish"),
        ("aiperf.json", ("input_config.phases", [*whole, phase]), "it measures 2 phases together"),
    ):
        assert reason == only(changed(tmp_path, name, change)).measurement.cut_short


def test_files_that_append_results_hold_several(tmp_path: Path) -> None:
    """`vllm bench serve --append-result` writes one document after another."""
    text = (RESULTS / "vllm-bench-serve.json").read_text(encoding="utf-8")
    path = tmp_path / "many.json"
    path.write_text(text + "\n" + text, encoding="utf-8")
    results, problems = read_results([path])

    assert (["[0]", "[1]"], ()) == ([result.place for result in results], problems)


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    """A file that is missing, broken or of no known tool is one problem, with what may be given."""
    tools = "vllm-bench-serve, guidellm, aiperf, inference-perf or llm-d-benchmark"
    for text, message in (
        ("{", "is not JSON: Expecting property name enclosed in double quotes in line 1 [file]"),
        ("a: [", "is not YAML: while parsing a flow node [file]"),
        ("{}", f"is no result file of {tools} [unknown-format]"),
        ("- 1", f"is no result file of {tools} [unknown-format]"),
        ("", f"is no result file of {tools} [unknown-format]"),
        ("[" * 100_000, "is nested too deeply to be a result [file]"),
    ):
        path = tmp_path / "x.json"
        path.write_text(text, encoding="utf-8")
        assert [f"x.json:1:1: {message}"] == said(path)
    path.write_bytes(b"\xff\xfe{}")

    assert ["x.json:1:1: is not UTF-8 text [file]"] == said(path)
    assert ["y.json:1:1: cannot be read: No such file or directory [file]"] == said(tmp_path / "y.json")


def test_wrong_values_are_all_named(tmp_path: Path) -> None:
    """Every value that is missing or absurd is named with what it must be, and the tool that is meant."""
    path = changed(
        tmp_path,
        "vllm-bench-serve.json",
        ("mean_ttft_ms", None),
        ("duration", -1),
        ("completed", "many"),
    )

    assert [
        "vllm-bench-serve.json:1:1: duration: must be more than 0, got -1 (vllm-bench-serve) [schema]",
        "vllm-bench-serve.json:1:1: completed: Input should be a valid integer, unable to parse string as an "
        "integer (vllm-bench-serve) [schema]",
        "vllm-bench-serve.json:1:1: mean_ttft_ms: is required (vllm-bench-serve) [schema]",
    ] == said(path)


def test_another_version_of_the_report_is_refused(tmp_path: Path) -> None:
    """A benchmark report 0.1 has other places for its numbers."""
    text = (RESULTS / "llm-d.yaml").read_text(encoding="utf-8").replace("'0.2.1'", "'0.1'")
    path = tmp_path / "old.yaml"
    path.write_text(text, encoding="utf-8")

    assert ["old.yaml:1:1: version: must be 0.2 or 0.2.x, got '0.1' (llm-d-benchmark) [schema]"] == said(path)
