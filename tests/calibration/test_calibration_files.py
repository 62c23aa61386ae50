"""Calibration files: what is written is read again, and what is of something else is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from measured import result, target

from infra.calibration.files import read_calibration, text, with_results
from infra.calibration.refusals import Stated
from infra.calibration.spec import CalibrationFile
from infra.calibration.target import Target
from infra.capacity.measurement import Deployment, Latency, Lengths
from infra.capacity.roles import role_stack
from infra.catalog.load import load_catalog
from infra.spec.files import Files

NOTHING = Stated()
WRITTEN = """\
# Written by `modelunits calibrate`: a measured run a line, from which factors are made at use.
model: qwen3-32b
engine: {name: vllm, version: 0.32.1}
precision: bf16
roles:
  serve: {gpu: h100, tensor_parallel: 2}
points:
  - {input_tokens: 3000, output_tokens: 300, concurrency: 16, requests: 160, ttft_ms: 1690, \
tpot_ms: 23.5, tps: 5940, tool: vllm-bench-serve, engine_version: 0.32.1, measured_on: 2026-11-18, \
digest: sha256:0123456789abcdef}
"""


def write(root: Path, content: str) -> None:
    """Write the calibration file of the target."""
    path = root / target().file
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")


def read(root: Path, of: Target | None = None) -> tuple[CalibrationFile | None, list[str]]:
    """Return the calibration of the target, and what is said against its file."""
    files = Files(root)
    return read_calibration(files, of or target()), [str(problem) for problem in sorted(files.problems)]


def test_a_run_is_a_line(tmp_path: Path) -> None:
    """A file holds the model, the group and one line a run; read and written again it is the same."""
    made = with_results(None, target(), [result()], NOTHING)

    assert WRITTEN == text(made)
    assert target().file == "calibrations/qwen3-32b/h100-tp2-bf16.yaml"
    write(tmp_path, WRITTEN)
    assert (made, []) == read(tmp_path)


def test_no_file_is_no_calibration(tmp_path: Path) -> None:
    """Where nothing was measured there is nothing to complain of."""
    assert (None, []) == read(tmp_path)


def test_points_come_back_as_they_were_measured(tmp_path: Path) -> None:
    """The calculator gets shape, concurrency and latencies; a run at a rate has no TTFT for it."""
    rate = result(concurrency=None, requested_rps=1.8)
    write(tmp_path, text(with_results(None, target(), [result(), rate], NOTHING)))
    calibration, problems = read(tmp_path)

    assert calibration is not None
    assert [] == problems
    points = [one.point for one in calibration.points]
    assert [(3000, 300, 16, 1690, 23.5), (3000, 300, 16, None, 23.5)] == sorted(
        ((p.load.input_tokens, p.load.output_tokens, p.concurrency, p.ttft_ms, p.tpot_ms) for p in points),
        key=lambda row: row[3] is None,
    )


def test_what_a_person_said_is_kept() -> None:
    """A point tells a reviewer what its result file did not say."""
    silent = result(deployment=Deployment(), warmed_up=None, input_tokens=Lengths(mean=3000, spread=None))
    stated = Stated(engine_version="0.32.0", warmed_up=True, equal_lengths=True)
    made = with_results(None, target(), [silent], stated)

    assert "stated: [engine-version, warm-up, equal-lengths], digest:" in text(made)
    assert "engine_version: 0.32.0" in text(made)


def test_a_new_run_replaces_that_of_the_same_load() -> None:
    """Measured again, a load has the new numbers; other loads keep theirs, in order."""
    first = with_results(None, target(), [result(), result(concurrency=4, completed=40)], NOTHING)
    again = result(tpot=Latency(mean_ms=21.0), input_tokens=Lengths(mean=3010, spread=0.0))
    second = with_results(first, target(), [again], NOTHING)

    assert [(4, 23.5), (16, 23.5)] == [(one.concurrency, one.tpot_ms) for one in first.points]
    assert [(4, 23.5), (16, 21.0)] == [(one.concurrency, one.tpot_ms) for one in second.points]


def test_repeats_that_are_given_together_are_all_kept() -> None:
    """Two runs of one load in one command are two points."""
    made = with_results(None, target(), [result(), replace(result(), digest="f" * 64)], NOTHING)

    assert 2 == len(made.points)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "model: qwen3-32b",
            "model: qwen3-8b",
            "2:8: model: must be qwen3-32b, as the folder is called, got qwen3-8b [calibration-model]",
        ),
        (
            "0.32.1",
            "0.31.4",
            "3:31: engine.version: measured with vllm 0.31.4, and it is to run 0.32.0; measure again and "
            "remove this file [calibration-engine]",
        ),
        ("bf16", "fp8", "4:12: precision: must be bf16, got fp8 [calibration-layout]"),
        (
            "tensor_parallel: 2",
            "tensor_parallel: 4",
            "6:3: roles: must be those of h100-tp2-bf16, as the file is called [calibration-layout]",
        ),
        (
            "engine_version: 0.32.1",
            "engine_version: 0.33.0",
            "8:159: points[0].engine_version: must be 0.32.x as engine.version, got 0.33.0 [schema]",
        ),
        ("tpot_ms: 23.5", "tpot_ms: 0", "8:102: points[0].tpot_ms: must be more than 0, got 0 [schema]"),
        (
            "concurrency: 16",
            "concurency: 16",
            None,
        ),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    """A file of another model, version, precision or group, or with a wrong value, is a located problem."""
    write(tmp_path, WRITTEN.replace(old, new))
    calibration, problems = read(tmp_path)
    file = target().file

    assert calibration is None
    if message is not None:
        assert [f"{file}:{message}"] == problems
    else:
        assert any("unknown key 'concurency'" in problem for problem in problems)


def test_layouts_tell_groups_apart() -> None:
    """Everything that decides about speed is in a file's name: roles, counts, GPUs, sizes and formats."""
    catalog = load_catalog()
    h20, h200 = catalog.gpus["h20"], catalog.gpus["h200"]
    apart = {
        "prefill": role_stack(catalog.machines["h20-8"], h20, {}, count=3, tensor_parallel=4),
        "decode": role_stack(
            catalog.machines["h200-8"],
            h200,
            {"kv-cache-dtype": "fp8", "quantization": "fp8", "enable-expert-parallel": True},
            data_parallel=8,
            pipeline_parallel=2,
        ),
    }

    assert "prefill-3x-h20-tp4-decode-h200-tp1-pp2-dp8-ep-kv-fp8-fp8" == target(roles=apart).layout
