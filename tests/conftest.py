"""What all tests share: golden files, and how much Hypothesis tries."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("local.fixtures",)

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts new golden files."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite golden files; read the diff.")


class Golden:
    """Compares texts with golden files, whole and exactly."""

    def __init__(self, update: bool, test: str) -> None:
        self._update = update
        self._test = test

    def check(self, file: Path, actual: str) -> None:
        """Fail where a text is not that of its file, or rewrite the file."""
        if self._update:
            file.write_text(actual, encoding="utf-8")
            return
        expected = file.read_text(encoding="utf-8") if file.exists() else None
        hint = f"if the new text is right: pytest '{self._test}' --update-golden, then read the diff"

        assert expected == actual, hint


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares with golden files."""
    return Golden(bool(request.config.getoption("--update-golden")), request.node.nodeid)
