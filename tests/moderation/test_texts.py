"""What is read of bodies: the parts as vLLM joins them, and in no more memory than the body deserves."""

import json
import tracemalloc

import pytest

from infra.moderation.judges.protocol import Found
from infra.moderation.judges.words import words
from infra.moderation.texts import answer_texts, document, request_document, request_texts

LISTED = words(("bad phrase", "forbidden"))
LONG = "A" * 100_000
IMAGE = "data:image/png;base64," + "A" * 64
BILLING = "x-anthropic-billing-header: zzz"
MEMORY_BYTES_MAX = 32 << 20


def _nested(depth: int, inner: object) -> object:
    for _ in range(depth):
        inner = {"max_completion_tokens": inner}
    return inner


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "index": LONG, "content": ["a"] * 20_000}]},
        {"messages": [{"role": "user", "index": 10**4000, "content": ["a"] * 20_000}]},
        {LONG: ["a"] * 20_000},
        {"messages": [{"role": "user", "content": [{LONG: "a"}] + [{"text": {"b": "a"}}] * 20_000}]},
        {"metadata": _nested(98, ["a"] * 20_000)},
    ],
    ids=["index", "number", "name", "part", "depth"],
)
def test_a_request_takes_little_memory(fields: dict[str, object]) -> None:
    """What callers call their fields is kept once, not once for each text below it."""
    body = json.dumps({"model": "ep-chat-000000", **fields}).encode()
    tracemalloc.start()
    try:
        request_texts(request_document(body))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < MEMORY_BYTES_MAX


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "bad"}, {"type": "text", "text": "phrase"}],
        ["bad", {"type": "input_text", "text": "phrase"}],
        [{"type": "refusal", "text": "zzz", "refusal": "bad"}, {"type": "text", "text": "phrase"}],
        [{"type": "thinking", "text": "zzz", "thinking": "bad"}, {"type": "output_text", "text": "phrase"}],
        [{"type": "tool_reference", "text": "zzz", "name": "bad"}, {"type": "text", "text": "phrase"}],
        [{"tool_reference": 1, "name": "bad"}, {"type": "text", "text": "phrase"}],
        [{"type": "text", "uuid": "1", "tool_reference": 1, "text": "zzz", "name": "bad"}, "phrase"],
        ["bad", {"type": "image_url", "text": "zzz", "image_url": {"url": IMAGE}}, "phrase"],
        ["bad", {"image_url": IMAGE, "text": "zzz"}, "phrase"],
        ["bad", {"type": "text", "text": f"{BILLING}\nphrase"}],
        ["bad", BILLING, "phrase"],
    ],
)
def test_parts_are_joined_as_the_engine_joins_them(content: list[object]) -> None:
    """A phrase over several parts is found, whatever else stands in fields that the engine leaves out."""
    request = {"messages": [{"role": "system", "content": content}]}
    texts = request_texts(document(json.dumps(request).encode()))

    assert any(LISTED.find("", text, final=True) is Found.REFUSED for text in texts)


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [{"token": "for", "top_logprobs": [{"token": "x"}]}, {"token": "bidden"}]},
        {"content": [], "refusal": [{"token": "for"}, {"token": "bidden"}]},
        {"tokens": ["for", "bidden"]},
    ],
)
def test_tokens_that_were_chosen_are_judged_together(logprobs: object) -> None:
    """Log probabilities repeat the answer, so they are read as one text too."""
    answer = {"choices": [{"index": 0, "message": {"content": ""}, "logprobs": logprobs}]}
    texts = answer_texts(document(json.dumps(answer).encode()))

    assert "forbidden" in texts
