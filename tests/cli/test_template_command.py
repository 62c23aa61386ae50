"""`modelunits template performance`: what a template does for every model that it serves."""

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from infra.cli.main import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one template, whose table is empty."""
    (tmp_path / "templates").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    text = (ROOT / "templates/l40s-single.yaml").read_text()
    begin = text.index("\nperformance:")
    (tmp_path / "templates/mine.yaml").write_text(text[:begin] + "\nperformance: {}\n")
    return tmp_path


def run(project: Path, *args: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["template", "performance", "--root", str(project), *args])


def test_a_table_is_shown_and_written_only_when_asked(project: Path) -> None:
    """Without --write the exit code says that the file is stale; with it, every row has source and label."""
    file = project / "templates/mine.yaml"
    before = file.read_text()
    shown = run(project, "mine")
    unchanged = file.read_text() == before
    written = run(project, "mine", "--write")
    again = run(project, "mine")
    table = yaml.safe_load(file.read_text())["performance"]

    assert (shown.exit_code, written.exit_code, again.exit_code) == (1, 0, 0)
    assert unchanged
    assert "templates/mine.yaml is stale" in shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert {"llama-3.1-8b", "qwen3-8b", "gpt-oss-20b"} <= set(table)
    assert "llama-3.3-70b" not in table
    for rows in table.values():
        assert "balanced" in rows
        for row in rows.values():
            assert row["source"]
            assert row["label"] in ("estimated", "extrapolated")


def test_an_unknown_template(project: Path) -> None:
    """Its name is corrected."""
    result = run(project, "mime")

    assert result.exit_code == 1
    assert "no template mime; allowed: mine; did you mean mine?" in result.stderr
