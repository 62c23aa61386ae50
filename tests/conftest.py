"""What all tests share: golden files, how much Hypothesis tries, and which of them run beside each other."""

from pathlib import Path

import pytest
from golden import Golden
from hypothesis import settings

pytest_plugins = ("local.fixtures",)

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts new golden files."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite golden files; read the diff.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share a cluster or engines on one worker, where workers take whole groups."""
    here = Path(__file__).parent
    for item in items:
        shared = "cluster" if "cluster" in getattr(item, "fixturenames", ()) else None
        item.add_marker(pytest.mark.xdist_group(shared or item.path.relative_to(here).parts[0]))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares with golden files."""
    return Golden(bool(request.config.getoption("--update-golden")), request.node.nodeid)
