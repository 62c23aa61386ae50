"""Find every program that a local run needs: installed, else cached, else published, else built with Go."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.local import tool_cache
from infra.local.download import Unavailable, download
from infra.local.folders import Folders
from infra.local.go_build import build
from infra.local.parts import PARTS, Part, compatible, version_in
from infra.local.progress import Progress, Step

Source = Literal["installed", "download", "go"]

SAYS = {"installed": "installed already", "download": "the official download", "go": "built with Go"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that is there."""

    part: Part
    path: Path
    source: str


def find_all(
    folders: Folders, progress: Progress, parts: Iterable[Part] = PARTS, *, offline: bool = False
) -> Mapping[str, Tool]:
    """Return every part's program, by name; what is not there yet is fetched or built."""
    wanted = tuple(parts)
    there = {part.name: find(folders, part) for part in wanted}
    missing = [part for part in wanted if there[part.name] is None]
    found = {name: tool for name, tool in there.items() if tool is not None}
    reachable = not offline
    for number, part in enumerate(missing, start=1):
        tool, reachable = _make(folders, part, progress, f"[{number} of {len(missing)}]", reachable)
        found[part.name] = tool
    return {part.name: found[part.name] for part in wanted}


def find(folders: Folders, part: Part) -> Tool | None:
    """Return a program that is installed or cached, or None."""
    installed = _installed(part)
    if installed is not None:
        return Tool(part=part, path=installed, source="installed")
    kept = tool_cache.cached(folders.tools, part)
    return Tool(part=part, path=kept[0], source=kept[1]) if kept else None


def _installed(part: Part) -> Path | None:
    """Return a compatible program on PATH, or Pulumi in its own folder."""
    if not part.version_arguments:
        return None
    places = [shutil.which(part.name)]
    if part.name == "pulumi":
        home = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
        places.append(shutil.which(part.name, path=str(home / "bin")))
    for place in places:
        if place and compatible(part, _version(place, part.version_arguments)):
            return Path(place).absolute()
    return None


def _version(program: str, arguments: tuple[str, ...]) -> str | None:
    try:
        said = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version_in(said.stdout) if said.returncode == 0 else None


def _make(
    folders: Folders, part: Part, progress: Progress, number: str, reachable: bool
) -> tuple[Tool, bool]:
    """Fetch or build one part; also tell whether published files could be reached."""
    lock = folders.tools / f".{part.name}-{part.version}.lock"
    title = f"{number} {part.name} {part.version}"
    with (
        progress.step(title) as step,
        tool_cache.only_one(lock, lambda: step.say("another run is at it; waiting")),
    ):
        made_meanwhile = find(folders, part)
        if made_meanwhile is not None:
            step.title = f"{title}: {SAYS[made_meanwhile.source]}"
            return made_meanwhile, reachable
        if reachable and part.release is not None:
            try:
                path = _download(folders, part, step)
                step.title = f"{title}: {SAYS['download']}"
                return Tool(part=part, path=path, source="download"), True
            except Unavailable as reason:
                progress.note(f"  no official download of {part.name}: {reason}")
                reachable = False
        step.say("building with Go")
        path = tool_cache.install(
            folders.tools, part, "go", lambda folder: build(part, folder, folders.cache, step)
        )
        step.title = f"{title}: {SAYS['go']}"
        return Tool(part=part, path=path, source="go"), reachable


def _download(folders: Folders, part: Part, step: Step) -> Path:
    step.say("asking for the official download")
    return tool_cache.install(folders.tools, part, "download", lambda folder: download(part, folder, step))
