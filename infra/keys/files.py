"""Files that others read while they are written: whole or not there, and never for more eyes than meant."""

import os
from pathlib import Path

PREFIX = "..unfinished-"
"""Of files that are being written; a key of a ConfigMap or Secret cannot begin with two dots."""


def put(file: Path, text: str, mode: int) -> None:
    """Write a file so that readers see all of it, or still the former one.

    Why a rename: Envoy watches for names that move into a folder.
    """
    unfinished = file.with_name(f"{PREFIX}{file.name}-{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as content:
            os.fchmod(content.fileno(), mode)  # whatever the umask
            content.write(text.encode())
            content.flush()
            os.fsync(content.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(file.parent)


def put_if_changed(file: Path, text: str, mode: int) -> bool:
    """Write a file where it says something else; tell whether it did."""
    try:
        if file.read_bytes() == text.encode():
            return False
    except FileNotFoundError:
        pass
    put(file, text, mode)
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: a revoked key must not come back."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
