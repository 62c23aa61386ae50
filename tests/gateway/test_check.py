"""`modelunits check` asks Envoy about the gateway's files where Envoy is there, and installs nothing."""

from datetime import date
from pathlib import Path

import pytest
from samples import ROOT
from typer.testing import CliRunner

from infra.check import check_stack
from infra.cli.check_gateway import gateway_problems
from infra.cli.main import app
from infra.local.envoy import envoy_program, installed_envoy
from infra.local.progress import Progress

DAY = date(2026, 11, 21)


def test_check_takes_the_repositorys_stack_with_envoy() -> None:
    """The stack `local` has a gateway, and Envoy takes its files."""
    envoy_program(Progress())
    result = CliRunner().invoke(app, ["check", "local", "--root", str(ROOT), "--as-of", str(DAY)])

    assert (result.exit_code, result.stdout.splitlines()[-1].split(",")[1]) == (0, " no problems")


def test_what_envoy_refuses_is_a_problem_of_the_stack(tmp_path: Path) -> None:
    """The problem says what Envoy said."""
    checked = check_stack(ROOT, "local", DAY)
    envoy = tmp_path / "envoy"
    envoy.write_text("#!/bin/sh\necho 'no such field: x' >&2\nexit 1\n")
    envoy.chmod(0o755)
    (problem,) = gateway_problems("local", checked, envoy)

    assert checked.plan is not None
    assert (problem.file, problem.rule) == ("stacks/Pulumi.local.yaml", "gateway-files")
    assert problem.message == "Envoy refuses the gateway's files: no such field: x"


def test_without_envoy_nothing_is_asked_and_nothing_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty cache stays empty."""
    monkeypatch.setenv("MODELUNITS_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")

    assert installed_envoy() is None
    assert list(tmp_path.iterdir()) == []
