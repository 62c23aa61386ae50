"""Judges, moderators and their configuration while a real Envoy asks: what happens when one of them fails."""

import json
import signal
from contextlib import ExitStack

import grpc
import httpx
import pytest

from moderation.fakes import Fake, Script, answer, flags, says, stream
from moderation.running import Door, error_of, until

KIB = 1024
SECRET = "the forbidden secret"


def test_services_are_asked_about_request_and_answer(asking: Door, service: Fake, guard: Fake) -> None:
    """The service gets the texts and its key, the guard gets them as a chat, and what they pass passes."""
    asking.engine.script = answer("Good.")

    assert asking.chat("How are you?").status_code == 200
    assert [json.loads(body)["input"] for body in service.bodies] == [["How are you?"], ["Good."]]
    assert service.headers[-1]["authorization"] == "Bearer service-key"
    asked = [json.loads(body) for body in guard.bodies]
    assert [each["messages"][0]["content"] for each in asked] == ["How are you?", "Good."]
    assert {each["model"] for each in asked} == {"ep-guard-000000"}
    assert "authorization" not in guard.headers[-1]


def test_one_refusal_is_enough(asking: Door, service: Fake, guard: Fake) -> None:
    """The service's and the guard's word count each for itself, also where the other cannot answer."""
    service.script = flags(True)
    assert (asking.chat("Hello").status_code, asking.noted()["judge"]) == (403, "url")
    service.script, guard.script = Script(status=500), says("Unsafe\nS1")
    assert (asking.chat("Hello").status_code, asking.noted()["judge"]) == (403, "guard")


@pytest.mark.parametrize(
    ("service_script", "guard_script", "judge"),
    [
        (flags(False, pause_seconds=1.5), says("safe"), "url"),
        (Script(status=500), says("safe"), "url"),
        (Script(parts=[b"nonsense"]), says("safe"), "url"),
        (Script(parts=[b'{"results": []}']), says("safe"), "url"),
        (Script(parts=[b'{"results": [{"flagged": "no"}]}']), says("safe"), "url"),
        (flags(False, False), says("safe"), "url"),
        (flags(False), Script(status=404), "guard"),
        (flags(False), says(""), "guard"),
        (flags(False), Script(parts=[b"{}"]), "guard"),
    ],
    ids=["slow", "500", "no JSON", "no result", "no flag", "too many", "404", "empty", "no choices"],
)
def test_nothing_passes_while_a_judge_fails(
    asking: Door, service: Fake, guard: Fake, service_script: Script, guard_script: Script, judge: str
) -> None:
    """A request gets 503 with the time to come back; the log says who failed and how, and has no text."""
    service.script, guard.script = service_script, guard_script
    got = asking.chat("a private question")

    assert (got.status_code, error_of(got)["code"]) == (503, "moderation_unavailable")
    assert int(got.headers["retry-after"]) > 0
    assert asking.engine.bodies == []
    assert asking.noted() == {"verdict": "failed", "judge": judge}
    assert "private" not in asking.moderator.log.read_text()


def test_a_caller_who_leaves_ends_judging(asking: Door, service: Fake) -> None:
    """Nobody waits for the judges of a request that nobody waits for."""
    service.script = Script(parts=[b" "] * 100, pause_seconds=0.05)
    broken_off = service.broken_off
    body = {"messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"http://127.0.0.1:{asking.port}/", json=body, timeout=0.2)

    until(lambda: service.broken_off > broken_off, seconds=0.7)


def test_probes_are_answered(lists: Door) -> None:
    """Kubernetes asks by gRPC's health protocol: 8, 1 is its SERVING."""
    with grpc.insecure_channel(f"127.0.0.1:{lists.moderator.port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")

        assert check(b"", timeout=5) == bytes([8, 1])


def test_a_new_configuration_counts_without_a_restart(changing: Door) -> None:
    """Words change while the moderator runs; a file that is wrong changes nothing, and the log says why."""
    config = changing.moderator.config
    assert changing.chat("Hello teapot").status_code == 200
    config.write_text('{"patterns": ["("]}')
    assert changing.moderator.logged("configuration kept")
    assert changing.chat(SECRET).status_code == 403
    config.write_text('{"words": ["teapot"]}')
    assert changing.moderator.logged("configuration changed")
    assert changing.chat("Hello teapot").status_code == 403
    assert changing.chat(SECRET).status_code == 200


def test_nothing_passes_a_moderator_that_died(mortal: Door) -> None:
    """A stream breaks off where its moderator dies; requests get an error, never an engine's answer."""
    process = mortal.moderator.process
    assert process is not None
    mortal.engine.script = stream(*["word "] * 200, pause_seconds=0.02)
    came = b""
    body = {"messages": [{"role": "user", "content": "x"}]}
    with httpx.stream("POST", f"http://127.0.0.1:{mortal.port}/", json=body) as got:
        parts = got.iter_raw()
        came += next(parts)
        process.kill()
        with pytest.raises(httpx.RemoteProtocolError):
            came += b"".join(parts)

    assert 0 < len(came) < len(b"".join(mortal.engine.script.parts))
    assert b"[DONE]" not in came
    assert mortal.chat("Hello").status_code == 503
    assert mortal.engine.bodies == []


@pytest.mark.slow
def test_a_moderator_that_hangs_is_not_waited_for(leaving: Door) -> None:
    """Envoy gives up a little later than the moderator would, and the engine hears nothing."""
    process = leaving.moderator.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    got = leaving.chat("Hello")
    process.send_signal(signal.SIGCONT)

    assert (got.status_code, leaving.engine.bodies) == (504, [])


def test_a_moderator_that_ends_lets_streams_end_first(leaving: Door) -> None:
    """Within its drain time a stream ends as usual; one that takes longer breaks off, and nothing passes."""
    process = leaving.moderator.process
    assert process is not None
    body = {"messages": [{"role": "user", "content": "x"}]}
    with ExitStack() as stack:
        parts = []
        for pause_seconds in (0.03, 0.2):
            leaving.engine.script = stream(*["word "] * 20, pause_seconds=pause_seconds)
            started = httpx.stream("POST", f"http://127.0.0.1:{leaving.port}/", json=body)
            parts.append(stack.enter_context(started).iter_raw())
            next(parts[-1])
        process.terminate()

        assert b"".join(parts[0]).endswith(b"data: [DONE]\n\n")
        with pytest.raises(httpx.RemoteProtocolError):
            b"".join(parts[1])

    assert process.wait(5) == 0
    assert leaving.chat("Hello").status_code == 503
