"""The reference pages are what the code says."""

from pathlib import Path

from infra.cli.reference import pages

ROOT = Path(__file__).parent.parent


def test_reference_pages_are_fresh() -> None:
    """Committed pages equal the generated ones; `make docs` writes them."""
    committed = {path.name: path.read_text() for path in (ROOT / "docs/reference").glob("*.md")}

    assert pages() == committed
