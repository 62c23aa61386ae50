"""A Pulumi project as small as can be, run through the stand-ins or through the official plugins."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = """
name: tiny
main: infra/
runtime: {name: python, options: {toolchain: pip, virtualenv: VIRTUALENV}}
config:
  pulumi:disable-default-providers: {value: [kubernetes]}
  pulumi:autonaming: {value: {mode: disabled}}
"""

REGISTER_OBJECTS = """
import json
import os
from pathlib import Path

import pulumi
import pulumi_kubernetes

settings = json.loads(Path("../provider.json").read_text())
provider = pulumi_kubernetes.Provider("cluster", cluster_identifier="tests", **settings)
registered = {}
for name, given in json.loads(Path("../objects.json").read_text()).items():
    manifest, options = given["manifest"], given["options"]
    if given["secret"]:
        manifest = {**manifest, given["secret"]: pulumi.Output.secret(manifest[given["secret"]])}
    group = manifest["apiVersion"] if "/" in manifest["apiVersion"] else "core/" + manifest["apiVersion"]
    after = [registered[other] for other in options.pop("depends_on", [])]
    registered[name] = pulumi.CustomResource(
        f"kubernetes:{group}:{manifest['kind']}",
        name,
        manifest,
        pulumi.ResourceOptions(provider=provider, depends_on=after, **options),
    )
"""

COMMAND_SECONDS = 600
"""No command takes half a minute on an idle machine."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    output: str


class TinyProject:
    """A project whose program registers the objects it is given."""

    def __init__(self, root: Path, environment: Mapping[str, str], program: str = REGISTER_OBJECTS) -> None:
        self.root = root
        home, state = root / "home", root / "state"
        for folder in (home, state, root / "infra"):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **environment,
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
        }
        virtual_env = Path(sys.executable).parents[1]
        (root / "Pulumi.yaml").write_text(PROJECT.replace("VIRTUALENV", str(virtual_env)))
        (root / "infra" / "__main__.py").write_text(program)
        self.provider()
        self.objects({})

    def use_stand_ins(self) -> None:
        """Make the engine find our plugins, and no others."""
        self._plugin("language-python-v3.259.0", "pulumi-language-python", "infra.local.language_host")
        self._plugin(
            "resource-kubernetes-v4.34.2", "pulumi-resource-kubernetes", "infra.local.kubernetes_provider"
        )
        programs = self.root / "programs"
        programs.mkdir(exist_ok=True)
        pulumi = shutil.which("pulumi", path=self.environment["PATH"])
        assert pulumi
        (programs / "pulumi").symlink_to(Path(pulumi).resolve())
        self.environment["PATH"] = os.pathsep.join((str(programs), self.environment["PATH"]))
        self.environment["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"

    def _plugin(self, folder: str, command: str, module: str) -> None:
        path = Path(self.environment["PULUMI_HOME"]) / "plugins" / folder / command
        path.parent.mkdir(parents=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m {module} "$@"\n')
        path.chmod(0o755)

    def provider(self, **settings: object) -> None:
        """Set the provider's configuration."""
        (self.root / "provider.json").write_text(json.dumps(settings))

    def objects(self, objects: Mapping[str, object]) -> None:
        """Set the objects that the program registers: a manifest, or `given(...)` with options."""
        named = {name: item if "manifest" in item else given(item) for name, item in _mappings(objects)}
        (self.root / "objects.json").write_text(json.dumps(named))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a Pulumi command."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pulumi(self, *arguments: str) -> Finished:
        """Run a Pulumi command to its end."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=COMMAND_SECONDS)
        return Finished(process.returncode, output)

    def init(self) -> None:
        """Make the stack."""
        made = self.pulumi("stack", "init", "test")
        assert made.code == 0, made.output

    def up(self, *options: str) -> Finished:
        """Deploy, without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *options)

    def deployed(self, *options: str) -> str:
        """Deploy, which has to go well; return what it says."""
        done = self.up(*options)
        assert done.code == 0, done.output
        return done.output

    def planned(self, *options: str) -> dict[str, str]:
        """Preview; return what would be done to which object, for those that would change."""
        last = {step["urn"].rpartition("::")[2]: step["op"] for step in self._steps("--show-sames", *options)}
        return {name: op for name, op in last.items() if op != "same"}

    def _steps(self, *options: str) -> list[dict[str, str]]:
        """Preview; return its steps: of a refresh first, then those that would be taken."""
        done = self.pulumi("preview", "--json", *options)
        assert done.code == 0, done.output
        steps: list[dict[str, str]] = json.loads(done.output[done.output.index("{\n") :]).get("steps", [])
        return steps

    def changed_fields(self, name: str) -> set[str]:
        """Preview; return the fields of an object that would change."""
        step = next(step for step in self._steps() if step["urn"].endswith(f"::{name}"))
        return set(step.get("detailedDiff") or {})


def given(manifest: object, secret: str = "", **options: object) -> dict[str, object]:
    """Return an object for the program, with resource options; `secret` names a secret part of it."""
    return {"manifest": manifest, "secret": secret, "options": options}


def _mappings(objects: Mapping[str, object]) -> list[tuple[str, Mapping[str, object]]]:
    return [(name, item) for name, item in objects.items() if isinstance(item, Mapping)]
