"""Which Python runs a program or pack, and what is installed for it."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pulumi.runtime.proto import language_pb2


class InterpreterError(Exception):
    """The Python that the runtime options name cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python executable, and the virtual environment that it belongs to, if the options name one."""

    executable: Path
    virtual_env: Path | None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the variables a process of this Python runs with: the virtual environment activated."""
        variables = dict(base)
        if self.virtual_env:
            variables["VIRTUAL_ENV"] = str(self.virtual_env)
            variables["PATH"] = os.pathsep.join([str(self.executable.parent), base.get("PATH", "")])
            variables.pop("PYTHONHOME", None)
        return variables

    def installed(self) -> Iterator[Distribution]:
        """List the distributions that programs of this Python can import."""
        if self.virtual_env is None:
            return iter(distributions())
        folders = self.virtual_env.glob("lib/python*/site-packages")
        return iter(distributions(path=[str(folder) for folder in folders]))


def interpreter_of(info: language_pb2.ProgramInfo) -> Interpreter:
    """Choose as the official host does: option `virtualenv`, relative to the root, else our own Python."""
    option = info.options.fields["virtualenv"].string_value if "virtualenv" in info.options.fields else ""
    if not option:
        return Interpreter(executable=Path(sys.executable), virtual_env=None)
    virtual_env = Path(os.path.normpath(Path(info.root_directory) / option))
    executable = virtual_env / "bin" / "python"
    if not executable.exists():
        raise InterpreterError(
            f"no virtual environment at {virtual_env}: run make set-up, or correct `virtualenv`"
        )
    return Interpreter(executable=executable, virtual_env=virtual_env)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredPlugin:
    """A resource plugin that an installed Pulumi package needs."""

    name: str
    version: str
    server: str


def required_plugins(interpreter: Interpreter) -> list[RequiredPlugin]:
    """Read what installed Pulumi packages say in their `pulumi-plugin.json`."""
    found = []
    for distribution in interpreter.installed():
        package = distribution.metadata["Name"].replace("-", "_").lower()
        if not package.startswith("pulumi_"):
            continue
        path = Path(str(distribution.locate_file(package))) / "pulumi-plugin.json"
        if not path.is_file():
            continue
        plugin = json.loads(path.read_text(encoding="utf-8"))
        if plugin.get("resource"):
            found.append(
                RequiredPlugin(
                    name=plugin.get("name", package.removeprefix("pulumi_")),
                    version="v" + plugin.get("version", distribution.version).removeprefix("v"),
                    server=plugin.get("server", ""),
                )
            )
    return sorted(found, key=lambda plugin: plugin.name)
