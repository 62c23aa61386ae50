"""Measured runs of a project correct its sizes."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.capacity.load import Load
from infra.capacity.sizing import TIERS
from infra.capacity.sizing import size as size_of
from infra.catalog.load import load_catalog
from infra.cli.main import app
from infra.cli.market import catalog_market
from infra.cli.offers import candidate, read_template
from infra.cli.size_page import page_offers
from infra.page.offers import Offers
from infra.page.values import from_json, to_json
from infra.spec.files import Files

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "tests" / "calibration" / "example"
MEASURED = ("--model", "qwen3-32b", "--template", "h100-single")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a calibration of one template and model."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Pulumi.yaml", root)
    shutil.copytree(ROOT / "templates", root / "templates")
    runs = [part for file in sorted(RUNS.glob("*.json")) for part in ("--from", str(file))]
    result = CliRunner().invoke(app, ["calibrate", "--root", str(root), *MEASURED, *runs])
    assert result.exit_code == 0, result.stderr
    return root


def size(root: Path, *args: str) -> Result:
    """Size a load that is like that of the runs in no length."""
    load = ("--requests-per-second", "12", "--input", "1500", "--output", "500", "--format", "json")
    return CliRunner().invoke(app, ["size", "--root", str(root), *load, *args])


def tpot(result: Result) -> tuple[str, float]:
    """Return the label of the default tier's TPOT, and its expected error."""
    found = json.loads(result.stdout)["alternatives"]
    held = next(one for one in found if one["tier"] == "balanced")["tpot_ms"]
    return held["label"], held["expected_error"]


def test_numbers_are_calibrated_where_runs_were_measured(project: Path) -> None:
    """Their label says so, with a smaller error; another model of the template stays estimated."""
    before, after = tpot(size(ROOT, *MEASURED)), tpot(size(project, *MEASURED))
    other = tpot(size(project, "--model", "llama-3.3-70b-fp8", "--template", "h100-single"))

    assert after[0] == "calibrated"
    assert after[1] < before[1]
    assert (before[0], other[0]) == ("estimated", "estimated")


def test_the_page_knows_what_was_measured(project: Path) -> None:
    """What a page carries is calibrated too, and says the same as here once it is read there."""
    files, market = Files(project), catalog_market()
    template = read_template(files, "h100-single")
    assert template is not None
    carried = to_json(page_offers({"h100-single": template}, market, None, files))
    there = from_json(json.loads(json.dumps(carried)))
    assert isinstance(there, Offers)
    offer = there.models["qwen3-32b"]["h100-single"].offer
    here = candidate("h100-single", template, load_catalog().models["qwen3-32b"], market, project=files).offer
    assert here is not None
    sized = size_of(offer, Load(), TIERS["balanced"], 12, 1.0)

    assert sized == size_of(here, Load(), TIERS["balanced"], 12, 1.0)
    assert sized is not None
    assert sized.held.provenance.label == "calibrated"


def test_runs_of_another_engine_are_a_problem(project: Path, tmp_path: Path) -> None:
    """A calibration of another version is no answer, and is not ignored."""
    root = tmp_path / "project"
    shutil.copytree(project, root)
    file = root / "calibrations" / "qwen3-32b" / "h100-tp2-bf16.yaml"
    file.write_text(file.read_text().replace("0.32.", "0.31."))
    result = size(root, *MEASURED)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "[calibration-engine]" in result.stderr
