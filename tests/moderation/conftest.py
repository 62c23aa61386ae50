"""Doors that the tests of a run share: Envoy and moderators start once."""

from collections.abc import Iterator

import pytest

from moderation.fakes import Fake, Script, fake, flags, says
from moderation.moderators import program, threads
from moderation.running import Door, doors

WORDS = ("forbidden", "bad phrase", "敏感词")
PATTERNS = (r"\b\d{3}-\d{2}-\d{4}\b",)


@pytest.fixture(scope="session")
def engine() -> Iterator[Fake]:
    """Return the engine behind all doors."""
    with fake() as made:
        yield made


@pytest.fixture(scope="session")
def service() -> Iterator[Fake]:
    """Return a fake of a moderation service."""
    with fake() as made:
        yield made


@pytest.fixture(scope="session")
def guard() -> Iterator[Fake]:
    """Return a fake of a guard model."""
    with fake() as made:
        yield made


@pytest.fixture(scope="session")
def all_doors(
    tmp_path_factory: pytest.TempPathFactory, engine: Fake, service: Fake, guard: Fake
) -> Iterator[dict[str, Door]]:
    """Return a door per kind of moderator."""
    asked = {
        "endpoint_id": "ep-guard-000000",
        "upstream": f"127.0.0.1:{guard.port}",
        "flags": r"(?i)\bunsafe\b",
    }
    lists = {"words": WORDS, "patterns": PATTERNS}
    configs: dict[str, dict[str, object]] = {
        "lists": lists,
        "asking": {"url": f"http://127.0.0.1:{service.port}", "guard": asked, "timeout_seconds": 1.0},
        "changing": lists,
    }
    folder = tmp_path_factory.mktemp("doors")
    with (
        program(folder, "mortal", lists) as mortal,
        program(folder, "leaving", lists) as leaving,
        program(folder, "loaded", lists) as loaded,
        threads(folder, configs) as others,
        doors(folder, engine, [mortal, leaving, loaded, *others]) as made,
    ):
        yield made


@pytest.fixture
def lists(all_doors: dict[str, Door]) -> Door:
    """Return a door whose judges are lists of words and patterns."""
    all_doors["lists"].engine.script = Script()
    return all_doors["lists"]


@pytest.fixture
def asking(all_doors: dict[str, Door], service: Fake, guard: Fake) -> Door:
    """Return a door whose judges are a service and a guard model, which find nothing wrong with one text."""
    service.script, guard.script = flags(False), says("safe")
    service.bodies.clear()
    guard.bodies.clear()
    return all_doors["asking"]


@pytest.fixture
def mortal(all_doors: dict[str, Door]) -> Door:
    """Return a door whose moderator is a program, which tests may stop and kill."""
    all_doors["mortal"].engine.script = Script()
    return all_doors["mortal"]


@pytest.fixture
def changing(all_doors: dict[str, Door]) -> Door:
    """Return a door whose moderator's configuration tests may change."""
    all_doors["changing"].engine.script = Script()
    return all_doors["changing"]


@pytest.fixture
def leaving(all_doors: dict[str, Door]) -> Door:
    """Return a door whose moderator is a program, which tests may stop for a while and ask to end."""
    all_doors["leaving"].engine.script = Script()
    return all_doors["leaving"]


@pytest.fixture
def loaded(all_doors: dict[str, Door]) -> Door:
    """Return a door whose moderator is a program that tests may keep busy."""
    all_doors["loaded"].engine.script = Script()
    return all_doors["loaded"]
