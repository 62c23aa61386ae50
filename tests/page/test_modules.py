"""Which modules a page carries."""

import pytest

from infra.page.modules import NotPlainError, sources


def test_a_module_brings_what_it_imports_and_its_packages() -> None:
    """Following imports leads to every module of ours, and to nothing that is not needed."""
    carried = sources(["infra.capacity.state"])

    assert [
        "infra/__init__.py",
        "infra/capacity/__init__.py",
        "infra/capacity/queueing.py",
        "infra/capacity/state.py",
    ] == list(carried)


def test_the_engine_needs_no_package() -> None:
    """All that the page asks runs on the standard library alone."""
    assert "infra/capacity/performance.py" in sources(["infra.page.answers"])


def test_a_module_that_needs_a_package_is_refused_by_name() -> None:
    """Whoever makes the engine import a package learns which module did, before any browser does."""
    with pytest.raises(NotPlainError, match=r"infra/catalog/model.py: imports .*pydantic"):
        sources(["infra.catalog.model"])
