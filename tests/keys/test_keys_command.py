"""`modelunits keys` on one machine: a key is shown once, listed without itself, and revoked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from keys.answering import answering
from typer.testing import CliRunner

from infra.cli.keys_text import use_text
from infra.cli.main import app
from infra.keys.last_used import LAST_REQUEST

ENVIRONMENT = """
config:
  modelunits:environment:
    nodes: existing
    machines: {h100-8: {max: 1}}
    teams: {search: {}, vision: {}}
"""

Keys = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose only endpoint is wrong: keys do not care."""
    (tmp_path / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    (tmp_path / "stacks" / "dev").mkdir(parents=True)
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(ENVIRONMENT)
    (tmp_path / "stacks" / "dev" / "chat.yaml").write_text("model: none\n")
    return tmp_path


@pytest.fixture
def keys(project: Path) -> Keys:
    """Run `modelunits keys` in the project."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments, "--root", str(project)])

    return run


@pytest.fixture
def create(keys: Keys) -> Callable[[str], dict[str, str]]:
    """Create a key of the team search as a script does."""

    def one(description: str) -> dict[str, str]:
        arguments = ("--team", "search", "--description", description, "--local", "--format", "json")
        made: dict[str, str] = json.loads(keys("create", "dev", *arguments).stdout)
        return made

    return one


def serve(project: Path, server: str) -> None:
    """Write what a running gateway of this machine writes."""
    folder = project / ".modelunits" / "serve" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"metrics": f"{server}/stats/prometheus", "base_url": "http://127.0.0.1:8080/v1"}
    (folder / "serve.json").write_text(json.dumps(facts))


def used(key_id: str, seconds: int) -> str:
    """Return what a gateway says about a key."""
    return f'{LAST_REQUEST}{{modelunits_key="search.{key_id}"}} {seconds}\n'


def test_a_key_is_shown_once(project: Path, keys: Keys) -> None:
    """With commands that try it; the list and the book never show it again."""
    serve(project, "http://127.0.0.1:9")

    shown = keys("create", "dev", "--team", "search", "--description", "[b]batch[/b] jobs", "--local")

    assert 0 == shown.exit_code, shown.stderr
    lines = shown.stdout.splitlines()
    key_id, secret = lines[0].split()[1], lines[2].strip()
    assert secret.startswith("mu-")
    assert 46 == len(secret)
    assert "  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1" in lines
    assert f"  export OPENAI_API_KEY={secret}" in lines
    listed = keys("list", "dev", "--local")
    assert "Keys of dev on this machine" in listed.stdout
    row = next(line for line in listed.stdout.splitlines() if key_id in line)
    assert ["search", "[b]batch[/b]", "jobs"] == row.split()[1:4]
    assert row.rstrip().endswith("  -")
    assert secret not in listed.stdout + keys("list", "dev", "--local", "--format", "json").stdout
    assert secret not in (project / ".modelunits/serve/dev/keys/book.json").read_text()


def test_a_key_without_a_gateway_says_how_to_start_one(keys: Keys) -> None:
    """Nothing on the page could be copied into a shell and do harm."""
    shown = keys("create", "dev", "--team", "search", "--description", "batch", "--local").stdout

    assert "It works once `modelunits local serve dev` runs, which shows its base URL." in shown
    assert "within seconds" not in shown
    assert "export" not in shown


@pytest.mark.parametrize(
    ("inside", "told"),
    [(True, "API inside the cluster; outside of it nobody knows this name:"), (False, "API:")],
)
def test_a_name_that_only_the_cluster_knows_is_called_so(inside: bool, told: str) -> None:
    """Who copies the commands into a shell of their own machine is warned."""
    shown = use_text("http://gateway.modelunits-dev.svc/v1", "mu-one", inside=inside)

    assert shown.splitlines()[0].endswith(told)
    assert "  export OPENAI_BASE_URL=http://gateway.modelunits-dev.svc/v1" in shown.splitlines()


def test_scripts_get_json(project: Path, keys: Keys, create: Callable[[str], dict[str, str]]) -> None:
    """The key and its address when it is created; later everything but the key."""
    made = create("batch")

    assert {"id", "team", "description", "created", "key", "base_url"} == set(made)
    assert made["base_url"] is None
    with answering({"/stats/prometheus": used(made["id"], 1_763_726_400)}) as server:
        serve(project, server)
        listed = json.loads(keys("list", "dev", "--local", "--format", "json").stdout)
    del made["key"], made["base_url"]
    assert [{**made, "last_used": "2025-11-21T12:00:00+00:00"}] == listed


def test_a_full_team_is_told_which_key_to_revoke(
    project: Path, keys: Keys, create: Callable[[str], dict[str, str]]
) -> None:
    """Keys that nobody used come first, then those that were used longest ago."""
    made = [create(f"use {number}") for number in range(5)]
    told = used(made[0]["id"], 1_763_726_400) + used(made[2]["id"], 1_763_640_000)
    with answering({"/stats/prometheus": told}) as server:
        serve(project, server)
        refused = keys("create", "dev", "--team", "search", "--description", "more", "--local")

    first, *rows = refused.stderr.splitlines()
    assert 1 == refused.exit_code
    assert (
        "modelunits: team search has 5 keys and may have 5: revoke one first, "
        "`modelunits keys revoke dev --local ID`"
    ) == first
    assert [made[number]["id"] for number in (1, 3, 4, 2, 0)] == [row.split()[0] for row in rows]
    assert "last used -, created " in rows[0]
    assert "last used 2025-11-20 12:00, created " in rows[3]
    assert rows[4].endswith(": use 0")
    assert not [one["key"] for one in made if one["key"] in refused.output]


def test_a_revoked_key_is_gone(keys: Keys, create: Callable[[str], dict[str, str]]) -> None:
    """It says when that takes effect; a second time there is no such key."""
    key_id = create("batch")["id"]

    revoked = keys("revoke", "dev", key_id, "--local")
    again = keys("revoke", "dev", key_id, "--local")

    assert (
        f"key {key_id} is revoked: within seconds no request with it is taken; streams that run go on\n"
    ) == revoked.stdout
    assert (1, f"modelunits: no key '{key_id}'; allowed: none\n") == (again.exit_code, again.stderr)
    assert "dev has no keys on this machine\n" == keys("list", "dev", "--local").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("create", "dev", "--team", "serach", "--description", "", "--local"),
            "modelunits: --team: no team 'serach' in the environment; allowed: search, vision; did you mean "
            "search?; --description: is required: say who uses the key, for what\n",
        ),
        (
            ("list", "dve", "--local"),
            "stacks/Pulumi.dve.yaml:1:1: no such stack; allowed: dev; did you mean dev? [unknown-stack]\n",
        ),
        (
            ("list", "dev"),
            "modelunits: dev has no gateway, so nobody would ask for keys: write `gateway` into "
            "stacks/Pulumi.dev.yaml, or use --local\n",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(keys: Keys, arguments: tuple[str, ...], message: str) -> None:
    """With what is allowed, and the nearest to what was written."""
    refused = keys(*arguments)

    assert (1, "", message) == (refused.exit_code, refused.stdout, refused.stderr)


def test_a_damaged_store_ends_the_command_with_a_line(project: Path, keys: Keys) -> None:
    """No traceback, which could hold a key."""
    folder = project / ".modelunits/serve/dev/keys"
    folder.mkdir(parents=True)
    (folder / "keys.json").write_text("{")

    refused = keys("list", "dev", "--local")

    assert 1 == refused.exit_code
    assert refused.stderr.startswith(f"modelunits: {folder}: keys.json is not a file of keys; nothing was ")


def test_a_cluster_that_cannot_be_reached_is_a_line(
    project: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context that is missing is named."""
    (project / "stacks" / "Pulumi.dev.yaml").write_text(
        f"{ENVIRONMENT}    cluster: {{context: prod-gpu}}\n    gateway: {{image: example}}\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(project / "none"))

    refused = keys("list", "dev")

    assert 1 == refused.exit_code
    assert refused.stderr.startswith("modelunits: cannot use the kubeconfig context prod-gpu: ")
    assert 1 == refused.stderr.count("\n")
