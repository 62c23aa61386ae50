"""Real ratelimit, Redis and limiter behind a real Envoy: whose requests use up whose minute."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from fake_engine import fake_engine
from local.running import eventually, wait_for_minute_with
from real_gateway import LOCAL, OPEN, OTHER, SEARCH_TOO, gateway, plan_of

from infra.local import health, ports
from infra.local.folders import folders
from infra.local.progress import Progress
from infra.local.serve.gateway import gateway_processes
from infra.local.serve.place import Listening, ServeFolder, place
from infra.local.serve.programs import gateway_programs
from infra.plan.model import Plan
from infra.render.gateway.make import ratelimit_config
from infra.render.gateway.place import Address

pytestmark = pytest.mark.slow

PARTS = ("redis", "ratelimit", "concurrency")


@contextmanager
def _counting(folder: Path, plan: Plan) -> Iterator[Listening]:
    """Run what counts a plan's limits and yield where it listens."""
    at, listening = ServeFolder(path=folder), Listening.choose(*ports.quiet(1))
    upstreams = {each.id: Address(host=LOCAL, port=9) for each in plan.endpoints}
    where = place(at, listening, upstreams, limited=True, moderated=False, keys_counted=True)
    for made in (at.redis, at.ratelimit / "config"):
        made.mkdir(parents=True)
    (at.ratelimit / "config" / "limits.yaml").write_text(ratelimit_config(plan))
    programs = gateway_programs(folders(Path(__file__).parents[2]), Progress(), limited=True)
    with ExitStack() as running:
        for process in gateway_processes(programs, at, listening, where):
            if process.name in PARTS:
                log = running.enter_context((folder / f"{process.name}.log").open("wb"))
                environment = {**os.environ, **process.environment}
                started = subprocess.Popen(process.command, env=environment, stdout=log, stderr=log)
                running.callback(started.wait)
                running.callback(started.kill)
                eventually(partial(health.answers, process.health), True, 20)
        yield listening


def test_what_is_refused_to_one_key_is_not_taken_from_the_others(tmp_path: Path) -> None:
    """A key that goes on after its own limit would else use up the endpoint's minute for its whole team."""
    limits = {"requests_per_minute": 20, "per_key": {"requests_per_minute": 5}}
    plan = plan_of({"chat": {**OPEN, "limits": limits}})
    with (
        fake_engine() as engine,
        _counting(tmp_path / "limits", plan) as at,
        gateway(tmp_path, plan, {"chat": engine.port}, ratelimit=at.ratelimit) as running,
    ):
        wait_for_minute_with(10)
        greedy = [running.post(running.chat("chat")).status_code for _ in range(40)]
        modest = [running.post(running.chat("chat"), key=SEARCH_TOO).status_code for _ in range(5)]
        stranger = running.post(running.chat("chat"), key=OTHER).status_code

    assert greedy == [*[200] * 5, *[429] * 35]
    assert modest == [200] * 5
    assert stranger == 404
    assert len(engine.seen) == 10


def test_what_a_keys_concurrency_refuses_is_not_counted_per_minute(tmp_path: Path) -> None:
    """A key that sends everything at once would else leave its team nothing of the minute."""
    limits = {"requests_per_minute": 8, "per_key": {"concurrency": 1}}
    plan = plan_of({"chat": {**OPEN, "limits": limits}})
    with (
        fake_engine() as engine,
        _counting(tmp_path / "limits", plan) as at,
        gateway(
            tmp_path, plan, {"chat": engine.port}, ratelimit=at.ratelimit, concurrency=at.concurrency
        ) as running,
        ThreadPoolExecutor() as pool,
    ):
        wait_for_minute_with(10)
        slow = [{"role": "user", "content": "wait 3"}]
        first = pool.submit(running.post, running.chat("chat", messages=slow))
        eventually(lambda: engine.running, 1, 5)
        greedy = [running.post(running.chat("chat")).json()["error"]["code"] for _ in range(20)]
        modest = [running.post(running.chat("chat"), key=SEARCH_TOO).status_code for _ in range(7)]

    assert first.result().status_code == 200
    assert greedy == ["queue_full"] * 20
    assert modest == [200] * 7
