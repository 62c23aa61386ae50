"""Official pieces of Pulumi are used wherever they can be had; the stand-ins fill the gaps."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import engine, up
from infra.local.commands import write_command
from infra.local.engine import LANGUAGE_HOST, PROVIDER, PROVIDER_PLUGIN, pulumi_environment
from infra.local.folders import Folders, folders
from infra.local.parts import Part
from infra.local.progress import Progress

STAND_IN_HOST = f'#!/bin/sh\nexec {sys.executable} -P -m infra.local.language_host "$@"\n'
STAND_IN_PROVIDER = f'#!/bin/sh\nexec {sys.executable} -P -m infra.local.kubernetes_provider "$@"\n'


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """A checkout with nothing installed, on an offline machine where Go builds whatever it is asked for."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setattr("infra.local.toolchain.download", _no_download)
    monkeypatch.setattr("infra.local.toolchain.build", _fake_build)
    return folders(tmp_path / "checkout", {"MODELUNITS_CACHE": str(tmp_path / "cache")})


def _no_download(part: Part, *_: object) -> None:
    raise engine.Unavailable(f"{part.name} is not to be had")


def _fake_build(part: Part, folder: Path, *_: object) -> None:
    _program(folder / part.name, "built")


def _program(file: Path, says: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {says}\n")
    file.chmod(0o755)


def _prepare(where: Folders) -> tuple[str, ...]:
    return engine.prepare(where, Progress(io.StringIO())).lines()


def _provider(where: Folders) -> Path:
    return where.pulumi_home / "plugins" / PROVIDER_PLUGIN / PROVIDER


def test_offline_pulumi_is_built_and_both_stand_ins_take_their_places(where: Folders) -> None:
    """The language host is beside the engine, which warns about one elsewhere; each piece says what it is."""
    lines = _prepare(where)
    assert (STAND_IN_HOST, STAND_IN_PROVIDER) == (
        (where.programs / LANGUAGE_HOST).read_text(),
        _provider(where).read_text(),
    )
    assert (where.programs / "pulumi").samefile(where.tools / "pulumi-3.259.0" / "pulumi")
    assert [
        "pulumi 3.259.0: built with Go",
        "Python language host: a stand-in of this project, as pulumi built with Go has none beside it",
        "Kubernetes provider 4.34.2: a stand-in of this project, as there is no official download: "
        "pulumi-resource-kubernetes is not to be had",
    ] == list(lines)


def test_an_ordinary_installation_is_used_as_it_is(where: Folders, tmp_path: Path) -> None:
    """Engine, language host and provider of the user; no stand-in is written."""
    _program(tmp_path / "path" / "pulumi", "v3.260.0")
    _program(tmp_path / "path" / LANGUAGE_HOST, "official")
    _program(tmp_path / "pulumi" / "plugins" / PROVIDER_PLUGIN / PROVIDER, "official")
    lines = _prepare(where)
    assert [
        "pulumi 3.259.0: installed already",
        "Python language host: comes with pulumi",
        "Kubernetes provider 4.34.2: installed already",
    ] == list(lines)
    assert not (where.programs / LANGUAGE_HOST).exists()
    said = [
        subprocess.run([file], capture_output=True, text=True, check=True).stdout
        for file in (where.programs / "pulumi", _provider(where))
    ]
    assert ["v3.260.0\n", "official\n"] == said


def test_stand_ins_leave_when_the_official_ones_come(where: Folders, tmp_path: Path) -> None:
    """A later installation wins over what was put in place before."""
    _prepare(where)
    _program(tmp_path / "path" / LANGUAGE_HOST, "official")
    _program(tmp_path / "path" / PROVIDER, "official")
    _prepare(where)
    assert not (where.programs / LANGUAGE_HOST).exists()
    assert not _provider(where).exists()


def test_nothing_changes_the_second_time(where: Folders) -> None:
    """Files that are right are not written again."""
    _prepare(where)
    files = [where.programs / "pulumi", where.programs / LANGUAGE_HOST, _provider(where)]
    before = [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]
    _prepare(where)
    assert before == [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]


def test_the_environment_keeps_the_users_own_pulumi_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home, backend, kubeconfig and what kubectl keeps are of the checkout; our programs come first, once."""
    where = folders(tmp_path)
    monkeypatch.setenv("PATH", f"{where.programs}:/bin")
    environment = pulumi_environment(tmp_path)
    expected = {
        "PATH": f"{where.programs}:/bin",
        "PULUMI_HOME": str(tmp_path / ".modelunits/pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/.modelunits/state",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "KUBECONFIG": str(tmp_path / ".modelunits/cluster/kubeconfig.yaml"),
        "KUBECACHEDIR": str(tmp_path / ".modelunits/cluster/kubectl-cache"),
    }
    assert expected == {name: environment[name] for name in expected}


def test_a_command_passes_arguments_on_as_they_are(tmp_path: Path) -> None:
    """Also those with spaces and quotes."""
    write_command(tmp_path / "say", sys.executable, "-c", "import sys; print(sys.argv[1:])", "it's fixed")
    said = subprocess.run([tmp_path / "say", "a b", '"'], capture_output=True, text=True, check=True).stdout
    assert f"{['it' + chr(39) + 's fixed', 'a b', chr(34)]}\n" == said


@pytest.mark.parametrize(
    ("locks", "expected"),
    [
        ([], False),
        (["dead"], True),
        (["alive"], False),
        (["dead", "alive"], False),
        (["elsewhere"], False),
    ],
)
def test_only_locks_of_ended_processes_of_this_machine_are_opened(
    where: Folders, locks: list[str], expected: bool
) -> None:
    """A `pulumi up` that still runs, here or on another machine, keeps its lock."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    facts = {
        "dead": {"pid": ended.pid, "hostname": socket.gethostname()},
        "alive": {"pid": os.getpid(), "hostname": socket.gethostname()},
        "elsewhere": {"pid": ended.pid, "hostname": "another"},
    }
    folder = where.pulumi_state / ".pulumi/locks/organization/modelunits/local"
    folder.mkdir(parents=True)
    for name in locks:
        (folder / f"{name}.json").write_text(json.dumps(facts[name]))
    assert expected == up.locked_by_the_dead(where)
