"""What the page about sizing shows is what comes out."""

import re
import shlex
from pathlib import Path

from conftest import Golden
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


def test_the_page_shows_what_comes_out(golden: Golden) -> None:
    """Every example is what its command prints."""
    page = PAGE.read_text(encoding="utf-8")

    golden.check(PAGE, re.sub(r"<!-- example: (.*?) -->\n.*?<!-- end -->", shown, page, flags=re.DOTALL))
