"""`modelunits size --write`: the answer in an endpoint's file, or nothing."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.check import check_stack
from infra.cli.main import app
from infra.cli.size_write import Bought, RefusedError, edited

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 21)
LOAD = ("--requests-per-second", "1", "--input", "3000", "--output", "300")
BOUGHT = Bought(
    model="qwen3-32b",
    template="h20-single",
    tier="fast",
    ttft_ms=1500,
    tpot_ms=30,
    units=8,
    step_units=2,
    reserved_units=None,
    team="search",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of this project's files."""
    for name in ("stacks", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    return tmp_path


def run(project: Path, *args: str) -> Result:
    """Size the load and write it."""
    return CliRunner().invoke(
        app, ["size", "--root", str(project), "--model", "qwen3-32b", "--as-of", "2026-11-21", *LOAD, *args]
    )


def taking(path: Path) -> bool:
    """Say whether a file is not one of those that are refused."""
    text = path.read_text(encoding="utf-8")
    return "throughput:" not in text and "model: {" not in text


@pytest.mark.parametrize(
    "path",
    sorted(filter(taking, ROOT.glob("stacks/*/*.yaml"))),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_what_is_not_meant_stays(path: Path) -> None:
    """Every line that does not stand in model, template, tier or units is kept, comments and all."""
    before = path.read_text(encoding="utf-8")
    after, _ = edited(before, BOUGHT)
    meant = ("model:", "template:", "tier:", "units:", "  reserved:", "  hourly:")
    kept = [line for line in before.splitlines() if not line.startswith(meant)]

    assert [line for line in after.splitlines() if line in kept] == kept


def test_the_smallest_endpoint() -> None:
    """A new file is what a person would write."""
    assert edited(None, BOUGHT)[0] == (
        "# yaml-language-server: $schema=../../schemas/endpoint.json\n"
        "model: qwen3-32b\nteam: search\ntemplate: h20-single\ntier: fast\n"
        "units:\n  hourly: {min: 2, max: 8}\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("reserved: 4\n  hourly: {min: 2, max: 3} # now", "reserved: 4\n  hourly: {min: 2, max: 4} # now"),
        ("reserved: 20", "reserved: 20\n  hourly: {min: 0, max: 0}"),
        (
            "purchases: # ours\n    - {id: a, units: 6, start: 2026-01-01, months: 3}",
            "purchases: # ours\n    - {id: a, units: 6, start: 2026-01-01, months: 3}\n"
            "  hourly: {min: 0, max: 2}",
        ),
    ],
)
def test_commitments_stay_and_hourly_units_do_the_rest(before: str, after: str) -> None:
    """What is reserved or ordered is paid for already; the ceiling comes on top of it."""
    head = "model: qwen3-32b # the big one\nteam: search\ntemplate: h20-single\ntier: fast\nunits:\n  "

    assert edited(f"{head}{before}\n", BOUGHT)[0] == f"{head}{after}\n"


def test_a_log_says_what_may_be_idle() -> None:
    """With a floor that costs least, all hourly units may go."""
    assert "hourly: {min: 0, max: 4}" in edited(None, replace(BOUGHT, reserved_units=4))[0]


@pytest.mark.parametrize(("most", "told"), [(9, "from 13 to 8 units"), (4, None)])
def test_a_maximum_that_shrinks_is_told(most: int, told: str | None) -> None:
    """What may run at most, reserved and hourly, does not shrink in silence."""
    units = f"units:\n  reserved: 4\n  hourly: {{min: 0, max: {most}}}\n"
    _, said = edited(f"model: qwen3-32b\nteam: search\ntemplate: h20-single\n{units}", BOUGHT)

    assert said[1:] == ((f"WARNING: the most that may run shrinks {told}",) if told else ())


def test_latencies_take_the_place_of_a_tier() -> None:
    """A file has one of both."""
    own = Bought(
        model="qwen3-32b",
        template="h20-single",
        tier=None,
        ttft_ms=900,
        tpot_ms=25,
        units=8,
        step_units=2,
        reserved_units=4,
        team=None,
    )
    after, _ = edited("model: a\nteam: b\ntier: fast # quick\nunits: {}\n", own)

    assert "tier" not in after
    assert "slo:\n  ttft_ms: 900\n  tpot_ms: 25\n" in after
    assert "slo" not in edited(after, BOUGHT)[0]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("throughput: {max: 100}\n", "the file asks for throughput"),
        ("model: {name: a, base: llama-3.1-8b, weights: 'hf://a/b'}\n", "a fine-tune of llama-3.1-8b"),
        ("- a\n", "no mapping"),
        ("a: [\n", "no YAML"),
    ],
)
def test_files_that_cannot_take_it(before: str, said: str) -> None:
    """What the answer would contradict is refused."""
    with pytest.raises(RefusedError, match=said):
        edited(before, BOUGHT)


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_a_written_endpoint_passes_check(project: Path, stack: str) -> None:
    """New and existing endpoints of both stacks load and pass every rule afterwards."""
    before = set(check_stack(project, stack, DAY).problems)
    old = run(project, "--template", "h20-single", "--write", f"stacks/{stack}/chat.yaml")
    new = run(
        project, "--template", "h20-single", "--write", f"stacks/{stack}/fresh.yaml", "--team", "search"
    )

    assert (new.exit_code, old.exit_code) == (0, 0), new.stderr + old.stderr
    assert f"modelunits: wrote stacks/{stack}/fresh.yaml: qwen3-32b on h20-single, balanced" in new.stderr
    assert set(check_stack(project, stack, DAY).problems) == before
    assert not {problem.file for problem in before} & {
        f"stacks/{stack}/{name}.yaml" for name in ("chat", "fresh")
    }
    assert "model: qwen3-32b" not in (project / "stacks/prod/chat.yaml").read_text(), "dev/chat has it"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--write", "stacks/prod/fresh.yaml"), "--team is needed"),
        (("--write", "elsewhere/fresh.yaml"), "must be stacks/<stack>/<endpoint>.yaml"),
        (("--write", "stacks/prod/Fresh_1.yaml", "--team", "search"), "lower-case letters"),
        (("--write", "stacks/prod/chat.yaml", "--stack", "local"), "is of stack prod, got local"),
        (("--write", "stacks/prod/fresh.yaml", "--team", "nobody"), "team: no team nobody"),
        (("--write", "stacks/prod/fresh.yaml", "--team", "research"), "[team-quota]"),
        (("--write", "stacks/prd/fresh.yaml", "--team", "search"), "no such stack"),
    ],
)
def test_nothing_is_written_where_check_would_fail(project: Path, args: tuple[str, ...], said: str) -> None:
    """What is wrong is said, and every file is as it was."""
    before = {path: path.read_bytes() for path in project.rglob("*.yaml")}
    result = run(project, "--template", "h20-single", *args)

    assert result.exit_code == 1
    assert said in result.stderr
    assert {path: path.read_bytes() for path in project.rglob("*.yaml")} == before
