"""Take programs out of Debian's packages without being root: fetched by apt-get, unpacked in the cache."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.local.download import Unavailable
from infra.local.folders import architecture, cache_folder
from infra.local.progress import Progress, Step
from infra.local.tool_cache import made_once


def unpacked(packages: Sequence[str], progress: Progress) -> Path:
    """Return the folder of the packages' files, as they would lie below `/`; Unavailable where none come.

    Why the names alone: within one Debian release a package changes only for security.
    """
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not here to fetch Debian's {' and '.join(packages)}")
    folder = _folder(packages)

    def make(step: Step) -> None:
        folder.mkdir(parents=True)
        _fetch(packages, folder, step)
        for package in sorted(folder.glob("*.deb")):
            _run(["dpkg", "--extract", str(package), str(folder)], folder)
            package.unlink()

    return made_once(folder, f"fetch {packages[0]} from Debian", progress, make)


def library_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which an unpacked program finds the libraries unpacked beside it."""
    places = [str(place) for place in (folder / "usr" / "lib").glob("*-linux-gnu*")]
    inherited = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": ":".join([*places, *([inherited] if inherited else [])])}


def _folder(packages: Sequence[str]) -> Path:
    release = Path("/etc/debian_version")
    version = release.read_text().strip().partition(".")[0].replace("/", "-") if release.exists() else "any"
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    return cache_folder(os.environ) / "debian" / f"{packages[0]}-{version}-{architecture()}-{digest}"


def _fetch(packages: Sequence[str], folder: Path, step: Step) -> None:
    """Download packages; where the machine's own lists know none, read the lists into a folder of ours."""
    step.say("asking apt-get")
    try:
        _run(["apt-get", "--quiet", "download", *packages], folder)
    except Unavailable:
        lists = folder / "lists"
        options = [
            f"--option=Dir::State::lists={lists}",
            f"--option=Dir::Cache={lists}",
            "--option=APT::Sandbox::User=",
        ]
        (lists / "partial").mkdir(parents=True)
        step.say("reading Debian's lists of packages")
        _run(["apt-get", "--quiet", *options, "update"], folder)
        _run(["apt-get", "--quiet", *options, "download", *packages], folder)
        shutil.rmtree(lists)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{' '.join(command)} failed: {' '.join(said[-3:])}")
