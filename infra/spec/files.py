"""A project's files: which there are, and what they hold. The only part of `spec` that touches the disk."""

import re
import stat
from pathlib import Path

from infra.problems import Problem, SpecError
from infra.spec import nodes
from infra.spec.base import PATTERN_WORDS
from infra.spec.document import Document, read_document, read_entries
from infra.spec.locate import printable

MAX_BYTES = 1024 * 1024
"""A spec is a page; a megabyte is a mistake, and parsing it would only delay the answer."""


class Files:
    """Reads the files of one project root, once each, and collects their problems."""

    def __init__(self, root: Path) -> None:
        self.problems: set[Problem] = set()
        self._root = root
        self._folders: dict[str, tuple[Path, ...]] = {}
        self._documents: dict[str, Document | None] = {}

    def complain(self, file: str, message: str, rule: str, node: nodes.Node | None = None) -> None:
        """Add a problem at a node, or at the beginning of a file."""
        line, column = (node.line, node.column) if node else (1, 1)
        self.problems.add(Problem(printable(file), line, column, message, rule))

    def folder(self, folder: str) -> tuple[Path, ...]:
        """Return what is in a folder, hidden files left out; nothing where there is no folder."""
        if folder not in self._folders:
            self._folders[folder] = self._list(folder)
        return self._folders[folder]

    def named(self, folder: str, pattern: str) -> tuple[str, ...]:
        """Return the names of a folder's documents."""
        return tuple(path.stem for path in self.folder(folder) if _is_named(path, pattern))

    def complain_of_names(self, folder: str, pattern: str) -> None:
        """Add a problem for everything in a folder that looks like a document and cannot be one."""
        for path in self.folder(folder):
            if path.suffix.lower() in (".yaml", ".yml") and not _is_named(path, pattern):
                self.complain(f"{folder}/{path.name}", _misnamed(path.stem, pattern), "file")
            elif path.suffix != ".yaml" and path.is_dir():
                message = f"is a folder; files are read from {folder}/ directly"
                self.complain(f"{folder}/{path.name}", message, "file")

    def node(self, file: str) -> nodes.Node | None:
        """Return a file's root node, or None after saying why it cannot be read."""
        try:
            return nodes.parse(printable(file), self._bytes(file))
        except SpecError as error:
            self.problems.update(error.problems)
        except OSError as error:
            self.complain(file, f"cannot be read: {error.strerror}", "file")
        return None

    def document(self, file: str) -> Document | None:
        """Return a whole file as a document, or None after saying why it cannot be read."""
        if file not in self._documents:
            root = self.node(file)
            self._documents[file] = None if root is None else self.document_in(file, root)
        return self._documents[file]

    def document_in(self, file: str, node: nodes.Node) -> Document | None:
        """Return a part of a file as a document, or None after saying why it cannot be read."""
        try:
            return read_document(printable(file), node)
        except SpecError as error:
            self.problems.update(error.problems)
            return None

    def entries(self, file: str, node: nodes.Node | None, name: str = "") -> dict[str, nodes.Node] | None:
        """Return a mapping's values by key, unread, or None after saying why there are none."""
        if isinstance(node, nodes.Mapping):
            try:
                entries, problems = read_entries(printable(file), node)
            except SpecError as error:
                entries, problems = None, error.problems
            self.problems.update(problems)
            return entries
        if node is not None:
            self.complain(file, f"{name}: must be a mapping" if name else "must be a mapping", "schema", node)
        return None

    def _list(self, folder: str) -> tuple[Path, ...]:
        try:
            found = sorted((self._root / folder).iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            self.complain(folder, f"cannot be read: {error.strerror}", "file")
            return ()
        return tuple(path for path in found if not path.name.startswith("."))

    def _bytes(self, file: str) -> bytes:
        path = self._root / file
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise nodes.refuse(printable(file), 1, 1, "is not a file", "file")
        with path.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            message = f"is {status.st_size:,} bytes long; at most {MAX_BYTES:,} are read"
            raise nodes.refuse(printable(file), 1, 1, message, "file")
        return data


def _is_named(path: Path, pattern: str) -> bool:
    return path.suffix == ".yaml" and re.fullmatch(pattern, path.stem) is not None


def _misnamed(stem: str, pattern: str) -> str:
    better = re.sub(r"[^-a-z0-9.]+", "-", stem.lower())
    if not re.fullmatch(pattern, better):
        return f"the name before .yaml {PATTERN_WORDS[pattern]}"
    why = "names end in .yaml" if better == stem else f"the name before .yaml {PATTERN_WORDS[pattern]}"
    return f"{why}; rename it to {better}.yaml"
