"""`modelunits render`: the manifests of a stack as files."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.arguments import AsOf, Root, StackName, checked_or_fail, day_of, fail
from infra.render.files import files

WRITTEN = ".modelunits-files"
"""Lists the files that this command wrote into a folder: only those may it change or remove."""


def render(
    stack: StackName,
    root: Root,
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.", file_okay=False)],
    as_of: AsOf = None,
) -> None:
    """Write every Kubernetes object of a stack to a file of its own, for Argo CD or Flux to apply."""
    texts = files(checked_or_fail(root, stack, day_of(root, stack, as_of)).manifests)
    written = _written_before(out)
    foreign = [path for path in texts if path not in written and _differs(out / path, texts[path])]
    if foreign:
        fail(f"{out / foreign[0]} is not a file of this command; remove it or choose another folder")
    changed = sum(_write(out / path, text) for path, text in texts.items())
    stale = sorted(written - texts.keys())
    for path in stale:
        _remove(out, path)
    _write(out / WRITTEN, "".join(f"{path}\n" for path in texts))
    typer.echo(f"{out}: {len(texts)} files, {changed} changed, {len(stale)} removed")


def _written_before(out: Path) -> set[str]:
    try:
        listed = (out / WRITTEN).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    # The list may have been edited: nothing outside the folder is ours.
    return {path for path in listed if (out / path).resolve().is_relative_to(out.resolve())}


def _differs(file: Path, text: str) -> bool:
    return file.exists() and file.read_bytes() != text.encode()


def _write(file: Path, text: str) -> bool:
    """Write a file unless it has that text already; say whether it was written."""
    if file.exists() and not _differs(file, text):
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return True


def _remove(out: Path, path: str) -> None:
    (out / path).unlink(missing_ok=True)
    folder = (out / path).parent
    if folder != out and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
