"""Keys and files at a real Envoy: what the store and the mirror write takes effect, and no stream notices."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine, fake_engine
from real_gateway import CHAT, OPEN, Gateway, authorization, gateway, plan_of

from infra.keys.book import Key
from infra.keys.contents import with_key, without_key
from infra.keys.folder import FolderStore
from infra.keys.last_used import Running, machine_last_used
from infra.keys.mirror import mirror
from infra.render.gateway.keys import CallerKey
from infra.render.gateway.make import gateway_files

EFFECTIVE_SECONDS = 2.0
"""What is promised of a revoked key."""

CHUNKS = 30


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeEngine]:
    """An engine."""
    with fake_engine() as running:
        yield running


@pytest.fixture(scope="module")
def door(engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of the engine; its keys come from a folder store."""
    folder = tmp_path_factory.mktemp("gateway")
    with gateway(folder, plan_of({"chat": OPEN}), {"chat": engine.port}) as running:
        (folder / "keys" / "keys.json").unlink()
        FolderStore(folder / "keys").prepare()
        yield running


def create(door: Gateway) -> CallerKey:
    """Create a key as the command does."""
    caller = CallerKey(id=f"k{secrets.token_hex(4)}", team="search", secret=f"mu-{secrets.token_urlsafe(32)}")
    key = Key(id=caller.id, team="search", description="batch", created=datetime.now(UTC))
    store = FolderStore(Path(door.place.keys_folder))
    store.change(lambda before: with_key(before, key, caller.secret, ("search",)))
    return caller


def revoke(door: Gateway, caller: CallerKey) -> None:
    """Revoke it."""
    FolderStore(Path(door.place.keys_folder)).change(lambda before: without_key(before, caller.id))


def took(what: Callable[[], bool]) -> float:
    """Wait until something is so; return how long it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < 20
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_revoked_key_is_refused_while_its_stream_goes_on(door: Gateway) -> None:
    """A new key works, and a revoked one is 401, within two seconds; the stream is whole."""
    caller = create(door)
    created = took(lambda: door.post(door.chat("chat"), key=caller).status_code == 200)
    body = door.chat("chat", stream=True, messages=[{"role": "user", "content": f"stream {CHUNKS} 0.1"}])

    with httpx.stream("POST", door.url + CHAT, json=body, headers=authorization(caller)) as stream:
        lines = stream.iter_lines()
        first = next(lines)
        revoke(door, caller)
        revoked = took(lambda: door.post(door.chat("chat"), key=caller).status_code == 401)
        rest = [line for line in lines if line.startswith("data: ")]

    assert created < EFFECTIVE_SECONDS
    assert revoked < EFFECTIVE_SECONDS
    assert "0 " in first
    assert f'"{CHUNKS - 1} "' in rest[-2]
    assert "data: [DONE]" == rest[-1]


def test_the_keys_of_others_work_meanwhile(door: Gateway) -> None:
    """Keys that come and go do not disturb a key that stays: no request of it is refused."""
    staying = create(door)
    took(lambda: door.post(door.chat("chat"), key=staying).status_code == 200)
    statuses = set()
    for _ in range(10):
        other = create(door)
        statuses.add(door.post(door.chat("chat"), key=staying).status_code)
        revoke(door, other)
        statuses.add(door.post(door.chat("chat"), key=staying).status_code)

    assert {200} == statuses


def test_a_new_endpoint_is_unknown_and_then_works(door: Gateway, engine: FakeEngine) -> None:
    """Its cluster is there before its route: nobody is told that it cannot be reached."""
    caller = create(door)
    took(lambda: door.post(door.chat("chat"), key=caller).status_code == 200)
    plan = plan_of({"chat": OPEN, "new": OPEN})
    address = door.place.upstreams[door.id_of("chat")]
    place = dataclasses.replace(door.place, upstreams={each.id: address for each in plan.endpoints})
    grown = dataclasses.replace(door, plan=plan)
    statuses = [grown.post(grown.chat("new"), key=caller).status_code]

    writing = threading.Thread(target=mirror, args=(Path(place.folder), gateway_files(plan, place)))
    writing.start()

    def works() -> bool:
        statuses.append(grown.post(grown.chat("new"), key=caller).status_code)
        return statuses[-1] == 200

    took(works)
    writing.join()

    assert {404, 200} == set(statuses)
    assert 200 == grown.post(grown.chat("chat"), key=caller).status_code


def test_the_gateway_tells_when_a_key_was_last_used(door: Gateway) -> None:
    """The list of keys reads it from Envoy's metrics; a key that was never used is not there."""
    used, unused = create(door), create(door)
    before = datetime.now(UTC).replace(microsecond=0)
    took(lambda: door.post(door.chat("chat"), key=used).status_code == 200)
    address = f"http://{door.place.metrics.host}:{door.place.metrics.port}/stats/prometheus"
    asked = Running(metrics=address, base_url=door.url)
    took(lambda: used.id in machine_last_used(asked))

    told = machine_last_used(asked)

    assert before <= told[used.id] <= datetime.now(UTC)
    assert unused.id not in told
