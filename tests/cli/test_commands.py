"""The `modelunits` command as a whole."""

import subprocess
import sys

from typer.testing import CliRunner

from infra.cli.main import COMMANDS, app


def test_help_names_every_command() -> None:
    """Each of them stands there with its sentence."""
    shown = CliRunner().invoke(app, ["--help"]).stdout

    assert all(name in shown for name in COMMANDS)


def test_a_misspelt_command_is_corrected() -> None:
    """The nearest name is suggested."""
    result = CliRunner().invoke(app, ["chek"])

    assert result.exit_code == 2
    assert "Did you mean 'check'?" in result.stderr


def test_a_size_imports_no_more_than_it_needs() -> None:
    """An answer within a second leaves no time for rules, engines and result files."""
    program = "import sys; import infra.cli.size; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"pulumi", "kubernetes", "policies", "plotext", "ruamel.yaml", "infra.check", "infra.calibration"}

    assert heavy & set(modules) == set()
