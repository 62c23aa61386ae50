"""What `modelunits local serve` refuses before it starts anything."""

import shutil
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app

PROJECT = Path(__file__).parent / "project"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the project that may be changed."""
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _said(root: Path, *arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["local", "serve", "test", "--root", str(root), *arguments])
    assert done.exit_code == 1
    assert not (root / ".modelunits" / "serve" / "test" / "serve.json").exists()
    return done.stderr.splitlines()


def test_wrong_engines_are_refused_all_at_once(root: Path) -> None:
    """Each with what is allowed."""
    said = _said(
        root,
        *("--engine", "chatt=http://127.0.0.1:8000"),
        *("--engine", "chat=https://elsewhere"),
        *("--engine", "pair=http://user@127.0.0.1:8000/v2"),
    )
    assert said == [
        "modelunits: --engine chatt=http://127.0.0.1:8000: no endpoint chatt; "
        "allowed: chat, pair, secret; did you mean chat?",
        "--engine chat=https://elsewhere: must be ENDPOINT=http://HOST:PORT, such as chat=http://127.0.0.1:8000",
        "--engine pair=http://user@127.0.0.1:8000/v2: must be ENDPOINT=http://HOST:PORT, "
        "such as pair=http://127.0.0.1:8000",
    ]


def test_a_taken_port_is_said(root: Path) -> None:
    """Before anything is fetched or built."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert [f"modelunits: port {port} is taken: choose another with --port"] == _said(
            root, "--port", str(port)
        )


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("gateway", "modelunits: test has no gateway: write `gateway` into stacks/Pulumi.test.yaml"),
        (
            "moderation",
            "modelunits: test has moderated endpoints and no judge: "
            "write `moderation` into stacks/Pulumi.test.yaml",
        ),
    ],
)
def test_a_stack_without_a_gateway_or_judge_is_not_served(root: Path, missing: str, expected: str) -> None:
    """It says what to write."""
    file = root / "stacks" / "Pulumi.test.yaml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.strip().startswith(f"{missing}:")))
    assert [expected] == _said(root)


def test_problems_of_the_stack_are_said_as_everywhere(root: Path) -> None:
    """With file, line and column."""
    file = root / "stacks" / "test" / "chat.yaml"
    file.write_text(file.read_text().replace("team: search", "team: seerch"))
    (said,) = _said(root)
    assert said.startswith("stacks/test/chat.yaml:3:7: team: ")
