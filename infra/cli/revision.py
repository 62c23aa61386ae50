"""Another revision of the project, read out of git into a folder that is gone afterwards."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


class RevisionError(Exception):
    """Git has no such revision, or the project is in no repository."""


@contextmanager
def revision(root: Path, ref: str) -> Iterator[Path]:
    """Yield a folder that holds the project as it was at a git reference.

    Why `git archive`: it leaves the working tree, the index and the list of work trees as they are.
    """
    if not ref or ref.startswith("-"):
        raise RevisionError(f"{ref!r} is no git reference")
    archived = io.BytesIO(_archive(root, ref))
    with TemporaryDirectory(prefix="modelunits-") as folder:
        with tarfile.open(fileobj=archived) as archive:
            archive.extractall(folder, filter=_inside)
        yield Path(folder)


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Leave out what leads out of the folder, such as a link to elsewhere: no spec is there."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _archive(root: Path, ref: str) -> bytes:
    """Return the project's folder at a revision as a tar archive; paths in it are relative to the project."""
    try:
        done = subprocess.run(
            ["git", "archive", "--format=tar", ref], cwd=root, capture_output=True, check=False
        )
    except OSError as error:
        raise RevisionError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise RevisionError(f"git has no revision {ref!r}: {said}")
    return done.stdout
