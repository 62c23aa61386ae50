"""What passes a real Envoy that asks a real moderator, and what does not."""

import json
import signal
import time
from contextlib import ExitStack

import grpc
import httpx
import pytest

from infra.render.gateway.errors import MAX_BODY_MIB
from moderation.fakes import EVENTS, Fake, Script, answer, event, flags, says, stream
from moderation.running import Door

KIB = 1024
SECRET = "the forbidden secret"


def _error(got: httpx.Response) -> dict[str, object]:
    error = got.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_clean_request_and_answer_pass_unchanged(lists: Door) -> None:
    """Both arrive byte for byte, and the engine is not asked for a compressed answer."""
    lists.engine.script = answer("Hello. Forbiddenness is another word.")
    got = lists.chat("Say hello.")

    assert (got.status_code, got.content) == (200, lists.engine.script.parts[0])
    assert "accept-encoding" not in lists.engine.headers[0]
    assert json.loads(lists.engine.bodies[0])["messages"][0]["content"] == "Say hello."
    assert lists.noted() == {"verdict": "passed"}


def test_a_clean_stream_passes_unchanged_and_at_once(lists: Door) -> None:
    """A stream arrives byte for byte, and its beginning long before its end."""
    lists.engine.script = stream("Hel", "lo, ", "wor", "ld.", pause_seconds=0.15)
    body = {"model": "ep-chat-000000", "messages": [{"role": "user", "content": "Hello?"}], "stream": True}
    start, came, arrived = time.monotonic(), b"", []
    with httpx.stream("POST", f"http://127.0.0.1:{lists.port}/v1/chat/completions", json=body) as got:
        for part in got.iter_raw():
            came += part
            arrived.append(time.monotonic() - start)

    assert came == b"".join(lists.engine.script.parts)
    assert arrived[0] < arrived[-1] - 0.3


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        "THE FORBIDDEN SECRET",
        "the \N{FULLWIDTH LATIN SMALL LETTER F}orbid\N{FULLWIDTH LATIN SMALL LETTER D}en secret",
        "the for\u200bbid\u00adden secret",
        "the fo\u0301rbidde\u0301n secret",
        "the fórbiddén secret",
        "the forbid\N{MATHEMATICAL BOLD FRAKTUR SMALL D}en secret",
        "the ⓕⓞⓡⓑⓘⓓⓓⓔⓝ secret",
        "a bad\u00a0\n  phrase",
        "说敏感词吗",
        "my number is 123-45-6789.",
        "my number is 123\ufe0f-45-67\u034f89.",
        "my number is 12\N{FULLWIDTH DIGIT THREE}-45-678\N{FULLWIDTH DIGIT NINE}.",
        [{"type": "text", "text": "the for"}, {"type": "text", "text": "bidden secret"}],
        [{"type": "image_url", "image_url": {"url": "https://example.com/forbidden"}}],
        [{"type": "unheard-of", "unheard-of": {"deep": [{"inside": [SECRET]}]}}],
    ],
)
def test_a_refused_request_reaches_no_engine(lists: Door, content: object) -> None:
    """However it is written, the answer is 403 without a word of it, and no engine hears of it."""
    got = lists.chat("Good morning", content)

    assert (got.status_code, _error(got)["code"]) == (403, "content_policy_violation")
    assert "forbidden secret" not in got.text
    assert lists.engine.bodies == []
    assert lists.noted()["verdict"] == "input"


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": SECRET}}]},
        {"tools": [{"function": {"parameters": {"properties": {"forbidden": {"type": "string"}}}}}]},
        {"messages": [{"role": "system", "content": SECRET}]},
        {"messages": [{"role": "user", "name": "forbidden", "content": "x"}]},
        {"messages": [{"role": "forbidden", "content": "x"}]},
        {"messages": [{"role": "tool", "tool_call_id": "1", "content": SECRET}]},
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": {"arguments": '{"a":"\\u0066orbidden"}'}}]}
            ]
        },
        {"messages": [{"role": "assistant", "reasoning_content": SECRET}]},
        {"documents": [{"title": SECRET}]},
        {"chat_template_kwargs": {"note": SECRET}},
        {"forbidden": 1},
    ],
)
def test_every_text_of_a_request_is_judged(lists: Door, fields: dict[str, object]) -> None:
    """Texts of all roles, tools, names and fields that nobody knows count as much as the user's."""
    got = lists.chat("Hello", **fields)

    assert (got.status_code, lists.engine.bodies) == (403, [])


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b'"text"', b'{"a":1,"a":2}', b"\xff{}", b'{"a":' * 5000, b"{}{}"]
)
def test_a_body_that_is_no_json_object_is_refused(lists: Door, body: bytes) -> None:
    """What cannot be read is not judged, and does not pass."""
    got = lists.post(body)

    assert (got.status_code, lists.engine.bodies) == (400, [])


