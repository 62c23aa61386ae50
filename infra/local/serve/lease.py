"""The right to serve a stack on this machine, and leaving nothing behind."""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from infra.local import processes
from infra.local.serve.errors import ServeError
from infra.local.serve.place import ServeFolder

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_SECONDS = 2.0
"""Enough for what has something to write; engines would take longer, for nothing."""

KEPT = ("keys", "serve.lock", "logs")


class Told(BaseException):
    """Somebody has told this program to end.

    Why no Exception: as with KeyboardInterrupt, nothing on the way shall take it for an error.
    """

    def __init__(self, number: int) -> None:
        self.by_another_program = number == signal.SIGTERM
        super().__init__()


@contextmanager
def lease(folder: ServeFolder) -> Iterator[Path]:
    """Hold the right to serve a stack; give a folder for temporary files, and end every process at last.

    Why at the beginning too: a run that was killed leaves its processes running.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = f"; {folder.record} says where" if folder.record.exists() else ""
            raise ServeError(f"another run serves this stack{where}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _clean(folder, patience_seconds=0)
        shutil.rmtree(folder.path / "logs", ignore_errors=True)
        (folder.path / "logs").mkdir()
        # Sockets are made in it, whose paths may have 107 letters: not below the checkout.
        temporary = Path(tempfile.mkdtemp(prefix="modelunits-"))
        _temporary_link(folder).symlink_to(temporary)
        try:
            yield temporary
        finally:
            with _told_already():
                _clean(folder, patience_seconds=END_SECONDS)


@contextmanager
def ends_when_told() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into Told."""

    def tell(number: int, frame: FrameType | None) -> None:
        raise Told(number)

    before = {number: signal.signal(number, tell) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told_already() -> Iterator[None]:
    """Let nothing interrupt the end; it takes seconds."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def held(folder: ServeFolder) -> bool:
    """Tell whether a run serves the stack, or a killed one has left processes."""
    with suppress(FileNotFoundError), folder.lock.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return bool(processes.running(folder.path))
    return False


def end(folder: ServeFolder) -> None:
    """End the run that serves a stack, and what a killed one has left."""
    with suppress(FileNotFoundError), folder.lock.open() as lock:
        with suppress(ProcessLookupError, ValueError):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(int(lock.read()), signal.SIGTERM)
                fcntl.flock(lock, fcntl.LOCK_EX)
        _clean(folder, patience_seconds=0)


def _clean(folder: ServeFolder, patience_seconds: float) -> None:
    """End the processes of a run and remove its files, but keys and logs."""
    folder.record.unlink(missing_ok=True)
    processes.stop(folder.path, patience_seconds=patience_seconds)
    link = _temporary_link(folder)
    if link.is_symlink():
        with suppress(OSError):
            shutil.rmtree(link.readlink())
        link.unlink()
    for left in folder.path.iterdir():
        if left.name not in KEPT:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _temporary_link(folder: ServeFolder) -> Path:
    return folder.path / "temporary"
