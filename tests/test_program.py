"""The program's own gate: with a problem anywhere, nothing is registered, and people see where it is."""

from pathlib import Path
from shutil import copytree

import pulumi
import pytest

from infra.__main__ import SHOWN, main
from tests.test_build import ROOT, Recorder, run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this project that the program takes for its own."""
    for folder in ("stacks", "templates"):
        copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(tmp_path))
    return tmp_path


def test_a_valid_stack_is_built(project: Path) -> None:
    """Every endpoint of the stack becomes a component."""
    registered = run(main)

    endpoints = {each.name for each in registered if each.typ == "modelunits:index:Endpoint"}
    assert {path.stem for path in (project / "stacks/prod").glob("*.yaml")} == endpoints


def test_problems_of_all_files_end_the_program_before_anything_is_registered(project: Path) -> None:
    """One line for each problem, with file, line and column; no traceback."""
    chat, code = project / "stacks/prod/chat.yaml", project / "stacks/prod/code.yaml"
    chat.write_text(chat.read_text().replace("max: 8", "max: 7"))
    code.write_text(code.read_text().replace("template:", "tmplate:"))

    lines = _refusal().splitlines()

    assert [line.split(": ")[0] for line in lines if "unit-step" in line or "unknown-key" in line] == [
        "stacks/prod/chat.yaml:7:25",
        "stacks/prod/code.yaml:4:1",
    ]


def test_a_day_that_is_none_is_refused(project: Path) -> None:
    """The stack setting modelunits:as-of names what it wants."""
    pulumi.runtime.set_config("modelunits:as-of", "tomorrow")
    try:
        assert _refusal() == "modelunits:as-of: must be a day such as 2026-12-31, got tomorrow"
    finally:
        pulumi.runtime.set_config("modelunits:as-of", "")


def _refusal() -> str:
    """Run the program, which must end by itself without registering anything, and return what it says."""
    said: list[str] = []
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pulumi.log, "error", said.append)
        with pytest.raises(SystemExit) as ended:
            run(main, recorder)
    assert ended.value.code == SHOWN
    assert recorder.registered == []
    return "\n".join(said)
