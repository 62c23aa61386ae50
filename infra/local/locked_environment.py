"""A virtual environment with what one lock file names, made once in the cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.download import Unavailable
from infra.local.folders import cache_folder
from infra.local.progress import Progress
from infra.local.tool_cache import only_one

LAST_LINES = 5


def locked_environment(lock: Path, progress: Progress) -> Path:
    """Return the folder of the environment's programs; a changed lock makes a new one.

    Why a mark and not a rename: programs in a virtual environment hold its path.
    """
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:8]
    folder = cache_folder(os.environ) / f"{lock.stem}-{python}-{digest}"
    finished = folder / "finished"
    waiting = f"another run installs {lock.stem}"
    with only_one(folder.parent / f"{folder.name}.lock", lambda: progress.note(waiting)):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            with progress.step(f"install {lock.stem}"):
                _make(folder, lock)
            finished.touch()
    return folder / "bin"


def _make(folder: Path, lock: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options, "-r", str(lock)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable("\n".join((f"{' '.join(command)} failed:", *said[-LAST_LINES:])))
