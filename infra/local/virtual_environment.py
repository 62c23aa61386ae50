"""Make .venv: the Python packages of requirements.lock and this project itself. Needs only Python.

Run as a script by the Makefile: `virtual_environment.py` makes or updates it, `--remove` takes away what it
and the development tools have left in the checkout.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv"
STAMP = FOLDER / "modelunits.json"
UNFINISHED = FOLDER / "modelunits.unfinished"

LEFT_BEHIND = (
    "*.egg-info",
    "**/__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".import_linter_cache",
    ".coverage*",
    "build",
)
"""What git ignores and anyone can make again."""

LINE_EVERY_SECONDS = 10.0


def wanted() -> str:
    """Return a digest of everything that decides what is installed."""
    facts = [sys.version, str(ROOT)]
    facts += [(ROOT / name).read_text() for name in ("requirements.lock", "pyproject.toml")]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def make() -> None:
    """Make the environment what it should be; do nothing when it is so."""
    state = ROOT / ".modelunits"
    state.mkdir(exist_ok=True)
    with (state / "virtual-environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = json.loads(STAMP.read_text()) if STAMP.exists() else {}
        if stamp.get("wanted") == wanted():
            return
        ours = bool(stamp.get("ours")) or UNFINISHED.exists() or not FOLDER.exists()
        if ours and not stamp:
            say("making .venv")
            subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
            UNFINISHED.touch()
        STAMP.unlink(missing_ok=True)
        install()
        STAMP.write_text(json.dumps({"wanted": wanted(), "ours": ours}))
        UNFINISHED.unlink(missing_ok=True)


def install() -> None:
    """Install the locked packages, then the project, editable."""
    packages = sum("==" in line for line in (ROOT / "requirements.lock").read_text().splitlines())
    say("installing the packages of requirements.lock")
    began = time.monotonic()
    collected = pip("--require-hashes", "-r", "requirements.lock", count_to=packages)
    pip("-e", ".", "--no-deps")
    say(f"installed {collected} packages ({time.monotonic() - began:.0f}s)")


def pip(*arguments: str, count_to: int = 0) -> int:
    """Run pip install; say how many packages it has collected, where they count; return how many."""
    python = FOLDER / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    collected, said_at, tail = 0, time.monotonic(), list[str]()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            tail = [*tail[-30:], line]
            count_to -= line.startswith("Ignoring ")  # a package for another system or Python
            collected += line.startswith(("Collecting", "Requirement already satisfied"))
            if count_to > 0 and time.monotonic() - said_at > LINE_EVERY_SECONDS:
                said_at = time.monotonic()
                say(f"  {min(collected, count_to)} of {count_to} packages")
    if running.returncode:
        sys.stderr.write("".join(tail))
        sys.exit(f"pip {' '.join(arguments)} failed")
    return collected


def remove() -> None:
    """Remove the environment, if this script has made it, and what tools have left behind."""
    stamp = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if stamp.get("ours") or UNFINISHED.exists():
        shutil.rmtree(FOLDER)
    for pattern in LEFT_BEHIND:
        for path in ROOT.glob(pattern):
            if FOLDER not in path.parents:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(ROOT / ".modelunits", ignore_errors=True)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(
            f"Python 3.11, 3.12 or 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12"
        )
    os.chdir(ROOT)
    remove() if "--remove" in sys.argv else make()
