"""Answers through a real Envoy that asks a real moderator: what reaches a caller, and what does not."""

import json
import time

import httpx
import pytest

from moderation.fakes import EVENTS, Fake, Script, event, flags, stream
from moderation.running import Door, error_of, until

KIB = 1024
SECRET = "the forbidden secret"


def test_a_clean_stream_passes_unchanged_and_at_once(lists: Door) -> None:
    """A stream arrives byte for byte, and its beginning long before its end."""
    lists.engine.script = stream("Hello, ", "world. " * 10, "All", " is well.", pause_seconds=0.15)
    body = {"model": "ep-chat-000000", "messages": [{"role": "user", "content": "Hello?"}], "stream": True}
    start, came, arrived = time.monotonic(), b"", []
    with httpx.stream("POST", f"http://127.0.0.1:{lists.port}/v1/chat/completions", json=body) as got:
        for part in got.iter_raw():
            came += part
            arrived.append(time.monotonic() - start)

    assert came == b"".join(lists.engine.script.parts)
    assert arrived[0] < arrived[-1] - 0.3


@pytest.mark.parametrize("field", ["content", "reasoning_content", "unheard_of"])
def test_a_refused_answer_is_withheld_whole(lists: Door, field: str) -> None:
    """An answer in one piece turns into 403, whichever choice and field has the text."""
    choices = [{"index": 0, "message": {"content": "fine"}}, {"index": 1, "message": {field: SECRET}}]
    lists.engine.script = Script(parts=[json.dumps({"choices": choices}).encode()])
    got = lists.chat("Hello")

    assert (got.status_code, error_of(got)["code"]) == (403, "content_policy_violation")
    assert "forbidden" not in got.text
    assert lists.noted() == {"verdict": "output", "judge": "words"}


def test_a_stream_ends_where_it_is_refused(lists: Door) -> None:
    """Nothing of the word is there; an error that clients know is, and the engine is told to stop."""
    lists.engine.script = stream(
        "Once ", "upon a time " * 6, "for", "bid", "den", " time", *["…"] * 99, pause_seconds=0.03
    )
    broken_off = lists.engine.broken_off
    got = lists.chat("Tell me", stream=True)
    events = got.text.split("\n\n")

    assert events[0] == lists.engine.script.parts[0].decode().rstrip()
    assert json.loads(events[1].removeprefix("data: "))["error"]["code"] == "content_policy_violation"
    assert events[2:] == ["data: [DONE]", ""]
    assert lists.noted() == {"verdict": "output", "judge": "words"}
    until(lambda: lists.engine.broken_off == broken_off + 1)


def test_an_error_of_the_engine_passes(lists: Door) -> None:
    """Its status and text are the caller's to read."""
    lists.engine.script = Script(status=400, parts=[b'{"error": {"message": "too long"}}'])
    got = lists.chat("Hello")

    assert (got.status_code, got.content) == (400, lists.engine.script.parts[0])


@pytest.mark.parametrize(
    "script",
    [
        Script(parts=[b'{"choices": []}'], encoding="gzip"),
        Script(parts=[b"<html>forbidden</html>"], type="text/html"),
        Script(parts=[b"forbidden"]),
        Script(parts=[b"[]"]),
    ],
    ids=["compressed", "another type", "no JSON", "no object"],
)
def test_an_answer_that_cannot_be_read_is_withheld(lists: Door, script: Script) -> None:
    """Nobody can judge it, so the caller gets 503."""
    lists.engine.script = script
    got = lists.chat("Hello")

    assert (got.status_code, error_of(got)["code"]) == (503, "moderation_unavailable")


def test_a_stream_that_cannot_be_read_breaks_off(lists: Door) -> None:
    """Events that are no JSON end the stream with an error."""
    parts = [event("fine "), event("and so on " * 7), b"data: forbid\n\n", b"data: den\n\n"]
    lists.engine.script = Script(parts=parts, type=EVENTS)
    got = lists.chat("Hello", stream=True)

    assert got.content.startswith(event("fine "))
    assert "moderation_unavailable" in got.text
    assert "forbid" not in got.text


def test_a_stream_is_released_in_windows(asking: Door, service: Fake) -> None:
    """Windows end with sentences, begin with what was read before, and cover the whole answer."""
    sentence = "This is a sentence that is long enough to be judged, and long enough to end a window. "
    asking.engine.script = stream(*[f"{word} " for word in (sentence * 4).split()])
    got = asking.chat("Tell", stream=True)

    assert got.content == b"".join(asking.engine.script.parts)
    asked = sorted((json.loads(body)["input"][0] for body in service.bodies[1:]), key=len)
    assert asked[0] == sentence
    assert asked[1] == sentence * 2
    assert asked[-1] == sentence * 4


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (flags(True), "content_policy_violation"),
        (Script(status=500), "moderation_unavailable"),
        (flags(False, pause_seconds=1.5), "moderation_unavailable"),
    ],
    ids=["refused", "down", "slow"],
)
def test_a_window_that_does_not_pass_is_not_released(
    asking: Door, service: Fake, script: Script, code: str
) -> None:
    """The stream ends with the error; of the window that was judged, nothing is there."""
    first = "A first sentence that is long enough for a window of its own, and a few words more. Yes."
    asking.engine.script = stream(first, *["dubious "] * 60, pause_seconds=0.01)
    service.script = flags(False)
    with httpx.stream(
        "POST",
        f"http://127.0.0.1:{asking.port}/",
        json={"messages": [{"role": "user", "content": "x"}]},
        timeout=30,
    ) as got:
        came = ""
        for part in got.iter_text():
            came += part
            service.script = script

    assert "Yes." in came
    assert "dubious" not in came
    assert json.loads(came.split("\n\n")[-3].removeprefix("data: "))["error"]["code"] == code
    assert came.endswith("data: [DONE]\n\n")
