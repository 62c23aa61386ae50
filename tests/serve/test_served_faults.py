"""Parts of the local data plane that die or hang: what callers notice, and what comes back by itself."""

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest
from served import WAKE_SECONDS, Served, begin, end, eventually, left

from infra.local import processes

pytestmark = [pytest.mark.vllm]

BACK_SECONDS = 30


def _is_back(served: Served, part: str, dead: int) -> bool:
    return eventually(lambda: any(pid != dead for pid in served.pids(part)), BACK_SECONDS)


@pytest.mark.parametrize("part", ["redis", "ratelimit"])
def test_limits_fail_open(served: Served, part: str) -> None:
    """Where nobody counts, requests pass; the part comes back by itself."""
    dead = served.leader(part)
    os.kill(dead, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert [200] * 10 == [served.chat("chat", max_tokens=1).status_code for _ in range(10)]
        assert time.monotonic() - began < WAKE_SECONDS
    finally:
        os.kill(dead, signal.SIGKILL)
    assert _is_back(served, part, dead)
    assert f"{part} is started again" in served.said


def test_without_the_limiter_of_keys_requests_pass_until_it_is_back(served: Served) -> None:
    """Where nobody counts what runs, requests pass; the limiter comes back by itself."""
    dead = served.leader("concurrency")
    with served.own_key("search") as key:
        served.signal("concurrency", signal.SIGKILL)
        assert served.chat("pair", key, max_tokens=1).status_code == 200
        assert _is_back(served, "concurrency", dead)
        assert eventually(lambda: served.chat("pair", key, max_tokens=1).status_code == 200, BACK_SECONDS)
    assert "concurrency is started again" in served.said


def test_moderation_fails_closed_and_comes_back(served: Served) -> None:
    """Without a moderator nothing passes, and callers are told when to try again."""
    dead = served.leader("moderator")
    served.signal("moderator", signal.SIGKILL)
    refused = served.chat("chat")
    assert (503, "moderation_unavailable") == (refused.status_code, refused.json()["error"]["code"])
    assert int(refused.headers["retry-after"]) > 0
    assert _is_back(served, "moderator", dead)
    assert eventually(lambda: served.chat("chat").status_code == 200, BACK_SECONDS)


def test_after_an_engine_died_in_a_stream_the_next_request_is_held_and_answered(served: Served) -> None:
    """The broken stream does not look like a whole one."""
    with served.stream("chat", max_tokens=3000, ignore_eos=True) as answer:
        lines = answer.iter_lines()
        next(lines)
        os.kill(served.leader("engine-chat"), signal.SIGKILL)
        try:
            rest = list(lines)
        except httpx.HTTPError:
            rest = []
    assert "data: [DONE]" not in rest
    assert served.chat("chat").status_code == 200
    assert "engine-chat has ended" in served.said


def test_an_idle_endpoint_sleeps(served: Served) -> None:
    """The pair may sleep after a minute; its processes are gone then."""
    assert eventually(lambda: "pair sleeps" in served.said.rpartition("pair is awake")[2], 90)
    assert [] == [pid for part in ("router-pair", "engine-pair-prefill") for pid in served.pids(part)]


def test_a_second_run_says_that_one_runs(served: Served) -> None:
    """And changes nothing."""
    second = served.modelunits("local", "serve", "test", "--port", "1")
    assert second.returncode == 1
    assert second.stderr.startswith("modelunits: another run serves this stack")
    assert served.get("/models", served.key("search")).status_code == 200


@pytest.fixture
def waking(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A stack of its own whose engine has just been called."""
    other = begin(tmp_path_factory.mktemp("waking"))
    body, key = other.body("chat"), other.key("search")
    script = f"import httpx; httpx.post('{other.base_url}/chat/completions', json={body!r}, "
    script += f"headers={{'Authorization': 'Bearer {key}'}}, timeout=60)"
    subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    assert eventually(lambda: bool(other.pids("engine-chat")), 30)
    time.sleep(2)
    return other


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_leaves_nothing_behind(waking: Served, number: signal.Signals) -> None:
    """At a bad moment: an engine is starting, and a request is held."""
    assert end(waking, number) == 0
    assert [] == left(waking)


def test_a_killed_run_is_cleaned_up_by_the_next(waking: Served) -> None:
    """Nobody has to look for processes."""
    waking.process.kill()
    waking.process.wait()
    before = {one.pid for one in processes.running(waking.folder)}
    assert len(before) > 4
    again = begin(waking.root)
    after = {one.pid for one in processes.running(again.folder)}
    assert not before & after
    assert end(again) == 0
    assert [] == left(again)
