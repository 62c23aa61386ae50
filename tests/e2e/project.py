"""A project in a folder of its own, and the commands that people type in it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.check import check_stack
from infra.plan.model import Plan

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "project"
PACK = ("--policy-pack", str(ROOT / "policies"))

NOTHING: Mapping[str, str] = {}

COMMAND_SECONDS = 600
"""No command of these tests takes a minute on an idle machine."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    output: str


class Project:
    """A copy of a project, the small one for tests unless said otherwise, which tests may edit."""

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        files: Path = FILES,
        stacks: Sequence[str] = ("first", "second"),
    ) -> None:
        """Copy a project to a folder; program and Python are those of this checkout."""
        self.root = root
        self.environment = environment
        for folder in ("stacks", "templates"):
            shutil.copytree(files / folder, root / folder)
        shutil.copy(files / "Pulumi.yaml", root)
        for name in ("infra", "policies", ".venv"):
            (root / name).symlink_to(ROOT / name)
        for stack in stacks:
            begun = self.pulumi("stack", "init", stack)
            assert begun.code == 0, begun.output
        self._written = self._texts()

    def _texts(self) -> dict[Path, str]:
        folders = (self.root / "stacks", self.root / "templates")
        return {path: path.read_text() for folder in folders for path in folder.rglob("*.yaml")}

    def restore(self) -> bool:
        """Make the files what they were; tell whether they were different."""
        now = self._texts()
        for path in now.keys() - self._written.keys():
            path.unlink()
        for path, text in self._written.items():
            path.write_text(text)
        return now != self._written

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that a file has once."""
        path = self.root / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} must have {old!r} once"
        path.write_text(text.replace(old, new))

    def pulumi(self, command: str, *options: str, **variables: str) -> Finished:
        """Run a Pulumi command to its end."""
        return self.run(["pulumi", command, *options, "--non-interactive", "--color=never"], variables)

    def up(self, stack: str = "first", *options: str, **variables: str) -> Finished:
        """Deploy a stack, without asking and without a preview of its own."""
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", stack, *options, **variables)

    def preview(self, stack: str = "first", *options: str) -> Finished:
        """Preview a stack."""
        return self.pulumi("preview", "--stack", stack, *options)

    def modelunits(self, *arguments: str) -> Finished:
        """Run our own command."""
        return self.run([str(Path(sys.executable).parent / "modelunits"), *arguments])

    def plan(self, stack: str = "first") -> Plan:
        """Return the plan of a stack, which must have no problems."""
        return check_stack(self.root, stack, date.today()).usable_plan()

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, command: Sequence[str], variables: Mapping[str, str] = NOTHING) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode())


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and everything that it started, as a crash of the machine would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
