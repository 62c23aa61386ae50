"""The stand-in for the Python language host, under the real engine."""

import json
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from pulumi.runtime.proto import language_pb2

from infra.local import engine
from infra.local.folders import folders
from infra.local.language_host.interpreter import InterpreterError, interpreter_of, required_plugins
from infra.local.progress import Progress
from local.running import eventually
from local.tiny_project import TinyProject

ROOT = Path(__file__).parents[2]

PACK_SETTINGS = """
description: Tests
version: 0.1.0
runtime: {name: python, options: {toolchain: pip, virtualenv: VIRTUALENV}}
"""
PACK = """
import os
import sys

from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

print("pack in", os.path.basename(os.getcwd()), file=sys.stderr)

def units(args, report):
    if args.resource_type == "tiny:index:Endpoint" and args.props["units"] > 3:
        report("at most 3 units")

PolicyPack("tests", [ResourceValidationPolicy("units", "At most 3.", units, EnforcementLevel.MANDATORY)])
"""
ENDPOINT = """
import pulumi

class Endpoint(pulumi.ComponentResource):
    def __init__(self, name, props):
        super().__init__("tiny:index:Endpoint", name, props)
        self.register_outputs({})

Endpoint("chat", {"units": UNITS})
"""

Project = Callable[[str], TinyProject]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return what makes a project of a program, with the stand-ins in place."""

    def make(program: str) -> TinyProject:
        where = folders(ROOT)
        engine.prepare(where, Progress())
        made = TinyProject(tmp_path, engine.pulumi_environment(ROOT), program)
        made.use_stand_ins()
        made.init()
        return made

    return make


@pytest.mark.cluster
def test_a_program_runs_where_the_official_host_would_run_it(project: Project) -> None:
    """The working directory is the program's, its folder is importable, the root is the project's."""
    made = project(
        """
