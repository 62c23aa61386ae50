"""`modelunits optimization-info`: which throughput can be had, in which chunks."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.check import check_stack
from infra.cli.main import app

ROOT = Path(__file__).parents[2]
ENDPOINT = """\
model: llama-3.1-8b
team: search
template: {template}
tier: {tier}
throughput: {{min: 0, max: {most}}}
"""


def run(*args: str) -> Result:
    """Run the command on this project."""
    return CliRunner().invoke(app, ["optimization-info", "--root", str(ROOT), *args])


def test_every_template_and_tier_in_the_fields_of_databricks() -> None:
    """What can be had has the three fields of get-model-optimization-info; what cannot says why."""
    found = json.loads(run("llama-3.1-8b").stdout)
    sold = [tier for one in found.values() if one.get("optimizable") is None for tier in one.values()]

    assert set(found) == {path.stem for path in (ROOT / "templates").glob("*.yaml")}
    assert sold
    for one in sold:
        assert set(one) == {"optimizable", "model_type", "throughput_chunk_size"}
        assert one["optimizable"] is True
        assert one["model_type"] == "llama"
        assert isinstance(one["throughput_chunk_size"], int)
    assert found["l40s-h100-h20-epd"] == {
        "optimizable": False,
        "model_type": "llama",
        "reason": "role encode: llama-3.1-8b takes no images",
    }


def test_a_model_that_does_not_fit_is_not_optimizable() -> None:
    """The reason is what the calculator says."""
    found = json.loads(run("kimi-k2", "--template", "l40s-single").stdout)

    assert found["l40s-single"]["optimizable"] is False
    assert "GiB more than there is" in found["l40s-single"]["reason"]


def test_a_stack_without_the_machine_sells_nothing_on_it() -> None:
    """With --stack, its machines count."""
    found = json.loads(run("llama-3.1-8b", "--template", "a100-single", "--stack", "prod").stdout)

    assert found["a100-single"]["reason"] == "stack prod has no a100-80-8"


@pytest.mark.parametrize("tier", ["balanced", "economy"])
def test_throughput_mode_takes_its_chunk_from_here(tmp_path: Path, tier: str) -> None:
    """Two chunks pass every rule and become two steps; one token more does not."""
    for name in ("stacks", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    info = json.loads(run("llama-3.1-8b", "--template", "l40s-single").stdout)["l40s-single"]
    chunk = info[tier]["throughput_chunk_size"]
    file = tmp_path / "stacks/prod/fresh.yaml"

    file.write_text(ENDPOINT.format(template="l40s-single", tier=tier, most=2 * chunk))
    good = check_stack(tmp_path, "prod", date(2026, 11, 21))
    file.write_text(ENDPOINT.format(template="l40s-single", tier=tier, most=2 * chunk + 1))
    bad = check_stack(tmp_path, "prod", date(2026, 11, 21))
    ours = [problem for problem in good.problems if problem.file == "stacks/prod/fresh.yaml"]
    endpoint = next(one for one in good.plan.endpoints if one.name == "fresh") if good.plan else None

    assert ours == []
    assert endpoint is not None
    assert endpoint.throughput is not None
    assert endpoint.throughput.chunk_tps == chunk
    assert endpoint.units.hourly_max == 2 * endpoint.step
    assert [p.rule for p in bad.problems if p.file == "stacks/prod/fresh.yaml"] == ["throughput-chunk"]


def test_unknown_names() -> None:
    """All of them are said, with what is allowed."""
    result = run("llama-3.1-8", "--template", "l40s-singel", "--stack", "prd")

    assert result.exit_code == 1
    assert result.stdout == ""
    for text in ("did you mean llama-3.1-8b?", "did you mean l40s-single?", "did you mean prod?"):
        assert text in result.stderr
