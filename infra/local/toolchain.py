"""Find every program that a local run needs: installed, else cached, else published, else built with Go."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.local import tool_cache
from infra.local.download import Unavailable, Unreachable, download
from infra.local.folders import Folders
from infra.local.go_build import build
from infra.local.parts import PARTS, Part, compatible, version_in
from infra.local.progress import Progress, Step

SAYS = {"installed": "installed already", "download": "the official download", "go": "built with Go"}
"""Where a program came from, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that is there."""

    part: Part
    path: Path
    source: str

    def says(self) -> str:
        """Return what it is and where it came from, for people."""
        return f"{self.part.name} {self.part.version}: {SAYS[self.source]}"


@dataclass(slots=True)
class Toolchain:
    """Finds programs, one after the other, and remembers which hosts do not answer."""

    folders: Folders
    progress: Progress
    unreachable: set[str] = field(default_factory=set)

    def find_all(self, parts: Iterable[Part] = PARTS) -> Mapping[str, Tool]:
        """Return every part's program, by name; what is not there yet is fetched or built."""
        wanted = tuple(parts)
        found = {part.name: find(self.folders, part) for part in wanted}
        missing = [part for part in wanted if found[part.name] is None]
        for number, part in enumerate(missing, start=1):
            found[part.name] = self.make(part, f"[{number} of {len(missing)}] ")
        return {name: tool for name, tool in found.items() if tool is not None}

    def make(self, part: Part, number: str = "") -> Tool:
        """Fetch or build one part that is not there; Unavailable where there is no way."""
        lock = self.folders.tools / f".{part.name}-{part.version}.lock"
        title = f"{number}{part.name} {part.version}"
        with (
            self.progress.step(title) as step,
            tool_cache.only_one(lock, lambda: step.say("another run is at it; waiting")),
        ):
            # Another run may have made it while this one waited.
            tool = find(self.folders, part) or self._download(part, step) or self._build(part, step)
            step.finish(f"{number}{tool.says()}")
        return tool

    def _download(self, part: Part, step: Step) -> Tool | None:
        if part.release is None:
            return None
        if self.unreachable & {urlsplit(at).hostname for at in (part.release.url, part.release.checksums)}:
            return None
        step.say("asking for the official download")
        try:
            path = tool_cache.install(
                self.folders.tools, part, "download", lambda folder: download(part, folder, step)
            )
        except Unavailable as reason:
            if isinstance(reason, Unreachable):
                self.unreachable.add(reason.host)
            if part.go_folder is None:
                raise
            self.progress.note(f"  {part.name}: no official download: {reason}")
            return None
        return Tool(part=part, path=path, source="download")

    def _build(self, part: Part, step: Step) -> Tool:
        if part.go_folder is None:
            raise Unavailable("the host that publishes it cannot be reached")
        step.say("building with Go")
        path = tool_cache.install(
            self.folders.tools, part, "go", lambda folder: build(part, folder, self.folders.cache, step)
        )
        return Tool(part=part, path=path, source="go")


def find(folders: Folders, part: Part) -> Tool | None:
    """Return a program that is installed or cached, or None."""
    installed = _installed(folders, part)
    if installed is not None:
        return Tool(part=part, path=installed, source="installed")
    kept = tool_cache.cached(folders.tools, part)
    return Tool(part=part, path=kept[0], source=kept[1]) if kept else None


def user_pulumi_home(folders: Folders) -> Path | None:
    """Return the folder of the user's own Pulumi, or None while PULUMI_HOME names this checkout's."""
    home = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
    return None if home.resolve() == folders.pulumi_home else home


def search_path(folders: Folders) -> str:
    """Return PATH without this checkout's own programs, which would look installed."""
    places = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(place for place in places if Path(place).resolve() != folders.programs)


def _installed(folders: Folders, part: Part) -> Path | None:
    """Return a compatible program on PATH, or Pulumi in its own folder."""
    if not part.version_arguments:
        return None
    places = [shutil.which(part.name, path=search_path(folders))]
    home = user_pulumi_home(folders)
    if part.name == "pulumi" and home is not None:
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
