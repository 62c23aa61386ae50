"""Keep programs by version in the cache folder: checksummed, whole or not there, one writer at a time."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.parts import Part
from infra.local.progress import Progress, Step

RECORD = "tool.json"


@contextmanager
def only_one(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file; where another run holds it, say so once and wait. A killed holder lets go."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, title: str, progress: Progress, make: Callable[[Step], None]) -> Path:
    """Return a folder that `make` fills, making it where no run has finished it yet.

    Why a mark and not a rename: programs in a virtual environment hold its path.
    """
    finished = folder / "finished"
    waiting = f"another run has begun to {title}"
    with only_one(folder.parent / f"{folder.name}.lock", lambda: progress.note(waiting)):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            with progress.step(title) as step:
                make(step)
            finished.touch()
    return folder


def folder_of(tools: Path, part: Part) -> Path:
    """Return the folder of one version of a part."""
    return tools / f"{part.name}-{part.version}"


def cached(tools: Path, part: Part) -> tuple[Path, str] | None:
    """Return a cached program and where it came from, or None where there is none or it has changed."""
    folder = folder_of(tools, part)
    try:
        record = json.loads((folder / RECORD).read_text())
        files: dict[str, dict[str, object]] = record["files"]
        whole = all(_unchanged(folder / name, facts) for name, facts in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (folder / part.name, str(record["source"])) if whole and part.name in files else None


def install(tools: Path, part: Part, source: str, fill: Callable[[Path], None]) -> Path:
    """Let `fill` write a part's files into a new folder and put it in place; call while holding the lock."""
    tools.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in tools.glob(f".{part.name}-{part.version}-*"):
        shutil.rmtree(left_by_a_killed_run)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{part.name}-{part.version}-", dir=tools))
    try:
        fill(unfinished)
        files = {str(file.relative_to(unfinished)): _facts(file) for file in sorted(unfinished.rglob("*"))}
        (unfinished / RECORD).write_text(json.dumps({"source": source, "files": files}, indent=1))
        folder = folder_of(tools, part)
        if folder.exists():
            # A folder cannot be renamed over another; programs that run from the old one keep running.
            shutil.rmtree(folder)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder / part.name


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _facts(file: Path) -> dict[str, object]:
    with file.open("rb") as content:
        os.fsync(content.fileno())
    status = file.stat()
    return {"sha256": sha256_of(file), "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _unchanged(file: Path, facts: dict[str, object]) -> bool:
    """Tell whether a file is what was installed; reads it only where its size or date differ."""
    status = file.stat()
    if (status.st_size, status.st_mtime_ns) == (facts["size"], facts["mtime_ns"]):
        return True
    return sha256_of(file) == facts["sha256"]
