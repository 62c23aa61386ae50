"""Read the catalog that is packaged with the program."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from infra.catalog.model import Catalog

_FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def load_catalog() -> Catalog:
    """Return all facts; read once per process."""
    engines = {
        path.stem.removeprefix("vllm-"): {"name": "vllm", **_read(path)}
        for path in sorted((_FOLDER / "engines").glob("vllm-*.yaml"))
    }
    return _catalog(model_names(), engines)


@lru_cache(maxsize=8)
def load_catalog_of(model: str) -> Catalog:
    """Return the facts that sizing one model needs: without other models and without engines.

    Why: reading everything takes a fifth of the second in which a size is to be answered.
    """
    return _catalog((model,) if model in model_names() else (), {})


def model_names() -> tuple[str, ...]:
    """Return the names of all models, unread."""
    return tuple(sorted(path.stem for path in (_FOLDER / "models").glob("*.yaml")))


def _catalog(models: tuple[str, ...], engines: Mapping[str, object]) -> Catalog:
    facts: dict[str, dict[str, object]] = {
        "gpus": _named(_read(_FOLDER / "gpus.yaml")),
        "machines": _named(_read(_FOLDER / "machines.yaml")),
        "models": _named({name: _read(_FOLDER / "models" / f"{name}.yaml") for name in models}),
        "engines": dict(engines),
    }
    # Why JSON: only from JSON does strict validation take lists for tuples and text for dates.
    return Catalog.model_validate_json(json.dumps(facts, default=str))


def _named(sheets: dict[str, object]) -> dict[str, object]:
    return {
        name: {"name": name, **sheet}
        for name, sheet in sheets.items()
        if isinstance(sheet, dict) and name != "cited"
    }


def _read(path: Path) -> dict[str, object]:
    document: object = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(document, dict):
        raise TypeError(f"{path.name}: must be a mapping")
    return document
