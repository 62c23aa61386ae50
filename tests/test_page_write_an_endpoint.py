"""The examples of docs/how-to/write-an-endpoint.md are taken by `modelunits check`."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from infra.cli.main import app

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "write-an-endpoint.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
ENVIRONMENT = next(block for block in BLOCKS if "config:" in block)
WHOLE, *PARTS = (block for block in BLOCKS if block != ENVIRONMENT)


@pytest.mark.parametrize("part", ["", *PARTS], ids=lambda part: part.partition(":")[0] or "whole")
def test_an_example_is_an_endpoint(tmp_path: Path, part: str) -> None:
    """In the smallest environment of the page, put into the page's first file."""
    (tmp_path / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "stacks" / "dev").mkdir(parents=True)
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(ENVIRONMENT)
    endpoint = yaml.safe_load(WHOLE) | (yaml.safe_load(part) or {})
    (tmp_path / "stacks" / "dev" / "chat.yaml").write_text(yaml.safe_dump(endpoint))

    checked = CliRunner().invoke(
        app, ["check", "dev", "--as-of", "2026-11-21", "--root", str(tmp_path)], catch_exceptions=False
    )

    assert "dev: 1 endpoint, no problems, no warnings\n" == checked.stderr + checked.stdout
