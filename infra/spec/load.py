"""Files to a stack: the only reader of what people write. Every problem of all files at once."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from immutabledict import immutabledict

from infra.problems import Problem, allowed
from infra.spec import nodes
from infra.spec.base import CATALOG_NAME, EXTENDS_TARGET, NAME, PATTERN_WORDS, Spec
from infra.spec.document import Document, value_at
from infra.spec.endpoint import Endpoint
from infra.spec.environment import AS_OF, ENVIRONMENT, SETTINGS, Environment
from infra.spec.extends import merge
from infra.spec.files import Files
from infra.spec.locate import shown
from infra.spec.stack import Stack, Written
from infra.spec.template import Template
from infra.spec.validate import source, validate

S = TypeVar("S", bound=Spec)

EXTENDS = ("extends",)
_PROJECT_FILE = "Pulumi.yaml"
_STACK_FILE = re.compile(rf"Pulumi\.({NAME[1:-1]})\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A stack of every document that is valid in itself, and the problems of all files, in file order."""

    stack: Stack | None
    """None where the environment or the project file cannot be used."""
    problems: tuple[Problem, ...]


def load_stack(root: Path, name: str) -> Loaded:
    """Load a stack's environment and endpoints, and every template."""
    files = Files(root)
    stack = _stack(files, name)
    return Loaded(stack=stack, problems=tuple(sorted(files.problems)))


def load_environment(files: Files, name: str) -> Written[Environment] | None:
    """Load a stack's environment alone; None after its problems went to those of the files."""
    known = _stack_names(files)
    if name in known:
        return _environment(files, name)
    files.complain(f"stacks/Pulumi.{name}.yaml", f"no such stack; {allowed(known, name)}", "unknown-stack")
    return None


def stack_names(root: Path) -> tuple[str, ...]:
    """Return the names of all stacks that have an environment file."""
    return _stack_names(Files(root))


def written_day(root: Path, stack: str) -> date | None:
    """Return the day that a stack's file sets for purchases and exemptions, or None where it sets none."""
    files = Files(root)
    settings = _settings(files, f"stacks/Pulumi.{stack}.yaml") if stack in _stack_names(files) else None
    return _day(settings[AS_OF]) if settings and AS_OF in settings else None


def _day(node: nodes.Node) -> date | None:
    try:
        return date.fromisoformat(node.text) if isinstance(node, nodes.Scalar) else None
    except ValueError:
        return None


def _stack_names(files: Files) -> tuple[str, ...]:
    found = (_STACK_FILE.fullmatch(path.name) for path in files.folder("stacks"))
    return tuple(match[1] for match in found if match)


def _stack(files: Files, name: str) -> Stack | None:
    environment = load_environment(files, name)
    if name not in _stack_names(files):
        return None
    folder = f"stacks/{name}"
    _complain_of_environments(files)
    files.complain_of_names(folder, NAME)
    files.complain_of_names("templates", CATALOG_NAME)
    project = _project(files)
    templates = [_template(files, stem) for stem in files.named("templates", CATALOG_NAME)]
    endpoints = [_endpoint(files, f"{name}/{stem}") for stem in files.named(folder, NAME)]
    if project is None or environment is None:
        return None
    return Stack(
        project=project,
        name=name,
        environment=environment,
        templates=immutabledict({template.name: template for template in templates if template}),
        endpoints=tuple(endpoint for endpoint in endpoints if endpoint),
    )


def _project(files: Files) -> str | None:
    entries = files.entries(_PROJECT_FILE, files.node(_PROJECT_FILE))
    if entries is None:
        return None
    name = entries.get("name")
    if isinstance(name, nodes.Scalar) and name.text:
        return name.text
    files.complain(_PROJECT_FILE, "name: is required", "schema", name)
    return None


