"""One stack, served once for all tests that only call it; its endpoints are woken by two first requests."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from served import First, Served, begin, end, left

from infra.local.locked_environment import locked_environment
from infra.local.progress import Progress


@pytest.fixture(scope="session")
def asleep(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Served]:
    """Serve a stack whose endpoints may still sleep; ending it leaves nothing behind."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        served = begin(tmp_path_factory.mktemp("serve"))
    try:
        yield served
    finally:
        code = end(served)
    assert (code, left(served)) == (0, []), served.said


@pytest.fixture(scope="session")
def first(asleep: Served) -> dict[str, First]:
    """Wake two endpoints at once, each by one request."""
    asleep.key("search")

    def call(endpoint: str) -> First:
        began = time.monotonic()
        return First(asleep.chat(endpoint), time.monotonic() - began)

    with ThreadPoolExecutor() as pool:
        return dict(zip(("chat", "pair"), pool.map(call, ("chat", "pair")), strict=True))


@pytest.fixture(scope="session")
def served(asleep: Served, first: dict[str, First]) -> Served:
    """Return the stack with awake endpoints."""
    assert first
    return asleep


@pytest.fixture(scope="session")
def clients(pytestconfig: pytest.Config) -> Path:
    """Return the programs of an environment with callers' libraries."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return locked_environment(Path(__file__).parent / "clients.lock", Progress())
