"""A virtual environment with what one lock file names, made once in the cache folder."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from infra.local.download import Unavailable
from infra.local.folders import cache_folder
from infra.local.progress import Progress
from infra.local.tool_cache import made_once

LAST_LINES = 5


def locked_environment(lock: Path, progress: Progress) -> Path:
    """Return the folder of the environment's programs; a changed lock makes a new one."""
    folder = environment_folder(lock.stem, lock)
    return made_once(folder, f"install {lock.stem}", progress, lambda _: _make(folder, lock)) / "bin"


def environment_folder(name: str, *locks: Path) -> Path:
    """Return where an environment for this Python is kept that some lock files describe."""
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:8]
    return cache_folder(os.environ) / f"{name}-{python}-{digest}"


def _make(folder: Path, lock: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options, "-r", str(lock)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable("\n".join((f"{' '.join(command)} failed:", *said[-LAST_LINES:])))
