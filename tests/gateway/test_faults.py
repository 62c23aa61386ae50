"""What breaks behind, beside and in front of the gateway: no crash, no wrong answer, no dropped neighbour."""

import contextlib
import dataclasses
import json
import re
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fake_engine import fake_engine
from local.running import eventually
from moderation.moderators import program as moderator
from raw import burst, chat_request, status_of
from real_gateway import (
    CHAT,
    KEYS,
    LOCAL,
    OPEN,
    OTHER,
    PLAIN,
    SEARCH,
    SEARCH_TOO,
    CallerKey,
    Gateway,
    authorization,
    free_ports,
    gateway,
    plan_of,
)

from infra.render.gateway import bootstrap

REVOKED_WITHIN_SECONDS = 2
OPEN_FILES = 16_384
LIMITED = {**OPEN, "limits": {"requests_per_minute": 1, "tokens_per_minute": 1}}


def _peak_kib(running: Gateway) -> int:
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{running.process.pid}/status").read_text())
    return int(kib)


@contextlib.contextmanager
def _stream(running: Gateway, name: str, what: str, key: CallerKey = SEARCH) -> Iterator[Iterator[str]]:
    """Open a stream and return its lines."""
    body = running.chat(name, stream=True, messages=[{"role": "user", "content": what}])
    with httpx.stream(
        "POST", running.url + CHAT, json=body, headers=authorization(key), timeout=30
    ) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


def test_an_engine_that_dies_ends_the_stream_and_not_the_gateway(tmp_path: Path) -> None:
    """Its caller sees the stream break off; the other endpoint answers as before."""
    plan = plan_of({"chat": OPEN, "plain": PLAIN})
    with (
        fake_engine() as plain,
        fake_engine() as chat,
        gateway(tmp_path, plan, {"chat": chat.port, "plain": plain.port}) as running,
    ):
        with _stream(running, "chat", "stream 100 0.1") as lines:
            next(lines)
            chat.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)

        assert running.post(running.chat("plain")).status_code == 200


def test_an_engine_that_breaks_off_before_it_answers_is_not_asked_twice(tmp_path: Path) -> None:
    """The request may have run: 502, and the caller decides."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        answer = running.post(running.chat("chat", messages=[{"role": "user", "content": "break"}]))

        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "endpoint_failed")
        assert len(engine.seen) == 1


def test_an_engines_own_error_is_passed_on(tmp_path: Path) -> None:
    """What the engine says about a request is worth more than what the gateway could."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        for status in (400, 404, 429, 500):
            says = [{"role": "user", "content": f"fail {status}"}]
            answer = running.post(running.chat("chat", messages=says))

            assert (answer.status_code, answer.json()) == (status, {"error": {"message": "fake"}})