import os, sys
import pulumi
import beside
pulumi.export("directory", os.path.basename(os.getcwd()))
pulumi.export("path", sys.path[0])
pulumi.export("arguments", sys.argv)
pulumi.export("root", os.path.basename(pulumi.get_root_directory()))
pulumi.export("stack", pulumi.get_stack())
pulumi.export("greeting", pulumi.Config().require("greeting"))
pulumi.export("hush", pulumi.Config().require_secret("hush"))
pulumi.export("environment", "PULUMI_CONFIG" in os.environ)
"""
    )
    (made.root / "infra" / "beside.py").write_text("")
    made.pulumi("config", "set", "greeting", "hello")
    made.pulumi("config", "set", "--secret", "hush", "word")
    made.deployed()
    outputs = made.pulumi("stack", "output", "--json").output

    assert {
        "directory": "infra",
        "path": ".",
        "arguments": ["."],
        "root": made.root.name,
        "stack": "test",
        "greeting": "hello",
        "hush": "[secret]",
        "environment": True,
    } == json.loads(outputs)


@pytest.mark.cluster
def test_an_exception_is_shown_once_and_from_the_program_on(project: Project) -> None:
    """Nobody needs to read the frames of the host, nor that the program failed twice."""
    made = project('def fail():\n    raise ValueError("boom")\n\nfail()\n')
    done = made.pulumi("preview")

    assert done.code != 0
    assert done.output.count("ValueError: boom") == 1, done.output
    assert "Program exited" not in done.output
    assert "runpy" not in done.output
    assert "line 4, in <module>" in done.output


@pytest.mark.cluster
def test_an_error_that_was_logged_is_not_repeated_when_the_program_exits_with_32(project: Project) -> None:
    """A program says its problems itself, and exits with the code that means so."""
    made = project('import sys\nimport pulumi\npulumi.log.error("chat.yaml:7:11: too many")\nsys.exit(32)\n')
    done = made.pulumi("preview", "--suppress-progress")

    assert done.code != 0
    assert "an unhandled error occurred" not in done.output
    assert "chat.yaml:7:11: too many" in done.output


@pytest.mark.cluster
def test_a_run_error_is_shown_without_a_traceback(project: Project) -> None:
    """RunError is for people: its words, and that the program has failed."""
    made = project('import pulumi\nraise pulumi.RunError("plain words")\n')
    done = made.pulumi("preview")

    assert done.code != 0
    assert "error: plain words" in done.output
    assert "Program exited with non-zero exit code: 1" in done.output
    assert "Traceback" not in done.output


@pytest.mark.cluster
def test_a_missing_program_is_named(project: Project) -> None:
    """A folder without a program says which file is not there."""
    made = project("")
    (made.root / "infra" / "__main__.py").unlink()
    done = made.pulumi("preview")

    assert done.code != 0
    assert f"no program to run: {made.root / 'infra' / '__main__.py'} does not exist" in done.output


@pytest.mark.cluster
@pytest.mark.parametrize(("units", "code"), [(3, 0), (4, 1)])
def test_a_policy_pack_judges_the_program(project: Project, units: int, code: int) -> None:
    """A mandatory violation fails the preview; the pack runs in its own folder and may print."""
    made = project(ENDPOINT.replace("UNITS", str(units)))
    pack = made.root / "rules"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(PACK_SETTINGS.replace("VIRTUALENV", _virtual_env()))
    (pack / "__main__.py").write_text(PACK)
    done = made.pulumi("preview", "--policy-pack", str(pack))

    assert (code == 0) == (done.code == 0), done.output
    assert (code == 1) == ("at most 3 units" in done.output), done.output


@pytest.mark.cluster
def test_a_broken_policy_pack_fails_the_preview(project: Project) -> None:
    """What a pack prints before it dies reaches the user."""
    made = project(ENDPOINT.replace("UNITS", "1"))
    pack = made.root / "rules"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(PACK_SETTINGS.replace("VIRTUALENV", _virtual_env()))
    (pack / "__main__.py").write_text('raise ValueError("no rules today")\n')
    done = made.pulumi("preview", "--policy-pack", str(pack))

    assert done.code != 0
    assert "no rules today" in done.output


@pytest.mark.cluster
def test_a_program_ends_with_a_killed_engine(project: Project) -> None:
    """Nothing goes on registering resources for an engine that is gone."""
    made = project("import os, time\nopen('../pid', 'w').write(str(os.getpid()))\ntime.sleep(3600)\n")
    running = made.start("preview")
    eventually((made.root / "pid").exists, True)
    pid = int((made.root / "pid").read_text())
    running.send_signal(signal.SIGKILL)
    running.wait()

    eventually(lambda: _runs(pid), False)


@pytest.mark.cluster
def test_a_missing_virtual_environment_is_said_in_words(project: Project) -> None:
    """The message says where it was looked for."""
    made = project("")
    text = (made.root / "Pulumi.yaml").read_text().replace(_virtual_env(), "nowhere")
    (made.root / "Pulumi.yaml").write_text(text)
    done = made.pulumi("preview")

    assert done.code != 0
    assert f"no virtual environment at {made.root / 'nowhere'}" in done.output


@pytest.mark.cluster
def test_the_host_says_that_it_is_a_stand_in(project: Project) -> None:
    """Nobody takes it for the official one."""
    made = project("")

    assert "stand-in for Pulumi's Python language host" in made.pulumi("preview").output


def test_required_plugins_are_those_of_installed_packages() -> None:
    """The engine learns from the host that the program needs the Kubernetes provider, and its version."""
    info = language_pb2.ProgramInfo(root_directory=str(ROOT))
    info.options["virtualenv"] = _virtual_env()
    plugins = {plugin.name: plugin.version for plugin in required_plugins(interpreter_of(info))}

    assert {"kubernetes": "v" + version("pulumi_kubernetes")} == plugins


def test_a_virtual_environment_is_relative_to_the_project() -> None:
    """A pack's `../.venv` is looked for from the pack."""
    info = language_pb2.ProgramInfo(root_directory="/projects/fleet/policies")
    info.options["virtualenv"] = "../.no-venv"

    with pytest.raises(InterpreterError, match=r"no virtual environment at /projects/fleet/\.no-venv"):
        interpreter_of(info)


def _virtual_env() -> str:
    return str(Path(sys.executable).parents[1])


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
