"""What all tests share: golden files, and how much Hypothesis tries."""

import pytest
from golden import Golden
from hypothesis import settings

pytest_plugins = ("local.fixtures",)

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts new golden files."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite golden files; read the diff.")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares with golden files."""
    return Golden(bool(request.config.getoption("--update-golden")), request.node.nodeid)