@pytest.mark.parametrize(
    ("status", "answered", "code"),
    [
        (500, 502, "endpoint_failed"),
        (503, 503, "endpoint_unavailable"),
        (422, 422, "unreadable_request"),
        (400, 422, "unreadable_request"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_is_no_json_is_put_into_the_shape_of_ours(
    tmp_path: Path, status: int, answered: int, code: str, stream: bool
) -> None:
    """Routers and web servers answer with plain text, with addresses from inside in it."""
    plan = plan_of({"chat": OPEN})
    (endpoint,) = plan.endpoints
    impatient = dataclasses.replace(
        plan, endpoints=(dataclasses.replace(endpoint, startup_timeout_seconds=1),)
    )
    with (
        fake_engine() as engine,
        gateway(tmp_path, impatient, {"chat": engine.port}) as running,
    ):
        says = [{"role": "user", "content": f"plain {status}"}]
        answer = running.post(running.chat("chat", messages=says, stream=stream))

        assert (answer.status_code, answer.json()["error"]["code"]) == (answered, code)
        assert answer.headers["content-type"] == "application/json"
        assert ("retry-after" in answer.headers) == (answered == 503)
        assert "10.0.0.7" not in answer.text


def test_a_revoked_key_is_refused_in_seconds_while_streams_go_on(tmp_path: Path) -> None:
    """The file of keys is replaced under load: other keys never notice, and a stream of the key ends well."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        statuses, stop = list[int](), threading.Event()

        def load() -> None:
            with httpx.Client(headers=authorization(SEARCH)) as client:
                while not stop.is_set():
                    statuses.append(client.post(running.url + CHAT, json=running.chat("chat")).status_code)

        with _stream(running, "chat", "stream 15 0.1", key=SEARCH_TOO) as lines:
            next(lines)
            others = threading.Thread(target=load)
            others.start()
            for _ in range(3):
                running.write_keys(KEYS)
            running.write_keys([key for key in KEYS if key is not SEARCH_TOO])
            revoked = time.monotonic()
            while running.post(running.chat("chat"), key=SEARCH_TOO).status_code != 401:
                assert time.monotonic() - revoked < REVOKED_WITHIN_SECONDS
                time.sleep(0.02)
            rest = list(lines)
            stop.set()
            others.join()

        assert rest[-2] == "data: [DONE]"
        assert set(statuses) == {200}
        assert running.post(running.chat("chat"), key=OTHER).status_code == 404


def test_a_broken_file_of_keys_changes_nothing(tmp_path: Path) -> None:
    """Half a file, or none: the keys that Envoy has stay as they are."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        for broken in ("{", "", '{"resources": [{"name": "x"}]}'):
            (Path(running.place.keys_folder) / ".new").write_text(broken)
            (Path(running.place.keys_folder) / ".new").rename(Path(running.place.keys_folder) / "keys.json")
            time.sleep(0.3)

            assert running.post(running.chat("chat")).status_code == 200
            assert (
                running.post(
                    running.chat("chat"), key=CallerKey(id="k", team="search", secret="mu-no")
                ).status_code
                == 401
            )


def test_new_endpoints_and_limits_arrive_while_streams_go_on(tmp_path: Path) -> None:
    """All files are replaced: an endpoint appears, another one's limits change, and its stream ends well."""
    with fake_engine() as engine:
        small = plan_of({"chat": OPEN})
        large = plan_of({"chat": {**OPEN, "limits": {"concurrency": 7, "queue": 9}}, "plain": PLAIN})
        ports = {"chat": engine.port, "plain": engine.port}
        with gateway(tmp_path, small, ports) as running:
            later = dataclasses.replace(running, plan=large)
            with _stream(running, "chat", "stream 15 0.1") as lines:
                next(lines)

                assert later.post(later.chat("plain")).status_code == 404

                upstreams = dict.fromkeys(
                    (each.id for each in large.endpoints), *running.place.upstreams.values()
                )
                running.write(large, upstreams=upstreams)
                deadline = time.monotonic() + 10
                while later.post(later.chat("plain")).status_code != 200 and time.monotonic() < deadline:
                    time.sleep(0.1)
                rest = list(lines)

            assert rest[-2] == "data: [DONE]"
            assert later.post(later.chat("plain")).status_code == 200
            assert (
                running.stat(f"cluster.{running.id_of('chat')}.circuit_breakers.default.remaining_retries")
                == 9
            )


def test_without_ratelimit_requests_pass_uncounted(tmp_path: Path) -> None:
    """Limits fail open, as `infra.render.gateway.limits` says, and the count that an alert watches moves."""
    from infra.render.gateway.metrics import RATELIMIT_ERRORS

    (nobody,) = free_ports(1)
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": LIMITED}), {"chat": engine.port}, ratelimit=nobody) as running,
    ):
        assert [running.post(running.chat("chat")).status_code for _ in range(3)] == [200] * 3
        assert f"{RATELIMIT_ERRORS}{{" in running.metrics()


def test_without_the_moderator_nothing_passes(tmp_path: Path) -> None:
    """Moderation fails closed: 503, and the engine sees nothing; an endpoint without moderation answers."""
    (nobody,) = free_ports(1)
    plan = plan_of({"chat": {**OPEN, "moderation": {}}, "plain": PLAIN})
    with fake_engine() as engine:
        ports = {"chat": engine.port, "plain": engine.port}
        with gateway(tmp_path, plan, ports, moderator=nobody) as running:
            answer = running.post(running.chat("chat"))

            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "moderation_unavailable")
            assert answer.headers["retry-after"] == "5"
            assert engine.seen == []
            assert running.post(running.chat("plain")).status_code == 200
            assert running.post(running.chat("chat", n=11)).status_code == 400


@pytest.mark.slow
def test_ten_thousand_idle_connections_hold_nobody_up(tmp_path: Path) -> None:
    """They cost memory, not answers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, OPEN_FILES), most))
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        address = (LOCAL, running.place.listen.port)
        with contextlib.ExitStack() as idle:
            for _ in range(10_000):
                idle.enter_context(socket.create_connection(address, timeout=10))
            request = chat_request(json.dumps(running.chat("chat")).encode(), key=SEARCH.secret)
            heads = burst(running.place.listen.port, request, 50)

            assert [status_of(head) for head in heads] == [200] * 50


@pytest.mark.slow
def test_slow_readers_and_writers_hold_nobody_up(tmp_path: Path) -> None:
    """Callers who send half a request, or do not read what they asked for, hold only themselves up."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        address = (LOCAL, running.place.listen.port)
        large = running.chat("chat", messages=[{"role": "user", "content": "say 1000000"}])
        asks = chat_request(json.dumps(large).encode(), key=SEARCH.secret)
        with contextlib.ExitStack() as slow:
            for _ in range(20):
                reader = slow.enter_context(socket.create_connection(address))
                reader.sendall(asks)
            for _ in range(200):
                writer = slow.enter_context(socket.create_connection(address))
                writer.sendall(asks[:-10])
            while len(engine.seen) < 20 or engine.running:
                time.sleep(0.05)

            assert running.post(running.chat("chat"), timeout=10).status_code == 200


def test_the_last_of_an_answer_waits_for_a_reader_who_pauses(tmp_path: Path) -> None:
    """Also where the connection ends with the answer."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
        socket.create_connection((LOCAL, running.place.listen.port)) as caller,
    ):
        asks = running.chat("chat", messages=[{"role": "user", "content": "say 8000000"}])
        caller.sendall(chat_request(json.dumps(asks).encode(), key=SEARCH.secret))
        time.sleep(3)
        answer = b"".join(iter(lambda: caller.recv(1 << 20), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert len(json.loads(body)["text"]) == 8_000_000


@pytest.mark.slow
def test_moderated_streams_that_nobody_reads_take_little_memory(tmp_path: Path) -> None:
    """What waits for its caller waits in the engine."""
    plan = plan_of({"chat": {**OPEN, "moderation": {}}})
    with (
        fake_engine() as engine,
        moderator(tmp_path, "moderator", {"words": ["forbidden"], "patterns": []}) as judging,
        gateway(tmp_path, plan, {"chat": engine.port}, moderator=judging.port) as running,
        contextlib.ExitStack() as callers,
    ):
        eventually(lambda: running.post(running.chat("chat")).status_code, 200, 20)
        floods = running.chat("chat", stream=True, messages=[{"role": "user", "content": "flood"}])
        before_kib = _peak_kib(running)
        for _ in range(8):
            caller = callers.enter_context(socket.create_connection((LOCAL, running.place.listen.port)))
            caller.sendall(chat_request(json.dumps(floods).encode(), key=SEARCH.secret))
        time.sleep(30)

        assert engine.running == 8
        assert running.post(running.chat("chat"), timeout=10).status_code == 200
        assert _peak_kib(running) - before_kib < 8 * (10 << 10)


UPLOADS = 150
UPLOAD = b" " * ((8 << 20) - 1)
"""The largest body, but for its last byte: a gateway must hold it and wait."""


def _upload(running: Gateway, ends: contextlib.ExitStack) -> None:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {SEARCH.secret}\r\ncontent-length: {len(UPLOAD) + 1}\r\n\r\n"
    ).encode()
    upload = ends.enter_context(socket.create_connection((LOCAL, running.place.listen.port)))
    with contextlib.suppress(OSError):
        upload.sendall(head + UPLOAD)


def _upload_by_http2(running: Gateway, ends: contextlib.ExitStack) -> None:
    curl = ("curl", "--silent", "--http2-prior-knowledge", "--upload-file", "-", "--request", "POST")
    headers = (
        "--header",
        "content-type: application/json",
        "--header",
        f"authorization: Bearer {SEARCH.secret}",
    )
    upload = subprocess.Popen(
        (*curl, *headers, running.url + CHAT), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    ends.callback(upload.wait)
    ends.callback(upload.kill)
    assert upload.stdin is not None
    with contextlib.suppress(OSError):
        upload.stdin.write(UPLOAD)


@pytest.mark.parametrize("upload", [_upload, pytest.param(_upload_by_http2, marks=pytest.mark.slow)])
def test_uploads_that_never_end_do_not_use_up_the_memory(
    upload: Callable[[Gateway, contextlib.ExitStack], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1.2 GB sent at once most is refused, new requests are told to come back, then all is as before."""
    monkeypatch.setattr(bootstrap, "HEAP_BYTES", 200 << 20)
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        with contextlib.ExitStack() as ends, ThreadPoolExecutor(UPLOADS) as pool:
            for sent in [pool.submit(upload, running, ends) for _ in range(UPLOADS)]:
                sent.result()
            while (refused := running.post(running.chat("chat"))).status_code == 200:
                upload(running, ends)
            ready = httpx.get(f"http://{LOCAL}:{running.place.metrics.port}/ready").status_code
            peak_kib = _peak_kib(running)

        eventually(lambda: running.post(running.chat("chat")).status_code, 200, 20)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "gateway_overloaded"
    assert refused.headers["retry-after"]
    assert ready == 200
    assert peak_kib < 450 << 10, peak_kib
