"""Each key's concurrency at a real gateway: who runs, who waits, who is refused, and what ends a turn."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from fake_engine import fake_engine
from limited_gateway import Calls, Door, calls, limited_gateway, until
from raw import burst, chat_request, status_of
from real_gateway import OTHER, SEARCH, SEARCH_TOO, free_ports

from infra.render.gateway import concurrency

RUNS, QUEUE = 2, 1


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Return a gateway where two requests of a key run and one more waits."""
    with limited_gateway(tmp_path_factory.mktemp("gateway"), concurrency=RUNS, queue=QUEUE) as running:
        yield running


def play(door: Door, scene: Callable[[Calls], Awaitable[None]]) -> None:
    """Play a scene at a gateway."""

    async def played() -> None:
        async with calls(door) as begun:
            await scene(begun)

    asyncio.run(played())


def test_two_run_a_third_waits_and_the_rest_is_told_to_come_back(door: Door) -> None:
    """The fourth gets the error of every full queue, at once; the third is answered when one has ended."""

    async def scene(begun: Calls) -> None:
        door.engine.most_running = 0
        waits = [await begun.begin("wait 1") for _ in range(RUNS + QUEUE)]
        refused = await (await begun.begin("wait 1"))

        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert refused.headers["retry-after"] == "5"
        assert refused.elapsed.total_seconds() < 1
        assert [task.done() for task in waits] == [False] * 3
        assert [answer.status_code for answer in await asyncio.gather(*waits)] == [200] * 3
        assert door.engine.most_running == RUNS

    play(door, scene)


def test_other_keys_and_endpoints_do_not_notice(door: Door) -> None:
    """Another key of the same team has its own turns; an endpoint without the limit asks nobody."""

    async def scene(begun: Calls) -> None:
        full = [await begun.begin("wait 1") for _ in range(RUNS + QUEUE)]
        other = await begun.statuses("hello", RUNS + QUEUE, key=SEARCH_TOO)
        asked = door.asked()
        free = await (await begun.begin("hello", endpoint="free"))

        assert other == [200] * (RUNS + QUEUE)
        assert (free.status_code, door.asked()) == (200, asked)
        assert (await asyncio.gather(*full))[-1].status_code == 200

    play(door, scene)


def test_whoever_hangs_up_gives_the_turn_back(door: Door) -> None:
    """Those that run and those that wait: their places are free at once, for who waits longest."""

    async def scene(begun: Calls) -> None:
        first, second, third = [await begun.begin("wait 30") for _ in range(RUNS + QUEUE)]
        third.cancel()
        await until(third.done)
        await asyncio.sleep(0.2)
        fourth = await begun.begin("hello")

        assert not fourth.done()

        first.cancel()

        assert (await fourth).status_code == 200

        second.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)

        assert await begun.statuses("hello", RUNS) == [200] * RUNS

    play(door, scene)


def test_a_stream_holds_its_turn_to_its_end(door: Door) -> None:
    """Not only to its first byte: a turn ends with the last event."""

    async def scene(begun: Calls) -> None:
        streams = [await begun.begin("stream 5 0.2") for _ in range(RUNS)]
        waits = await begun.begin("hello")
        answer = await waits

        assert answer.elapsed.total_seconds() > 0.6
        assert any(stream.done() for stream in streams)
        assert all("[DONE]" in each.text for each in await asyncio.gather(*streams))

    play(door, scene)


def test_streams_pass_event_by_event(door: Door) -> None:
    """The limiter keeps nothing back: it never sees an answer."""

    async def scene(begun: Calls) -> None:
        body = door.gateway.chat("chat", messages=[{"role": "user", "content": "stream 4 0.3"}])
        headers = {"Authorization": f"Bearer {SEARCH_TOO.secret}"}
        loop = asyncio.get_running_loop()
        url = f"{door.gateway.url}/v1/chat/completions"
        async with begun.client.stream("POST", url, json=body, headers=headers) as answer:
            at = [loop.time() async for _ in answer.aiter_bytes()]

        assert at[-1] - at[0] > 0.6

    play(door, scene)


