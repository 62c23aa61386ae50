"""The router of endpoints with several engines, in front of a real engine with every engine's arguments."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from samples import sample_plan
from served import Served, eventually

from infra.local import ports
from infra.local.progress import Progress
from infra.local.vllm_router import vllm_router
from infra.render.router_args import balancing_args

pytestmark = [pytest.mark.vllm]

LONG = 3000
"""Tokens: more than an engine makes in the seconds of a test."""
MADE = "vllm:generation_tokens_total"
DECISIONS = "vllm_router_prefix_routing_decisions_total"
(ENDPOINT,) = sample_plan(
    {"chat": {"model": "qwen3-32b", "template": "h20-single", "units": {"hourly": {"min": 0, "max": 4}}}}
).endpoints


@contextmanager
def _router(engine: str, log: Path) -> Iterator[tuple[str, str]]:
    """Run a router before one engine; give its address and that of its metrics."""
    port, metrics = ports.quiet(2)
    at = ("--host=127.0.0.1", f"--port={port}", "--prometheus-host=127.0.0.1", f"--prometheus-port={metrics}")
    command = [vllm_router(Progress()), *balancing_args(ENDPOINT), *at, "--worker-urls", engine]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            assert eventually(lambda: _lives(url), 60), log.read_text()[-2000:]
            yield url, f"http://127.0.0.1:{metrics}/metrics"
        finally:
            process.kill()


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/liveness", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_the_router_knows_a_conversation_again_by_the_tokens_that_engines_tell(
    served: Served, tmp_path: Path
) -> None:
    """Without --enable-scale-out real engines refuse to, and the router would balance by load alone."""
    with _router(served.engine_url("chat"), tmp_path / "log") as (url, metrics):
        text = "the cache of this machine holds every word " * 20
        for turn in (text, text + "and waits"):
            body = served.body("chat", messages=[{"role": "user", "content": turn}])
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
            assert 200 == answer.status_code, answer.text
        lines = [line for line in httpx.get(metrics).text.splitlines() if line.startswith(DECISIONS)]

    outcomes = {line.partition('outcome="')[2].partition('"')[0]: line[-2:] for line in lines}
    assert {"prefix_miss": " 1", "prefix_hit": " 1"} == outcomes


def test_streams_pass_as_they_are_and_end_when_their_caller_leaves(served: Served, tmp_path: Path) -> None:
    """The same parts and the same usage; and an engine does not go on for nobody."""
    engine = served.engine_url("chat")
    with _router(engine, tmp_path / "log") as (url, _):
        body = served.body("chat", stream=True, seed=1)
        straight, routed = (
            [_part(line) for line in httpx.post(f"{at}/v1/chat/completions", json=body).text.splitlines()]
            for at in (engine, url)
        )
        before = served.metric("chat", MADE)
        endless = served.body("chat", stream=True, max_tokens=LONG, ignore_eos=True)
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=endless, timeout=60) as stream:
            next(stream.iter_lines())
        assert eventually(lambda: _rests(served), 10)

    assert 0 < served.metric("chat", MADE) - before < LONG / 2
    assert straight == routed
    assert any(part and part["usage"] for part in routed)


def _rests(served: Served) -> bool:
    made = served.metric("chat", MADE)
    time.sleep(1)
    return served.metric("chat", MADE) == made


def _part(line: str) -> dict[str, object] | None:
    """Return what a line of a stream says, without what is another's in each answer."""
    said = line.removeprefix("data: ")
    return {**json.loads(said), "id": "", "created": 0} if said.startswith("{") else None
