"""Which modules a page has to carry: those named, and all of ours that they import."""

import ast
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from pathlib import Path

OURS = "infra"


class NotPlainError(Exception):
    """A module of the page imports what a browser does not have."""


def sources(modules: Iterable[str]) -> Mapping[str, str]:
    """Return the text of every module by its path, `infra/capacity/load.py`, packages included."""
    texts: dict[str, str] = {}
    todo = sorted(modules)
    while todo:
        name = todo.pop()
        path, text = _read(name)
        if path in texts:
            continue
        texts[path] = text
        imported = set(_imports(name, text, is_package=path.endswith("__init__.py")))
        foreign = sorted(each for each in imported if not _ours(each) and not _standard(each))
        if foreign:
            raise NotPlainError(f"{path}: imports {', '.join(foreign)}; a page has the standard library only")
        todo += sorted(each for each in imported if _ours(each))
        todo += [name.rpartition(".")[0]] if "." in name else []
    return dict(sorted(texts.items()))


def _imports(name: str, text: str, *, is_package: bool) -> Iterable[str]:
    """Yield what a module imports; of `from package import x` also x, where that is a module."""
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield origin
            if _ours(origin) and _found(origin).submodule_search_locations:
                members = (f"{origin}.{each.name}" for each in node.names)
                yield from (member for member in members if find_spec(member))


def _ours(name: str) -> bool:
    return name.partition(".")[0] == OURS


def _standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def _found(name: str) -> ModuleSpec:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise NotPlainError(f"{name}: there is no such module")
    return spec


def _read(name: str) -> tuple[str, str]:
    spec = _found(name)
    path = name.replace(".", "/") + ("/__init__.py" if spec.submodule_search_locations else ".py")
    return path, Path(str(spec.origin)).read_text(encoding="utf-8")