def test_large_bodies_pass_and_are_searched_to_the_end(lists: Door) -> None:
    """200 KB both ways, and nearly the largest body with the word at the very end."""
    long = "All is well here. " * (200 * KIB // 18)
    lists.engine.script = answer(long)

    assert lists.chat(long).content == lists.engine.script.parts[0]
    assert lists.chat("x " * ((MAX_BODY_MIB << 19) - KIB) + "forbidden").status_code == 403


@pytest.mark.parametrize("field", ["content", "reasoning_content", "unheard_of"])
def test_a_refused_answer_is_withheld_whole(lists: Door, field: str) -> None:
    """An answer in one piece turns into 403, whichever choice and field has the text."""
    choices = [{"index": 0, "message": {"content": "fine"}}, {"index": 1, "message": {field: SECRET}}]
    lists.engine.script = Script(parts=[json.dumps({"choices": choices}).encode()])
    got = lists.chat("Hello")

    assert (got.status_code, _error(got)["code"]) == (403, "content_policy_violation")
    assert "forbidden" not in got.text
    assert lists.noted() == {"verdict": "output", "judge": "words"}


def test_a_stream_ends_where_it_is_refused(lists: Door) -> None:
    """What passed before stays, then comes an error that clients know, and the engine is told to stop."""
    lists.engine.script = stream(
        "Once ", "upon a ", "for", "bid", "den", " time", *["…"] * 99, pause_seconds=0.03
    )
    broken_off = lists.engine.broken_off
    got = lists.chat("Tell me", stream=True)
    events = got.text.split("\n\n")

    assert events[0:4] == [part.decode().rstrip() for part in lists.engine.script.parts[:4]]
    assert json.loads(events[4].removeprefix("data: "))["error"]["code"] == "content_policy_violation"
    assert events[5:] == ["data: [DONE]", ""]
    assert lists.noted() == {"verdict": "output", "judge": "words"}
    _until(lambda: lists.engine.broken_off == broken_off + 1)


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

    assert (got.status_code, _error(got)["code"]) == (503, "moderation_unavailable")


def test_a_stream_that_cannot_be_read_breaks_off(lists: Door) -> None:
    """Events that are no JSON end the stream with an error."""
    lists.engine.script = Script(parts=[event("fine "), b"data: forbid\n\n", b"data: den\n\n"], type=EVENTS)
    got = lists.chat("Hello", stream=True)

    assert got.content.startswith(event("fine "))
    assert "moderation_unavailable" in got.text
    assert "forbid" not in got.text


def test_a_route_without_moderation_passes_everything(lists: Door) -> None:
    """The moderator is not asked where the endpoint's moderation is off."""
    lists.engine.script = answer(SECRET)
    got = lists.chat(SECRET, path="/off/v1/chat/completions")

    assert (got.status_code, got.content) == (200, lists.engine.script.parts[0])


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

    assert (got.status_code, _error(got)["code"]) == (503, "moderation_unavailable")
    assert int(got.headers["retry-after"]) > 0
    assert asking.engine.bodies == []
    assert asking.noted() == {"verdict": "failed", "judge": judge}
    assert "private" not in asking.moderator.log.read_text()


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


def test_a_caller_who_leaves_ends_judging(asking: Door, service: Fake) -> None:
    """Nobody waits for the judges of a request that nobody waits for."""
    service.script = Script(parts=[b" "] * 100, pause_seconds=0.05)
    broken_off = service.broken_off
    body = {"messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"http://127.0.0.1:{asking.port}/", json=body, timeout=0.2)

    _until(lambda: service.broken_off > broken_off, seconds=0.7)


def test_chunked_bodies_are_judged_whole(lists: Door) -> None:
    """A body that comes in pieces without a length is judged as one, and passes as one."""
    parts = [b'{"messages": [{"role": "user", "content": "the for', b"bid", b'den secret"}]}']
    for sent, status in ((parts, 403), ([parts[0], b"um", parts[2]], 200)):
        lists.engine.script = answer("Good.")
        url = f"http://127.0.0.1:{lists.port}/"

        assert httpx.post(url, content=iter(sent)).status_code == status


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


def test_nothing_passes_a_moderator_that_hangs_or_died(mortal: Door) -> None:
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


def _until(happened: object, *, seconds: float = 5) -> None:
    assert callable(happened)
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline

        time.sleep(0.02)
