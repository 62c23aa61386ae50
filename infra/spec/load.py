"""Files to a stack: the only reader of YAML that people write. Every problem of all files at once."""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immutabledict import immutabledict

from infra.problems import Problem, SpecError, allowed
from infra.spec import nodes
from infra.spec.base import CATALOG_NAME, EXTENDS_TARGET, NAME, PATTERN_WORDS, Spec
from infra.spec.document import Document, read_document, read_entries, value_at
from infra.spec.endpoint import Endpoint
from infra.spec.environment import ENVIRONMENT, SETTINGS, Environment
from infra.spec.extends import merge
from infra.spec.locate import printable, shown
from infra.spec.stack import Stack, Written
from infra.spec.template import Template
from infra.spec.validate import source, validate

S = TypeVar("S", bound=Spec)

EXTENDS = ("extends",)
_PROJECT_FILE = "Pulumi.yaml"
_MAX_BYTES = 1024 * 1024
"""A spec is a page; a megabyte is a mistake, and parsing it would only delay the answer."""

_STACK_FILE = re.compile(r"Pulumi\.(.+)\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A stack of every document that is valid in itself, and the problems of all files, in file order."""

    stack: Stack | None
    """None where the environment or the project file cannot be used."""
    problems: tuple[Problem, ...]


def load_stack(root: Path, name: str) -> Loaded:
    """Load a stack's environment and endpoints, and every template."""
    return _Loader(root).load(name)


def stack_names(root: Path) -> tuple[str, ...]:
    """Return the names of all stacks that have an environment file."""
    return tuple(_Loader(root).stack_names())


class _Loader:
    """Reads the files of one project root, once each, and collects their problems."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._problems: set[Problem] = set()
        self._documents: dict[str, Document | None] = {}

    def load(self, name: str) -> Loaded:
        """Load everything that a stack is made of."""
        known = self.stack_names()
        if name not in known:
            message = f"no such stack; {allowed(known, name)}"
            self._problem(f"stacks/Pulumi.{name}.yaml", message, "unknown-stack")
            return Loaded(stack=None, problems=tuple(self._problems))
        project = self._project()
        environment = self._environment(name)
        templates = [self._template(stem) for stem in self._names("templates", CATALOG_NAME)]
        endpoints = [self._endpoint(name, stem) for stem in self._names(f"stacks/{name}", NAME)]
        stack = None
        if project is not None and environment is not None:
            stack = Stack(
                project=project,
                name=name,
                environment=environment,
                templates=immutabledict({template.name: template for template in templates if template}),
                endpoints=tuple(endpoint for endpoint in endpoints if endpoint),
            )
        return Loaded(stack=stack, problems=tuple(sorted(self._problems)))

    def stack_names(self) -> list[str]:
        """Return the names of all stacks that have an environment file, and can have a folder."""
        found = (_STACK_FILE.fullmatch(path.name) for path in self._list("stacks"))
        return [match[1] for match in found if match and re.fullmatch(NAME, match[1])]

    # What the documents are.

    def _project(self) -> str | None:
        entries = self._entries(_PROJECT_FILE, self._parse(_PROJECT_FILE), "")
        if entries is None:
            return None
        name = entries.get("name")
        if isinstance(name, nodes.Scalar) and name.text:
            return name.text
        self._problem(_PROJECT_FILE, "name: is required", "schema", name)
        return None

    def _environment(self, stack: str) -> Written[Environment] | None:
        file = f"stacks/Pulumi.{stack}.yaml"
        entries = self._entries(file, self._parse(file), "")
        if entries is None:
            return None
        if "config" not in entries:
            self._problem(file, f"config: is required; it holds {ENVIRONMENT}", "schema")
            return None
        settings = self._entries(file, entries["config"], "config: ")
        if settings is None:
            return None
        for key, node in settings.items():
            if key.startswith("modelunits:") and key not in SETTINGS:
                self._problem(
                    file, f"config: unknown key {shown(key)}; {allowed(SETTINGS, key)}", "unknown-key", node
                )
        if ENVIRONMENT not in settings:
            self._problem(file, f"config: {ENVIRONMENT} is required", "schema", entries["config"])
            return None
        return self._written(Environment, stack, self._read(file, settings[ENVIRONMENT]))

    def _template(self, stem: str) -> Written[Template] | None:
        return self._written(Template, stem, self._document(f"templates/{stem}.yaml"))

    def _endpoint(self, stack: str, stem: str) -> Written[Endpoint] | None:
        document = self._document(f"stacks/{stack}/{stem}.yaml")
        if document is None:
            return None
        target = value_at(document.tree, EXTENDS)
        if not isinstance(target, str) or not re.fullmatch(EXTENDS_TARGET, target):
            return self._written(Endpoint, stem, document)
        base = self._base(document, target, f"{stack}/{stem}")
        merged = merge(document, base) if base else document
        return self._written(Endpoint, stem, merged, partial=base is None)

    def _base(self, document: Document, target: str, own: str) -> Document | None:
        """Return the document that another extends, or None after saying why it cannot be extended."""
        complaint = self._not_extendable(target, own)
        base = None if complaint else self._document(f"stacks/{target}.yaml")
        if base is not None and value_at(base.tree, EXTENDS) is not None:
            complaint = f"{target} extends {shown(value_at(base.tree, EXTENDS))} itself; one level is allowed"
        if complaint:
            message = f"extends: {complaint}"
            self._problems.add(source(document).problem(EXTENDS, message, "extends"))
            return None
        return base

    def _not_extendable(self, target: str, own: str) -> str | None:
        if target == own:
            return "an endpoint cannot extend itself"
        stack = target.partition("/")[0]
        files = self._list(f"stacks/{stack}")
        names = [f"{stack}/{path.stem}" for path in files if is_named(path, NAME)]
        if not names:
            folders = [path.name for path in self._list("stacks") if path.is_dir()]
            return f"no endpoints in stack {shown(stack)}; {allowed(folders, stack)}"
        return (
            None
            if target in names
            else f"no endpoint {shown(target)}; {allowed((name for name in names if name != own), target)}"
        )

    def _written(
        self, model: type[S], name: str, document: Document | None, *, partial: bool = False
    ) -> Written[S] | None:
        if document is None:
            return None
        value, problems = validate(model, document, partial=partial)
        self._problems.update(problems)
        return None if value is None or partial else Written(name, value, source(document))

    # How they are read.

    def _document(self, file: str) -> Document | None:
        """Return a file as a document, read once; None after saying why it cannot be read."""
        if file not in self._documents:
            node = self._parse(file)
            self._documents[file] = None if node is None else self._read(file, node)
        return self._documents[file]

    def _read(self, file: str, node: nodes.Node) -> Document | None:
        try:
            return read_document(file, node)
        except SpecError as error:
            self._problems.update(error.problems)
            return None

    def _entries(self, file: str, node: nodes.Node | None, prefix: str) -> dict[str, nodes.Node] | None:
        if node is None:
            return None
        if not isinstance(node, nodes.Mapping):
            self._problem(file, f"{prefix}must be a mapping", "schema", node)
            return None
        try:
            entries, problems = read_entries(file, node)
        except SpecError as error:
            entries, problems = None, error.problems
        self._problems.update(problems)
        return entries

    def _parse(self, file: str) -> nodes.Node | None:
        try:
            return nodes.parse(printable(file), self._bytes(file))
        except SpecError as error:
            self._problems.update(error.problems)
        except OSError as error:
            self._problem(file, f"cannot be read: {error.strerror}", "file")
        return None

    def _bytes(self, file: str) -> bytes:
        path = self._root / file
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise nodes.refuse(printable(file), 1, 1, "is not a file", "file")
        with path.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            message = f"is {status.st_size:,} bytes long; at most {_MAX_BYTES:,} are read"
            raise nodes.refuse(printable(file), 1, 1, message, "file")
        return data

    def _names(self, folder: str, pattern: str) -> Iterator[str]:
        """Return the names of a folder's documents; complain of files whose names cannot be used."""
        for path in self._list(folder):
            file = f"{folder}/{path.name}"
            if is_named(path, pattern):
                yield path.stem
            elif path.suffix.lower() in (".yaml", ".yml"):
                better = re.sub(r"[^-a-z0-9.]+", "-", path.stem.lower())
                hint = f"; rename it to {better}.yaml" if re.fullmatch(pattern, better) else ""
                self._problem(file, f"the name before .yaml {PATTERN_WORDS[pattern]}{hint}", "file")
            elif path.is_dir():
                self._problem(file, f"is a folder; files are read from {folder}/ directly", "file")

    def _list(self, folder: str) -> list[Path]:
        """Return what is in a folder, hidden files left out; nothing where there is no folder."""
        try:
            return sorted(path for path in (self._root / folder).iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._problem(folder, f"cannot be read: {error.strerror}", "file")
            return []

    def _problem(self, file: str, message: str, rule: str, node: nodes.Node | None = None) -> None:
        line, column = (node.line, node.column) if node else (1, 1)
        self._problems.add(Problem(printable(file), line, column, message, rule))


def is_named(path: Path, pattern: str) -> bool:
    """Say whether a file's name is a document's name and nothing else."""
    return path.suffix == ".yaml" and re.fullmatch(pattern, path.stem) is not None
