"""Sleep and wake: requests wait for an endpoint that starts, up to bounds, and refused ones never wake it."""

import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_engine import FakeEngine, fake_engine
from raw import burst, chat_request, status_of
from real_gateway import OPEN, PLAIN, SEARCH, Gateway, free_ports, gateway, plan_of

from infra.render.gateway.metrics import REMAINING_RETRIES
from infra.render.gateway.place import share

QUEUE = 1000
COLD_START_SECONDS = 20


@contextmanager
def _door(
    folder: Path, port: int, *, cold_start_seconds: int = COLD_START_SECONDS, **limits: int
) -> Iterator[Gateway]:
    """Run a gateway whose only endpoint may be asleep."""
    plan = plan_of({"chat": {**PLAIN, "limits": limits}})
    short = [
        dataclasses.replace(endpoint, startup_timeout_seconds=cold_start_seconds)
        for endpoint in plan.endpoints
    ]
    with gateway(folder, dataclasses.replace(plan, endpoints=tuple(short)), {"chat": port}) as running:
        yield running


def _request(running: Gateway, **fields: object) -> bytes:
    return chat_request(json.dumps(running.chat("chat", **fields)).encode(), key=SEARCH.secret)


def _statuses(heads: list[bytes]) -> dict[int, int]:
    return dict(Counter(map(status_of, heads)))


@contextmanager
def _later(port: int, seconds: float) -> Iterator[list[FakeEngine]]:
    """Start a fake engine on a port after some time."""
    started, end = list[FakeEngine](), threading.Event()

    def work() -> None:
        time.sleep(seconds)
        with fake_engine(port) as engine:
            started.append(engine)
            end.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield started
    finally:
        end.set()
        thread.join()


@pytest.mark.slow
def test_a_burst_at_a_sleeping_endpoint_loses_none_within_the_queue(tmp_path: Path) -> None:
    """A thousand requests are held and answered when the engine is up; those beyond get 429 at once."""
    (port,) = free_ports(1)
    with _door(tmp_path, port, queue=QUEUE) as running, _later(port, 6) as engines:
        heads = burst(running.place.listen.port, _request(running), QUEUE + 200)
        refused = [head for head in heads if status_of(head) == 429]

        assert _statuses(heads) == {200: QUEUE, 429: 200}
        assert all(b"\r\nretry-after: 5\r\n" in head for head in refused)
        assert len(engines[0].seen) == QUEUE


def test_held_requests_are_counted_for_the_autoscaler(tmp_path: Path) -> None:
    """What is left of the queue's share falls by one for each held request, and is whole again after."""
    (port,) = free_ports(1)
    with _door(tmp_path, port, queue=10) as running:
        line = f'{REMAINING_RETRIES}{{modelunits_stack="test",envoy_cluster_name="{running.id_of("chat")}",'
        line += 'modelunits_endpoint="chat"} '

        assert f"{line}10\n" in running.metrics()

        waiting = threading.Thread(target=burst, args=(running.place.listen.port, _request(running), 3))
        waiting.start()
        time.sleep(1.5)

        assert f"{line}7\n" in running.metrics()
        with fake_engine(port):
            waiting.join()

            assert f"{line}10\n" in running.metrics()


@pytest.mark.slow
def test_an_endpoint_that_does_not_come_up_is_unavailable_after_the_cold_start_limit(tmp_path: Path) -> None:
    """The caller is told when to come back, and the gateway is not held up for longer."""
    limit_seconds = 4
    (port,) = free_ports(1)
    with _door(tmp_path, port, cold_start_seconds=limit_seconds) as running:
        began = time.monotonic()
        answer = running.post(running.chat("chat"), timeout=60)
        took_seconds = time.monotonic() - began

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "endpoint_unavailable")
        assert answer.headers["retry-after"] == "5"
        assert limit_seconds / 2 < took_seconds < limit_seconds * 2


def test_refused_requests_wake_nothing(tmp_path: Path) -> None:
    """Not one connection to the engine is tried, and nothing is held."""
    (port,) = free_ports(1)
    with _door(tmp_path, port, queue=10) as running:
        chat = running.chat("chat")
        for body in (
            {**chat, "response_format": {"type": "json_object"}},
            {**chat, "n": 11},
            {**chat, "kv_transfer_params": {"a": 1}},
            {**chat, "model": "ep-none-000000"},
            {},
        ):
            assert running.post(body).status_code in {400, 404}
        assert running.post(chat, path="/v1/responses").status_code == 404

        cluster = f"cluster.{running.id_of('chat')}"

        assert running.stat(f"{cluster}.upstream_cx_total") == 0
        assert running.stat(f"{cluster}.upstream_rq_total") == 0
        assert running.stat(f"{cluster}.circuit_breakers.default.remaining_retries") == 10


def test_concurrency_and_queue_are_bounds(tmp_path: Path) -> None:
    """Two run and three wait, of a cold start's burst up to five; the rest is told to come back."""
    with fake_engine() as engine, _door(tmp_path, engine.port, concurrency=2, queue=3) as running:
        request = _request(running, messages=[{"role": "user", "content": "wait 0.7"}])
        heads = burst(running.place.listen.port, request, 12)
        served = _statuses(heads)[200]

        assert _statuses(heads) == {200: served, 429: 12 - served}
        assert 2 + 3 <= served <= 2 + 3 + 2
        assert engine.most_running == 2
        assert all(b"retry-after: 5" in head for head in heads if status_of(head) == 429)


@pytest.mark.parametrize(("count", "replicas", "expected"), [(10, 2, 5), (10, 3, 4), (1, 5, 1)])
def test_gateways_share_limits(count: int, replicas: int, expected: int) -> None:
    """Each has its part, rounded up: together they may let in a little more, never less."""
    assert share(count, replicas) == expected


def test_a_router_without_engines_is_waited_for(tmp_path: Path) -> None:
    """vllm-router answers 503 until an engine has come: such requests are held like any other."""
    with fake_engine() as engine, _door(tmp_path, engine.port) as running:
        engine.failures = 3
        answer = running.post(running.chat("chat"))

        assert answer.status_code == 200
        assert len(engine.seen) == 4


def test_other_endpoints_do_not_notice(tmp_path: Path) -> None:
    """While one endpoint's queue is full, another one answers."""
    (port,) = free_ports(1)
    plan = plan_of({"chat": {**OPEN, "limits": {"queue": 5}}, "plain": PLAIN})
    with fake_engine() as engine, gateway(tmp_path, plan, {"chat": port, "plain": engine.port}) as running:
        asleep = threading.Thread(
            target=burst, args=(running.place.listen.port, _request(running), 20), kwargs={"seconds": 3}
        )
        asleep.start()
        time.sleep(1)

        assert running.post(running.chat("plain")).status_code == 200
        assert running.post(running.chat("chat")).status_code == 429
        asleep.join()
