"""The layers hold."""

from importlinter.cli import lint_imports


def test_import_contracts_hold() -> None:
    """Deciding never imports doing, data flows one way, and rules know only names and problems."""
    assert 0 == lint_imports(no_cache=True)
