"""`modelunits calibrate`: what it prints and writes, and that it writes nothing where a run is refused."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from infra.cli.main import app

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"
FILE = "calibrations/qwen3-32b/h100-tp2-bf16.yaml"
H100 = ("--model", "qwen3-32b", "--template", "h100-single")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with this repository's templates."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    return tmp_path


def run(root: Path, *args: str) -> Result:
    """Run the command on a project."""
    return CliRunner().invoke(app, ["calibrate", "--root", str(root), *args])


def source(*names: str) -> list[str]:
    """Return the options that name some of the result files."""
    return [part for name in names for part in ("--from", str(RESULTS / name))]


def level(root: Path, name: str, concurrency: int, tpot_ms: float) -> str:
    """Write a run at another load level."""
    tree = json.loads((RESULTS / "vllm-bench-serve.json").read_text(encoding="utf-8"))
    rate = concurrency / (0.42 + 299 * tpot_ms / 1000)
    tree |= {"max_concurrency": concurrency, "mean_tpot_ms": tpot_ms, "request_throughput": rate}
    tree |= {"output_throughput": rate * 300}
    (root / name).write_text(json.dumps(tree), encoding="utf-8")
    return str(root / name)


def test_numbers_before_and_after(project: Path) -> None:
    """Every number is shown before, as measured and after; after it is what was measured."""
    result = run(project, *source("vllm-bench-serve.json"), *H100)
    rows = [line.split() for line in result.stdout.splitlines() if " ms " in line]

    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.startswith("qwen3-32b on h100-tp2-bf16")
    assert [("420", "420", "0%"), ("31.2", "31.2", "0%")] == [(r[-4], r[-3], r[-1]) for r in rows]
    assert f"{FILE}: 1 new of 1 points" in result.stdout
    assert "Error without it" not in result.stdout
    assert "ttft_ms: 420, tpot_ms: 31.2, tps: 5280" in (project / FILE).read_text(encoding="utf-8")


def test_runs_at_several_levels_show_what_each_adds(project: Path) -> None:
    """With several runs the last column is the error that a run would have had without itself."""
    files = [
        level(project, f"c{held}.json", held, tpot) for held, tpot in ((4, 20.0), (16, 26.0), (32, 30.0))
    ]
    result = run(project, *(part for file in files for part in ("--from", file)), *H100)
    tpot = [line.split() for line in result.stdout.splitlines() if "TPOT ms" in line]

    assert 0 == result.exit_code, result.stderr
    assert ["0%"] * 3 == [row[-2] for row in tpot]
    assert all(row[-1] not in ("0%", row[-3]) for row in tpot)


def test_results_of_every_tool_calibrate(project: Path) -> None:
    """What a file does not say comes from options, and is written beside its point."""
    version, warm = ("--engine-version", "0.32.0"), ("--warmed-up",)
    for name, options, stated in (
        ("vllm-bench-serve.json", (), ()),
        ("aiperf.json", version, ("engine-version",)),
        ("aiperf-0.5.json", version, ("engine-version",)),
        ("inference-perf.json", (*version, *warm), ("engine-version", "warm-up")),
        ("inference-perf-0.2.json", (*version, *warm), ("engine-version", "warm-up")),
        ("llm-d.yaml", warm, ("warm-up",)),
    ):
        result = run(project, *source(name), *H100, *options)
        assert 0 == result.exit_code, (name, result.stderr)
        assert f"stated: [{', '.join(stated)}]" in (project / FILE).read_text(encoding="utf-8") or not stated


def test_nothing_is_written_where_one_run_is_refused(project: Path) -> None:
    """One bad run among good ones leaves no file; every reason of all files is printed."""
    other = project / "other.json"
    other.write_text("{}", encoding="utf-8")
    result = run(project, *source("vllm-bench-serve.json", "guidellm.json"), "--from", str(other), *H100)
    said = sorted(line.rpartition("/")[2] for line in result.stderr.splitlines())

    assert (1, "") == (result.exit_code, result.stdout)
    assert [
        "guidellm.json:1:1: benchmarks[0]: engine version: the file does not say; give --engine-version "
        "[engine-version]",
        "guidellm.json:1:1: benchmarks[0]: no warm-up: the first requests were measured; send unmeasured "
        "ones first [warm-up]",
        "guidellm.json:1:1: benchmarks[1]: engine version: the file does not say; give --engine-version "
        "[engine-version]",
        "other.json:1:1: is no result file of vllm-bench-serve, guidellm, aiperf, inference-perf or "
        "llm-d-benchmark [unknown-format]",
    ] == [line for line in said if "in flight on average" not in line]
    assert not (project / "calibrations").exists()


def test_a_calibration_of_another_version_stops_it(project: Path) -> None:
    """What is there of another version is a problem with its place, and stays as it is."""
    assert 0 == run(project, *source("vllm-bench-serve.json"), *H100).exit_code
    path = project / FILE
    old = path.read_text(encoding="utf-8").replace("0.32.0", "0.31.0")
    path.write_text(old, encoding="utf-8")
    result = run(project, *source("vllm-bench-serve.json"), *H100)

    assert 1 == result.exit_code
    assert result.stderr.startswith(f"{FILE}:3:31: engine.version: measured with vllm 0.31.0, ")
    assert old == path.read_text(encoding="utf-8")


def test_without_a_template(project: Path) -> None:
    """A GPU, its number and a version say as much as a template; both or neither is a mistake."""
    gpu = ("--model", "qwen3-32b", "--gpu", "h100", "--tensor-parallel", "2")
    result = run(project, *source("vllm-bench-serve.json"), *gpu, "--engine-version", "0.32.0")

    assert 0 == result.exit_code, result.stderr
    assert (project / FILE).is_file()
    for options, message in (
        (gpu, "--gpu: needs --engine-version, because no template says it"),
        ((*H100, "--gpu", "h100"), "give either --template, or --gpu and --tensor-parallel"),
        (("--model", "qwen3-32b"), "give either --template, or --gpu and --tensor-parallel"),
    ):
        result = run(project, *source("vllm-bench-serve.json"), *options)
        assert (1, f"modelunits: {message}\n") == (result.exit_code, result.stderr)


def test_unknown_names_are_told_from_known_ones(project: Path) -> None:
    """Models, templates, GPUs and sizes that are not there are named with those that are."""
    version = ("--engine-version", "0.32.0")
    for options, message in (
        (
            ("--model", "qwen3-33b", "--template", "h100-single"),
            "--model: no model qwen3-33b in the catalog; ",
        ),
        (
            ("--model", "qwen3-32b", "--template", "h100-singel"),
            "--template: no template h100-singel; allowed: ",
        ),
        (("--model", "qwen3-32b", "--gpu", "h101", *version), "--gpu: no GPU h101 in the catalog; allowed: "),
        (
            ("--model", "qwen3-32b", "--gpu", "h100", "--tensor-parallel", "9", *version),
            "--tensor-parallel: no machine of the catalog has 9 GPUs h100",
        ),
    ):
        result = run(project, *source("vllm-bench-serve.json"), *options)
        assert 1 == result.exit_code
        assert result.stderr.startswith(f"modelunits: {message}")


def test_a_template_that_cannot_be_read_stops_it(project: Path) -> None:
    """Problems of the template are those of every command."""
    path = project / "templates" / "h100-single.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("shape: single", "shape: double"), encoding="utf-8"
    )
    result = run(project, *source("vllm-bench-serve.json"), *H100)

    assert 1 == result.exit_code
    assert "templates/h100-single.yaml:3:8: shape: must be single, " in result.stderr


def test_plans_use_it_from_then_on(project: Path) -> None:
    """The template's table has the model's rows labelled calibrated, and they name their runs."""
    run(project, *source("vllm-bench-serve.json"), *H100)
    text = (project / "templates" / "h100-single.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)["performance"]["qwen3-32b"]

    assert {"calibrated"} == {row["label"] for row in rows.values()}
    assert all("1 measured run" in row["source"] for row in rows.values())


def test_a_run_with_adapters_tells_by_how_much_they_slow(project: Path) -> None:
    """Measured without and with two adapters: the size of a load with adapters is no longer unverified."""
    plain, slower = level(project, "plain.json", 16, 31.2), level(project, "lora.json", 16, 37.4)
    run(project, "--from", plain, *H100)
    result = run(project, "--from", slower, "--adapters", "2", *H100)

    assert (0, "") == (result.exit_code, result.stderr)
    assert "adapters: 2" in (project / FILE).read_text(encoding="utf-8")
    load = ("--requests-per-second", "2", "--input", "3000", "--output", "300", "--adapters", "2")
    sized = CliRunner().invoke(app, ["size", "--root", str(project), *H100, *load])
    assert sized.exit_code == 0
    assert "unverified" not in sized.stdout


def test_a_file_that_is_given_twice_is_one_run(project: Path) -> None:
    """The same result twice on one command line is one point."""
    result = run(project, *source("vllm-bench-serve.json", "vllm-bench-serve.json"), *H100)

    assert (0, "") == (result.exit_code, result.stderr)
    assert (project / FILE).read_text(encoding="utf-8").count("concurrency:") == 1
