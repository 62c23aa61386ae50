"""What a pod of the gateway does before it stops, run beside a real Envoy."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import httpx
import pytest
from fake_engine import fake_engine
from real_gateway import CHAT, OPEN, SEARCH, Gateway, authorization, gateway, plan_of

from infra.render.gateway.place import Address
from infra.render.gateway_drain import drain_command

SETTLE_SECONDS = 1


def _stream(running: Gateway, chunks: int, answers: list[str]) -> Thread:
    """Start a stream and keep what came of it; one chunk takes a quarter of a second."""
    message = {"role": "user", "content": f"stream {chunks} 0.25"}
    body = {"model": running.id_of("chat"), "messages": [message], "stream": True}

    def read() -> None:
        answer = httpx.post(
            running.url + CHAT, json=body, headers=authorization(SEARCH), timeout=30, trust_env=False
        )
        answers.append(answer.text)

    thread = Thread(target=read)
    thread.start()
    return thread


def _drain(running: Gateway, most_seconds: int) -> float:
    """Run the command to its end; return how long it took."""
    command = drain_command(running.place.admin, SETTLE_SECONDS, most_seconds)
    assert command[0] == "python"
    began = time.monotonic()
    subprocess.run([sys.executable, *command[1:]], check=True, timeout=30)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_pod_stops_when_its_last_stream_has_ended(tmp_path: Path) -> None:
    """Not before, nor long after; and callers are told to come back on another connection."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        answers: list[str] = []
        stream = _stream(running, 16, answers)
        while not engine.running:
            time.sleep(0.05)

        took = _drain(running, 20)

        assert [] == [thread for thread in [stream] if _still_runs(thread)]
        assert answers[0].rstrip().endswith("[DONE]")
        assert 3 < took < 10
        late = running.post(running.chat("chat"))
        assert (200, "close") == (late.status_code, late.headers["connection"])
        metrics = running.place.metrics
        ready = httpx.get(f"http://{metrics.host}:{metrics.port}/ready", trust_env=False)
        assert 503 == ready.status_code


@pytest.mark.slow
def test_a_pod_stops_in_time_whatever_runs(tmp_path: Path) -> None:
    """A stream without an end does not hold it for ever; without streams nothing does."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        assert _drain(running, 20) < SETTLE_SECONDS + 2
        answers: list[str] = []
        stream = _stream(running, 40, answers)
        while not engine.running:
            time.sleep(0.05)

        assert 3 <= _drain(running, 3) < 6
        stream.join()


def test_where_envoy_is_gone_nothing_is_waited_for() -> None:
    """A pod whose Envoy has crashed stops at once."""
    command = drain_command(Address(host="127.0.0.1", port=9), 10, 20)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command[1:]], check=True, capture_output=True, text=True, timeout=30
    )

    assert "Envoy does not answer" in done.stdout
    assert time.monotonic() - began < 5


def _still_runs(thread: Thread) -> bool:
    thread.join(timeout=2)
    return thread.is_alive()
