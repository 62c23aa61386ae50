"""The Redis program: an installed one, else Debian's."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.debian import library_environment, unpacked
from infra.local.download import Unavailable
from infra.local.progress import Progress

PROGRAM = "redis-server"
PACKAGES = ("redis-tools", "redis-server", "libjemalloc2", "liblzf1")
"""redis-tools has the program, under another name; the libraries are those that few machines have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """The program, and what it needs in its environment."""

    program: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    source: str

    def command(self, folder: Path, port: int) -> tuple[str, ...]:
        """Return the command that serves a port of loopback and keeps nothing."""
        return (
            str(self.program),
            *("--bind", "127.0.0.1"),
            *("--port", str(port)),
            *("--dir", str(folder)),
            *("--save", ""),
            *("--appendonly", "no"),
        )


def redis(progress: Progress) -> Redis:
    """Return Redis; Unavailable where there is none, and none can be fetched."""
    installed = shutil.which(PROGRAM)
    if installed:
        return Redis(program=Path(installed), source="installed already")
    try:
        folder = unpacked(PACKAGES, progress)
    except Unavailable as reason:
        raise Unavailable(f"install Redis ({PROGRAM}); it could not be fetched: {reason}") from None
    return Redis(
        program=folder / "usr" / "bin" / PROGRAM,
        environment=library_environment(folder),
        source="from Debian's packages",
    )
