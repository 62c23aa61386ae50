"""The page about the plan's JSON names every key that there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "how-to" / "read-a-plan.md"


def keys(value: object) -> Iterator[str]:
    """Yield the names of all keys in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_every_key_is_described() -> None:
    """Keys of all golden plans are on the page, and the page names none that no plan has."""
    table = PAGE.read_text(encoding="utf-8").partition("## As JSON")[2].partition("| Key |")[2]
    described = {word for code in re.findall(r"`([^`]+)`", table) for word in re.findall(r"[a-z_]+", code)}
    found = {
        key
        for file in (FOLDER / "plans").glob("*/plan.json")
        for key in keys(json.loads(file.read_text(encoding="utf-8")))
    }

    assert found == described - {"against", "vllm", "serve"}
