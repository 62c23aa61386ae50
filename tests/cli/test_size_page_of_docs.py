"""What the page about sizing shows is what comes out."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from golden import Golden
from typer.testing import CliRunner

from infra.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "size-an-endpoint.md"


def shown(match: "re.Match[str]") -> str:
    """Return an example with what its command prints today."""
    result = CliRunner().invoke(app, [*shlex.split(match[1]), "--root", str(ROOT)], env={"COLUMNS": None})
    printed = (result.stdout or result.stderr).splitlines()
    lines = "\n".join(line.rstrip() for line in printed)
    return f"<!-- example: {match[1]} -->\n```\n{lines}\n```\n<!-- end -->"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of this project's files."""
    for name in ("stacks", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    return tmp_path


def test_the_page_shows_what_comes_out(golden: Golden, project: Path) -> None:
    """Every example is what its command prints, or says of the file that it writes."""

    def written(match: "re.Match[str]") -> str:
        args = (*shlex.split(match[1]), "--as-of", "2026-11-21", "--root", str(project))
        said = CliRunner().invoke(app, args).stderr
        (project / "stacks/prod/summaries.yaml").unlink(missing_ok=True)
        return f"<!-- written: {match[1]} -->\n```\n{said}```\n<!-- end -->"

    page = PAGE.read_text(encoding="utf-8")
    for kind, example in (("example", shown), ("written", written)):
        page = re.sub(rf"<!-- {kind}: (.*?) -->\n.*?<!-- end -->", example, page, flags=re.DOTALL)

    golden.check(PAGE, page)