def _complain_of_environments(files: Files) -> None:
    for path in files.folder("stacks"):
        is_environment = path.name.startswith("Pulumi.") and path.suffix.lower() in (".yaml", ".yml")
        if is_environment and not _STACK_FILE.fullmatch(path.name):
            message = f"must be called Pulumi.<stack>.yaml; the stack's name {PATTERN_WORDS[NAME]}"
            files.complain(f"stacks/{path.name}", message, "file")


def _environment(files: Files, stack: str) -> Written[Environment] | None:
    file = f"stacks/Pulumi.{stack}.yaml"
    settings = _settings(files, file)
    if settings is None:
        return None
    for key, node in settings.items():
        if key.startswith("modelunits:") and key not in SETTINGS:
            message = f"config: unknown key {shown(key)}; {allowed(SETTINGS, key)}"
            files.complain(file, message, "unknown-key", node)
    if AS_OF in settings and _day(settings[AS_OF]) is None:
        files.complain(file, f"{AS_OF}: must be a day such as 2026-12-31", "schema", settings[AS_OF])
    if ENVIRONMENT not in settings:
        entries = files.entries(file, files.node(file)) or {}
        files.complain(file, f"config: {ENVIRONMENT} is required", "schema", entries.get("config"))
        return None
    return _written(files, Environment, stack, files.document_in(file, settings[ENVIRONMENT]))


def _settings(files: Files, file: str) -> dict[str, nodes.Node] | None:
    """Return a stack's configuration by key, or None after saying why there is none."""
    entries = files.entries(file, files.node(file))
    if entries is None:
        return None
    if "config" not in entries:
        files.complain(file, f"config: is required; it holds {ENVIRONMENT}", "schema")
        return None
    return files.entries(file, entries["config"], "config")


def _template(files: Files, stem: str) -> Written[Template] | None:
    return _written(files, Template, stem, files.document(f"templates/{stem}.yaml"))


def _endpoint(files: Files, name: str) -> Written[Endpoint] | None:
    """Load the endpoint `<stack>/<stem>`, with the fields of the one that it extends."""
    stem = name.partition("/")[2]
    document = files.document(f"stacks/{name}.yaml")
    target = value_at(document.tree, EXTENDS) if document else None
    if document is None or target is None:
        return _written(files, Endpoint, stem, document)
    base = _base(files, document, target, name) if isinstance(target, str) else None
    if base is None:
        return _written(files, Endpoint, stem, document, partial=True)
    return _written(files, Endpoint, stem, merge(document, base))


def _base(files: Files, document: Document, target: str, own: str) -> Document | None:
    """Return the document that another extends, or None after saying why it cannot be extended."""
    if not re.fullmatch(EXTENDS_TARGET, target):
        return None  # the schema says so
    complaint = _not_extendable(files, target, own)
    base = None if complaint else files.document(f"stacks/{target}.yaml")
    if base is not None and not isinstance(base.tree, dict):
        complaint = f"{target} is not a mapping"
    elif base is not None and (further := value_at(base.tree, EXTENDS)) is not None:
        complaint = f"{target} itself extends {shown(further)}; one level is allowed"
    if complaint is None:
        return base
    files.problems.add(source(document).problem(EXTENDS, f"extends: {complaint}", "extends"))
    return None


def _not_extendable(files: Files, target: str, own: str) -> str | None:
    if target == own:
        return "an endpoint cannot extend itself"
    stack, _, stem = target.partition("/")
    stems = files.named(f"stacks/{stack}", NAME)
    if stem in stems:
        return None
    if stems:
        others = [name for other in stems if (name := f"{stack}/{other}") != own]
        return f"no endpoint {shown(target)}; {allowed(others, target)}"
    folders = [path.name for path in files.folder("stacks") if path.is_dir()]
    return f"no endpoints in stack {shown(stack)}; {allowed(folders, stack)}"


def _written(
    files: Files, model: type[S], name: str, document: Document | None, *, partial: bool = False
) -> Written[S] | None:
    if document is None:
        return None
    value, problems = validate(model, document, partial=partial)
    files.problems.update(problems)
    return None if value is None or partial else Written(name, value, source(document))
