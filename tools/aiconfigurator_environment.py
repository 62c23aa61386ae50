"""A virtual environment with NVIDIA's kernel tables, made once in the cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.folders import cache_folder
from infra.local.progress import Progress
from infra.local.tool_cache import only_one

LOCK = Path(__file__).with_name("aiconfigurator.lock")


def aiconfigurator_python(progress: Progress) -> Path:
    """Return the interpreter of the environment, making the environment where it is not there yet."""
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    folder = cache_folder(os.environ) / f"aiconfigurator-{python}-{digest}"
    finished = folder / "finished"
    with only_one(folder.parent / f"{folder.name}.lock", lambda: progress.note("another run installs it")):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            with progress.step("install NVIDIA's kernel tables (aiconfigurator-core)") as step:
                subprocess.run([sys.executable, "-m", "venv", folder], check=True)
                pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
                pip += ["--disable-pip-version-check", "--require-hashes", "-r", LOCK]
                subprocess.run(pip, check=True)
                step.say("installed")
            finished.touch()
    return folder / "bin" / "python"
