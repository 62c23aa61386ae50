"""`modelunits check` says what it found in words."""

from pathlib import Path

from typer.testing import CliRunner

from infra.cli.main import app

PROJECT = Path(__file__).parent / "problems" / "base"


def test_a_stack_is_summed_up_in_a_line() -> None:
    """Each number has its noun, in the singular where it is one."""
    result = CliRunner().invoke(app, ["check", "--root", str(PROJECT), "--as-of", "2026-11-21"])

    assert "dev: 1 endpoint, no problems, no warnings\n" == result.stdout
