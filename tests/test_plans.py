"""Small projects and the whole of what is planned for them: read a case's files, then its plan.

A case is laid over `base`, which holds what all share. `as_of` is the day; `before` is an earlier revision.
"""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.catalog.load import load_catalog
from infra.plan.compare import compare, diff_document
from infra.plan.document import document
from infra.plan.explain import markdown
from infra.plan.make import Planned, make_plan
from infra.spec.load import load_stack

if TYPE_CHECKING:
    from golden import Golden

FOLDER = Path(__file__).parent / "plans"
CASES = sorted(folder.name for folder in FOLDER.iterdir() if folder.name != "base")
DEFAULT_DAY = "2026-11-21"


def planned(tmp_path: Path, *layers: Path, as_of: date) -> Planned:
    """Plan the stack `test` of a project that lies in layers, each over the ones before."""
    root = tmp_path / layers[-1].name
    for layer in (FOLDER / "base", *layers):
        shutil.copytree(layer, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("before", "plan.*"))
    loaded = load_stack(root, "test")

    assert not loaded.problems
    assert loaded.stack is not None

    return make_plan(loaded.stack, load_catalog(), as_of)


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str, tmp_path: Path, golden: "Golden") -> None:
    """The plan of a case is the one in its folder: as data and as Markdown, with problems and changes."""
    folder = FOLDER / case
    day = folder / "as_of"
    as_of = date.fromisoformat(day.read_text(encoding="utf-8").strip() if day.exists() else DEFAULT_DAY)
    result = planned(tmp_path, folder, as_of=as_of)
    has_before = (folder / "before").exists()
    diff = (
        compare(planned(tmp_path, folder / "before", as_of=as_of).plan, result.plan) if has_before else None
    )
    data = document(result.plan) | ({"changes": diff_document(diff)} if diff else {})

    golden.check(folder / "plan.json", json.dumps(data, indent=2) + "\n")
    golden.check(folder / "plan.md", markdown(result.plan, diff, "main"))

    problems = "".join(f"{problem}\n" for problem in result.problems)
    if problems or (folder / "problems.txt").exists():
        golden.check(folder / "problems.txt", problems)
