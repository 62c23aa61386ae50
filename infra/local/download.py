"""Fetch a published program and check it against the publisher's checksum."""

import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from infra.local.folders import architecture, operating_system
from infra.local.parts import Part, Release
from infra.local.progress import Step
from infra.local.tool_cache import sha256_of

CONNECT_SECONDS = 5.0
"""A machine without internet falls through to the Go build this fast."""

CHUNK_BYTES = 1 << 20


class Unavailable(Exception):  # noqa: N818 - not an error: the next way is tried
    """A release cannot be had here; says why."""


class Unreachable(Unavailable):
    """The place that publishes a release does not answer."""

    def __init__(self, address: str, reason: object) -> None:
        self.host = urlsplit(address).hostname or address
        super().__init__(f"{self.host} cannot be reached ({reason})")


def publishes_for_this_machine(release: Release) -> bool:
    """Tell whether there is a release for this operating system and processor."""
    return operating_system() in release.systems and architecture() in dict(release.architectures)


def release_addresses(release: Release) -> tuple[str, str]:
    """Return the addresses of a release and of its checksums for this machine."""
    names = {"os": operating_system(), "arch": dict(release.architectures)[architecture()]}
    return release.url.format(**names), release.checksums.format(**names)


def download(part: Part, folder: Path, step: Step) -> None:
    """Put the published files of a part into a folder, checked."""
    if part.release is None or not publishes_for_this_machine(part.release):
        raise Unavailable(f"not published for {operating_system()} on {architecture()}")
    address, checksums = release_addresses(part.release)
    name = PurePosixPath(address).name
    archive = folder / name
    expected = checksum_in(_read(checksums), name)
    _fetch(address, archive, step)
    if sha256_of(archive) != expected:
        raise Unavailable(f"{address}: its SHA-256 is not the published one, {expected}")
    if name.endswith(".tar.gz"):
        _unpack(archive, folder)
        archive.unlink()
    else:
        archive.chmod(0o755)
    if not (folder / part.name).is_file():
        raise Unavailable(f"{address}: holds no {part.name}")


def checksum_in(listed: str, name: str) -> str:
    """Return the SHA-256 of a file in a list of checksums, or the only one there."""
    for line in listed.splitlines():
        digest, _, file = line.strip().partition(" ")
        if re.fullmatch(r"[0-9a-f]{64}", digest) and file.strip(" *") in ("", name):
            return digest
    raise Unavailable(f"no SHA-256 of {name} is published")


def _read(address: str) -> str:
    with _open(address) as answer:
        text: bytes = answer.read(CHUNK_BYTES)
    return text.decode(errors="replace")


def _fetch(address: str, target: Path, step: Step) -> None:
    with _open(address) as answer, target.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        fetched = 0
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            fetched += len(chunk)
            of = f" of {size >> 20}" if size else ""
            step.say(f"fetched {fetched >> 20}{of} MiB")


@contextmanager
def _open(address: str) -> Iterator[HTTPResponse]:
    try:
        with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        raise Unavailable(f"{address} answers {error.code} {error.reason}") from error
    except OSError as error:
        raise Unreachable(address, getattr(error, "reason", error)) from error


def _unpack(archive: Path, folder: Path) -> None:
    """Put the programs of an archive side by side, whatever folder it holds them in."""
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member) if member.isfile() and member.mode & 0o100 else None
            if content is not None:
                target = folder / PurePosixPath(member.name).name
                target.write_bytes(content.read())
                target.chmod(0o755)
