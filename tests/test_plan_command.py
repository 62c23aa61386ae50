"""`modelunits plan`: what it prints, and what it says when it cannot."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.main import app

FOLDER = Path(__file__).parent / "plans"
AS_OF = ("--as-of", "2026-11-21")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project in git: committed is what `changes` was before, in the files what it is after."""
    root = tmp_path / "checkout" / "project"
    shutil.copytree(FOLDER / "base", root)
    shutil.copytree(FOLDER / "changes" / "before", root, dirs_exist_ok=True)
    git(root.parent, "init", "-q")
    git(root.parent, "add", "--all")
    git(root.parent, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "before")
    shutil.rmtree(root / "stacks" / "test")
    shutil.copytree(FOLDER / "changes" / "stacks" / "test", root / "stacks" / "test")
    return root


def git(folder: Path, *args: str) -> None:
    """Run git, which must succeed."""
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


def run(root: Path, *args: str) -> Result:
    """Run the command on a project."""
    return CliRunner().invoke(app, ["plan", "--root", str(root), *args])


def test_json(project: Path) -> None:
    """The JSON against a revision is the golden document with its changes, in a subfolder of a repository."""
    result = run(project, "test", "--against", "HEAD", "--format", "json", *AS_OF)

    assert result.exit_code == 0
    assert json.loads((FOLDER / "changes" / "plan.json").read_text(encoding="utf-8")) == json.loads(
        result.stdout
    )


def test_markdown(project: Path) -> None:
    """The Markdown is what the golden plan says, with the revision as it was given."""
    result = run(project, "test", "--against", "HEAD", "--format", "markdown", *AS_OF)

    assert (FOLDER / "changes" / "plan.md").read_text(encoding="utf-8").replace(
        "`main`", "`HEAD`"
    ) == result.stdout


def test_table(project: Path) -> None:
    """The tables show units, machines and cost, then what changes."""
    result = run(project, "test", "--against", "HEAD", *AS_OF)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]

    assert "chat 2 0 to 8 8 to 40 15,000.00 0.00 to 136.00 1.739" in lines
    assert "endpoint tuned changed settings: limits, args" in lines
    assert "Cost in USD: 15,000.00 a month and 102.01 to 244.02 an hour." in result.stdout


def test_nothing_changes(project: Path) -> None:
    """Against a revision with the same files, nothing changes, and the plan is still there."""
    git(project, "add", "--all")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "after")
    table = run(project, "test", "--against", "HEAD", *AS_OF)
    comment = run(project, "test", "--against", "HEAD", "--format", "markdown", *AS_OF)

    assert "Nothing changes against HEAD." in table.stdout
    assert "Nothing changes against `HEAD`." in comment.stdout


def test_new_stack(project: Path) -> None:
    """A stack that the revision did not have is added, all of it."""
    shutil.copy(project / "stacks" / "Pulumi.test.yaml", project / "stacks" / "Pulumi.new.yaml")
    shutil.copytree(project / "stacks" / "test", project / "stacks" / "new")
    changes = json.loads(run(project, "new", "--against", "HEAD", "--format", "json", *AS_OF).stdout)[
        "changes"
    ]

    assert all(change["kind"] == "added" for change in changes["endpoints"])
    assert len(changes["endpoints"]) == 4


def test_no_changes_without_a_revision(project: Path) -> None:
    """Without --against there is a plan, and no word of changes."""
    result = run(project, "test", "--format", "json", *AS_OF)

    assert "changes" not in json.loads(result.stdout)


def test_problems_leave_the_rest_planned(project: Path) -> None:
    """An endpoint that cannot be planned is a problem; the others are planned, and the exit code is 1."""
    file = project / "stacks" / "test" / "chat.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("pairs", "pears"), encoding="utf-8")
    result = run(project, "test", "--format", "json", *AS_OF)

    assert result.exit_code == 1
    planned = [endpoint["name"] for endpoint in json.loads(result.stdout)["endpoints"]]

    assert planned == ["new", "same", "tuned"]
    assert result.stderr.startswith("stacks/test/chat.yaml:3:11: template: no template pears; ")


def test_the_day_of_the_stack_is_the_day_of_the_plan(project: Path) -> None:
    """The day that a stack's file sets counts for commands as it does for `pulumi up`; --as-of goes first."""
    shutil.copytree(FOLDER / "purchases" / "stacks", project / "stacks", dirs_exist_ok=True)
    file = project / "stacks" / "Pulumi.test.yaml"
    text = file.read_text()
    file.write_text(text.replace("config:\n", 'config:\n  modelunits:as-of: "2099-01-01"\n', 1))

    assert run(project, "test", "--as-of=2099-01-01").stdout == run(project, "test").stdout
    assert run(project, "test", "--as-of=2026-11-21").stdout != run(project, "test").stdout


def test_unknown_stack(project: Path) -> None:
    """A stack that does not exist is a problem that names those that do."""
    result = run(project, "tset")

    assert result.exit_code == 1
    assert "stacks/Pulumi.tset.yaml:1:1: no such stack; allowed: test; did you mean test?" in result.stderr


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("no-such-ref", "git has no revision 'no-such-ref'"),
        ("--output=x", "'--output=x' is no git reference"),
        ("", "'' is no git reference"),
    ],
)
def test_unknown_revision(project: Path, ref: str, said: str) -> None:
    """A revision that git does not know is said in a sentence, and is never an option of git's."""
    result = run(project, "test", f"--against={ref}")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"modelunits: {said}")


def test_unusable_revision(project: Path) -> None:
    """A revision whose environment cannot be read is said to be the reason."""
    environment = project / "stacks" / "Pulumi.test.yaml"
    good = environment.read_text(encoding="utf-8")
    environment.write_text("config: {}\n", encoding="utf-8")
    git(project, "add", "--all")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "broken")
    environment.write_text(good, encoding="utf-8")
    result = run(project, "test", "--against", "HEAD")

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "modelunits: test cannot be planned as of HEAD: stacks/Pulumi.test.yaml:1:9: "
    )


def test_a_revision_with_problems_says_what_it_leaves_out(project: Path) -> None:
    """An endpoint that could not be planned then looks new; the reason is said beside the plan."""
    file = project / "stacks" / "test" / "odd.yaml"
    file.write_text("team: search\n", encoding="utf-8")
    git(project, "add", "--all")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "broken")
    file.unlink()
    result = run(project, "test", "--against", "HEAD")

    assert result.exit_code == 0
    assert result.stderr.startswith("modelunits: left out as of HEAD: stacks/test/odd.yaml:1:1: ")


def test_no_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed, the command says so."""
    monkeypatch.setenv("PATH", "")
    result = run(project, "test", "--against", "HEAD")

    assert result.exit_code == 1
    assert "git cannot be run" in result.stderr


def test_revision_with_a_link_out(project: Path) -> None:
    """A link of the other revision that leads out of the project is left out."""
    (project / "away").symlink_to("/")
    git(project, "add", "--all")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "link")
    (project / "away").unlink()
    result = run(project, "test", "--against", "HEAD", *AS_OF)

    assert result.exit_code == 0
    assert "Nothing changes against HEAD." in result.stdout
