"""A stack that runs under a real Prometheus, once for all tests here."""

from collections.abc import Iterator

import pytest

from infra.local.progress import Progress
from infra.local.prometheus import Programs, programs
from observability.run import Run, running, traffic


@pytest.fixture(scope="session")
def tools() -> Programs:
    """Return Prometheus and promtool."""
    return programs(Progress())


@pytest.fixture(scope="session")
def run(tools: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return the stack after its traffic, while requests are held."""
    with running(tmp_path_factory.mktemp("stack"), tools) as stack:
        traffic(stack)
        yield stack
