"""`modelunits render` keeps a folder of files as the plan says, and leaves other files alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app, main

SMALL = Path(__file__).parent / "manifests" / "small"
Render = Callable[[], tuple[int, str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of a small project that a test may edit."""
    return Path(
        shutil.copytree(SMALL, tmp_path / "project", ignore=shutil.ignore_patterns("expected", "agent.yaml"))
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the folder that is written to; it is not there yet."""
    return tmp_path / "rendered"


@pytest.fixture
def render(project: Path, out: Path) -> Render:
    """Return the command; it gives the exit code and what was said."""

    def run() -> tuple[int, str]:
        arguments = ["render", "test", "--root", str(project), "--out", str(out), "--as-of", "2026-11-21"]
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.output

    return run


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_second_run_touches_nothing(render: Render, out: Path) -> None:
    """The same plan gives the same bytes, and files that have them are not written again."""
    render()
    before = _files(out)

    code, said = render()

    assert (0, f"{out}: {len(before) - 1} files, 0 changed, 0 removed\n") == (code, said)
    assert before == _files(out)


def test_files_of_an_endpoint_go_with_it(render: Render, project: Path, out: Path) -> None:
    """What the plan no longer has is removed, with the folder that held only that."""
    render()
    (project / "stacks" / "test" / "chat.yaml").unlink()

    render()

    assert [] == [path for path in _files(out) if "chat" in path or "test-search" in path]
    assert not (out / "test-search").exists()
    assert "test-research/service-reasoning-serve.yaml" in _files(out)


def test_files_of_others_stay(render: Render, project: Path, out: Path) -> None:
    """A file that the command did not write is neither changed nor removed, even beside its own."""
    own = out / "test-search" / "kustomization.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("resources: []\n")
    render()
    (project / "stacks" / "test" / "chat.yaml").unlink()

    render()

    assert "resources: []\n" == own.read_text()


def test_a_file_of_others_in_the_way_stops_it(render: Render, out: Path) -> None:
    """Where somebody else's file has the name of an object's, nothing is written at all."""
    theirs = out / "cluster" / "namespace-test-search.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("kind: Namespace\n")

    code, said = render()

    expected = f"modelunits: {theirs} is not a file of this command; remove it or choose another folder\n"
    assert (1, expected) == (code, said)
    assert ["cluster/namespace-test-search.yaml"] == list(_files(out))


def test_a_list_that_was_edited_removes_nothing_outside(render: Render, out: Path, tmp_path: Path) -> None:
    """The list of written files cannot name a file outside the folder."""
    render()
    precious = tmp_path / "precious.yaml"
    precious.write_text("mine")
    listed = out / ".modelunits-files"
    listed.write_text(listed.read_text() + "../precious.yaml\n")

    code, _ = render()

    assert (0, "mine") == (code, precious.read_text())


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the machine refuses ends the command with a message, never with a traceback."""
    out = project / "Pulumi.yaml" / "rendered"
    arguments = ["modelunits", "render", "test", f"--root={project}", f"--out={out}", "--as-of=2026-11-21"]
    monkeypatch.setattr("sys.argv", arguments)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("Not a directory\n")


def test_a_stack_with_problems_is_not_rendered(render: Render, project: Path, out: Path) -> None:
    """Problems are said with file and line, and no file is written."""
    with (project / "stacks" / "test" / "chat.yaml").open("a") as chat:
        chat.write("sleep_afterr: 5m\n")

    code, said = render()

    assert 1 == code
    assert said.startswith("stacks/test/chat.yaml:12:1: unknown key")
    assert not out.exists()
