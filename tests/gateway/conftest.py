"""One gateway for all tests that only ask it questions: two teams, endpoints with and without features."""

from collections.abc import Iterator

import pytest
from fake_engine import fake_engine
from real_gateway import OPEN, PLAIN, Door, gateway, plan_of

ENDPOINTS = {
    "chat": {**OPEN, "adapters": ({"name": "tone", "source": "pvc://loras/tone", "rank": 16},)},
    "plain": PLAIN,
    "secret": PLAIN,
}


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Start the gateway and its fake engines."""
    plan = plan_of(ENDPOINTS, of_other=("secret",))
    with fake_engine() as engine, fake_engine() as secret:
        ports = {"chat": engine.port, "plain": engine.port, "secret": secret.port}
        with gateway(tmp_path_factory.mktemp("gateway"), plan, ports) as running:
            yield Door(gateway=running, engine=engine, secret=secret)
