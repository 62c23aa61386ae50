"""Put programs where the engine and people look for them, whole or not at all."""

import filecmp
import os
import shlex
import shutil
from pathlib import Path


def put(program: Path, place: Path) -> None:
    """Put a program in a second place: a link where the file system allows, else a copy."""
    if place.exists() and filecmp.cmp(program, place, shallow=True):
        return
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        os.link(program, unfinished)
    except OSError:
        shutil.copy2(program, unfinished)
    unfinished.replace(place)


def _script(words: tuple[str, ...]) -> str:
    # exec: a plugin has to see the engine as its parent, to end with it
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def runs(file: Path, *words: str) -> bool:
    """Tell whether a file is the command that runs another."""
    script = _script(words)
    return file.is_file() and file.stat().st_size == len(script) and file.read_text() == script


def write_command(file: Path, *words: str) -> None:
    """Write a command that runs another, whole or not at all."""
    if runs(file, *words):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(_script(words))
    unfinished.chmod(0o755)
    unfinished.replace(file)
