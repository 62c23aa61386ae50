"""The example of docs/how-to/calibrate.md is what the command prints and writes."""

import shutil
from pathlib import Path
from typing import Protocol

from typer.testing import CliRunner

from infra.cli.main import app

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "how-to" / "calibrate.md"
RUNS = ("c4.json", "c16.json", "c48.json")


class Golden(Protocol):
    """The fixture of conftest.py."""

    def check(self, file: Path, actual: str) -> None:
        """Compare a text with a file."""


def with_block(page: str, name: str, language: str, text: str) -> str:
    """Return the page with a text as the code between two comments."""
    before, _, rest = page.partition(f"<!-- {name} -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"{before}<!-- {name} -->\n```{language}\n{lines}\n```\n<!-- end -->\n{after}"


def test_the_page_shows_what_the_command_does(tmp_path: Path, golden: Golden) -> None:
    """Output and file stand in the page as they are; `make golden` puts new ones there."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    runs = [part for name in RUNS for part in ("--from", str(Path(__file__).parent / "example" / name))]
    options = ("--model", "qwen3-32b", "--template", "h100-single", "--root", str(tmp_path))
    result = CliRunner().invoke(app, ["calibrate", *runs, *options])

    assert 0 == result.exit_code, result.stderr
    file = (tmp_path / "calibrations" / "qwen3-32b" / "h100-tp2-bf16.yaml").read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    golden.check(PAGE, with_block(with_block(page, "example", "", result.stdout), "file", "yaml", file))
