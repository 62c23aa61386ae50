"""What all tests share: golden files, how much Hypothesis tries, and which of them run beside each other."""

from pathlib import Path

import pytest
from golden import Golden
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

USERS_OF_THE_CLUSTER = ("keys", "local", "routing", "test_manifests_cluster.py")
"""Folders and files whose tests share the fixture `cluster`."""

SHARING_NOTHING = ("capacity", "concurrency", "test_fuzz_specs.py")
"""Folders and files whose tests each go to whoever is free."""

pytest_plugins = ("local.fixtures",)

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts new golden files."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite golden files; read the diff.")


class ByWhatTheyShare(LoadScopeScheduling):  # type: ignore[misc]
    """Gives tests that share a cluster or engines to one worker: what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        first = Path(nodeid.partition("::")[0]).relative_to("tests").parts[0]
        if first in USERS_OF_THE_CLUSTER:
            return "cluster"
        return nodeid if first in SHARING_NOTHING else first


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatTheyShare | None:
    """Share tests so where whole scopes are asked for; quick tests go to whoever is free."""
    return ByWhatTheyShare(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares with golden files."""
    return Golden(bool(request.config.getoption("--update-golden")), request.node.nodeid)