def test_refusals_are_counted_and_logged(door: Door) -> None:
    """As every other one: with the endpoint and the key, and with what the gateway itself said."""

    async def scene(begun: Calls) -> None:
        full = [await begun.begin("wait 0.5", key=SEARCH_TOO) for _ in range(RUNS + QUEUE)]
        await (await begun.begin("hello", key=SEARCH_TOO))
        await asyncio.gather(*full)

    play(door, scene)
    labels = 'modelunits_endpoint="chat",modelunits_key="search.k00000002",modelunits_reason="queue_full"'

    assert f"{labels}}} 1" in door.gateway.metrics()

    (line,) = door.gateway.log_of("key_queue_full", 2)[-1:]

    assert (line["status"], line["endpoint"]) == (429, "chat")


def test_teams_that_may_not_call_the_endpoint_take_no_turn(door: Door) -> None:
    """What is refused before is not counted: the limiter is asked about valid calls only."""
    before = door.asked()

    assert door.gateway.post(door.gateway.chat("chat"), key=OTHER).status_code == 404
    assert door.gateway.post(door.gateway.chat("chat", n=11)).status_code == 400
    assert door.asked() == before


def test_without_the_limiter_requests_pass(tmp_path: Path) -> None:
    """Killed, it cuts no stream, lets those that wait run, and is passed by until it is back."""
    with limited_gateway(tmp_path, concurrency=1, queue=1) as door:

        async def killed(begun: Calls) -> None:
            stream = await begun.begin("stream 6 0.2")
            waits = await begun.begin("wait 0.1")
            door.limiter.kill()

            assert (await waits).status_code == 200
            assert "[DONE]" in (await stream).text
            assert await begun.statuses("wait 0.1", 4) == [200] * 4
            assert door.passed_by() == 6

        async def back(begun: Calls) -> None:
            assert await begun.statuses("wait 0.5", 3) == [200, 200, 429]

        play(door, killed)
        door.limiter.begin()
        play(door, back)


@pytest.mark.slow
def test_a_burst_is_counted_whole(tmp_path: Path) -> None:
    """None of 2,000 requests at once passes because there are many."""
    with limited_gateway(tmp_path, concurrency=RUNS, queue=0) as door:
        chat = door.gateway.chat("chat", messages=[{"role": "user", "content": "wait 1"}])
        request = chat_request(json.dumps(chat).encode(), key=SEARCH.secret)
        heads = burst(door.gateway.place.listen.port, request, 2000)

        assert {200, 429} == {status_of(head) for head in heads}
        assert door.engine.most_running == RUNS
        assert door.passed_by() == 0


@pytest.mark.slow
def test_a_limiter_that_hangs_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds; a request that waits for its turn may wait longer than that."""
    monkeypatch.setattr(concurrency, "TIMEOUT_SECONDS", 2)
    with limited_gateway(tmp_path, concurrency=1, queue=1) as door:

        async def waits(begun: Calls) -> None:
            assert await begun.statuses("wait 4", 2) == [200, 200]
            assert door.passed_by() == 0

        async def hangs(begun: Calls) -> None:
            answer = await (await begun.begin("hello"))

            assert answer.status_code == 200
            assert 1 < answer.elapsed.total_seconds() < 10
            assert door.passed_by() == 1

        play(door, waits)
        door.limiter.process.send_signal(signal.SIGSTOP)
        play(door, hangs)


def test_gateways_share_the_limit(tmp_path: Path) -> None:
    """Of two gateways each has half, rounded up."""
    with limited_gateway(tmp_path, replicas=2, concurrency=3, queue=1) as door:

        async def scene(begun: Calls) -> None:
            door.engine.most_running = 0

            assert await begun.statuses("wait 0.7", 4) == [200, 200, 200, 429]
            assert door.engine.most_running == 2

        play(door, scene)


def test_who_waits_for_a_turn_wakes_nothing_and_who_is_held_keeps_it(tmp_path: Path) -> None:
    """Of a sleeping endpoint one request is held, as many as may run; the other waits before the door."""
    (port,) = free_ports(1)
    with limited_gateway(tmp_path, engine_port=port, concurrency=1, queue=1) as door:
        retries = f"cluster.{door.gateway.id_of('chat')}.circuit_breakers.default.remaining_retries"
        queue = door.gateway.stat(retries)

        async def scene(begun: Calls) -> None:
            held, waits = await begun.begin("hello"), await begun.begin("hello")
            await until(lambda: door.gateway.stat(retries) < queue)
            await asyncio.sleep(1)

            assert door.gateway.stat(retries) == queue - 1
            assert (await (await begun.begin("hello"))).status_code == 429
            with fake_engine(port):
                assert (await held).status_code == 200
                assert (await waits).status_code == 200

        play(door, scene)
