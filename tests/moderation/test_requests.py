"""Requests through a real Envoy that asks a real moderator: what reaches an engine, and what does not."""

import json

import httpx
import pytest

from infra.render.gateway.errors import MAX_BODY_MIB
from moderation.fakes import answer
from moderation.running import Door, error_of

KIB = 1024
SECRET = "the forbidden secret"


def test_a_clean_request_and_answer_pass_unchanged(lists: Door) -> None:
    """Both arrive byte for byte, and the engine is not asked for a compressed answer."""
    lists.engine.script = answer("Hello. Forbiddenness is another word.")
    got = lists.chat("Say hello.")

    assert (got.status_code, got.content) == (200, lists.engine.script.parts[0])
    assert "accept-encoding" not in lists.engine.headers[0]
    assert json.loads(lists.engine.bodies[0])["messages"][0]["content"] == "Say hello."
    assert lists.noted() == {"verdict": "passed"}


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
        [{"type": "text", "text": "for"}, {"type": "refusal", "refusal": "bidden secret"}],
        [{"type": "text", "text": "bad"}, {"type": "text", "text": "phrase"}],
        "the for\u2065bid\U000e0080den secret",
        [{"type": "image_url", "image_url": {"url": "https://example.com/forbidden"}}],
        [{"type": "unheard-of", "unheard-of": {"deep": [{"inside": [SECRET]}]}}],
    ],
)
def test_a_refused_request_reaches_no_engine(lists: Door, content: object) -> None:
    """However it is written, the answer is 403 without a word of it, and no engine hears of it."""
    got = lists.chat("Good morning", content)

    assert (got.status_code, error_of(got)["code"]) == (403, "content_policy_violation")
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
        {"tools": [{"function": {"parameters": {"type": "object", "image_url": {"data": SECRET}}}}]},
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


@pytest.mark.parametrize("heavy", [[1] * 100_001, "ﷺ" * 10_000], ids=["values", "signs"])
def test_a_body_that_is_too_much_to_judge_is_refused(lists: Door, heavy: object) -> None:
    """The answer says what is too much, in the way of bodies that are too large."""
    got = lists.chat("Hello", metadata=heavy)

    assert (got.status_code, error_of(got)["code"]) == (413, "body_too_large")
    assert "100,000" in got.text
    assert lists.engine.bodies == []


def test_large_bodies_pass_and_are_searched_to_the_end(lists: Door) -> None:
    """200 KB both ways, and nearly the largest body with the word at the very end."""
    long = "All is well here. " * (200 * KIB // 18)
    lists.engine.script = answer(long)

    assert lists.chat(long).content == lists.engine.script.parts[0]
    assert lists.chat("x " * ((MAX_BODY_MIB << 19) - KIB) + "forbidden").status_code == 403


def test_chunked_bodies_are_judged_whole(lists: Door) -> None:
    """A body that comes in pieces without a length is judged as one, and passes as one."""
    parts = [b'{"messages": [{"role": "user", "content": "the for', b"bid", b'den secret"}]}']
    for sent, status in ((parts, 403), ([parts[0], b"um", parts[2]], 200)):
        lists.engine.script = answer("Good.")
        url = f"http://127.0.0.1:{lists.port}/"

        assert httpx.post(url, content=iter(sent)).status_code == status


def test_a_route_without_moderation_passes_everything(lists: Door) -> None:
    """The moderator is not asked where the endpoint's moderation is off."""
    lists.engine.script = answer(SECRET)
    got = lists.chat(SECRET, path="/off/v1/chat/completions")

    assert (got.status_code, got.content) == (200, lists.engine.script.parts[0])
