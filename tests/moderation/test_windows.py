"""Streams, cut into windows: however their bytes arrive, the same passes and the same does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Failed, Found, Refused
from infra.moderation.windows import (
    OPEN_CHARACTERS,
    OVERLAP_CHARACTERS,
    SENTENCE_CHARACTERS,
    WINDOW_CHARACTERS,
    Window,
    Windows,
)
from moderation.streams import (
    ENDS,
    EVENTS,
    JUDGES,
    cut,
    outcome,
    steps_of,
    stream_of,
    texts_of,
)


@given(EVENTS, ENDS, st.lists(st.integers(0, 2000), max_size=30), st.booleans())
def test_cuts_change_nothing(
    events: list[tuple[str, int, str]], end: str, cuts: list[int], asks: bool
) -> None:
    """However a stream's bytes are cut, the released bytes, the questions and the refusal are the same."""
    stream = stream_of(events, end)

    assert outcome(steps_of(cut(stream, cuts), asks=asks)) == outcome(steps_of([stream], asks=asks))


@given(EVENTS, st.booleans())
def test_nothing_forbidden_is_ever_released(events: list[tuple[str, int, str]], asks: bool) -> None:
    """What a caller has at any time holds nothing that the judges find; what they find nothing in passes."""
    stream = stream_of(events)
    steps = steps_of([stream], asks=asks)
    released = b""
    for step in steps:
        released += step.events if isinstance(step, Window) else b""
        for text in texts_of(released).values():
            assert [judge.find("", text, final=True) for judge in JUDGES] == [Found.NOTHING, Found.NOTHING]
    clean = all(
        judge.find("", text, final=True) is Found.NOTHING
        for judge in JUDGES
        for text in texts_of(stream).values()
    )

    assert (released == stream) == clean
    assert isinstance(steps[-1], Window if clean else Refused)


@given(st.lists(st.text(max_size=30), max_size=40), st.booleans())
def test_clean_text_passes_byte_for_byte(texts: list[str], asks: bool) -> None:
    """Whatever is written, without a judge's word nothing is lost or changed."""
    stream = stream_of(("content", 0, text) for text in texts)
    windows = Windows((), asks=asks)

    assert outcome(windows.feed(stream, end=True))[0] == stream


@given(st.lists(st.text("ab. ", min_size=1, max_size=90), min_size=1, max_size=40))
def test_windows_cover_all_text_and_overlap(texts: list[str]) -> None:
    """Questions end where sentences do, are never long, and each repeats the end of the one before."""
    asked = outcome(steps_of([stream_of(("content", 0, text) for text in texts)], asks=True))[1]
    whole, covered = "".join(texts), ""
    for (question,) in asked:
        assert len(question) <= OVERLAP_CHARACTERS + WINDOW_CHARACTERS + 90
        if len(whole) <= OVERLAP_CHARACTERS and "  " not in whole:
            assert question.startswith(covered)
            covered = question
    if len(whole) <= OVERLAP_CHARACTERS and "  " not in whole:
        assert covered == whole


def test_a_window_waits_for_the_end_of_a_sentence() -> None:
    """A sentence that is long enough ends a window; a shorter one waits for the next."""
    windows = Windows((), asks=True)
    short, long = "Short.", "x" * SENTENCE_CHARACTERS

    assert windows.feed(stream_of([("content", 0, short)])[:-14], end=False) == []
    (window,) = windows.feed(stream_of([("content", 0, f"{long}.")])[:-14], end=False)
    assert isinstance(window, Window)
    assert window.texts == (f"{short}{long}.",)


def test_text_that_stays_open_counts_as_a_match() -> None:
    """A pattern without an end cannot hold a stream back for ever."""
    windows = Windows((patterns(("begin[^!]*",)),), asks=False)
    stream = stream_of([("content", 0, "begin"), *[("content", 0, "word " * 100)] * 20])

    assert windows.feed(stream[: len(stream) // 3], end=False)[1:] == []
    assert windows.feed(stream[len(stream) // 3 :], end=False) == [Refused(judge="patterns")]
    assert OPEN_CHARACTERS < len("word " * 100) * 20


@pytest.mark.parametrize(
    "stream",
    [
        b"data: no JSON\n\n",
        b"data: [1]\n\n",
        b"forbidden\n\n",
        b"data: {\n\n",
        b": \xff\n\n",
        b'data: {"a":1,"a":2}\n\n',
    ],
)
def test_what_is_no_event_fails(stream: bytes) -> None:
    """Bytes that cannot be understood are not released."""
    (failed,) = Windows((), asks=False).feed(stream, end=True)

    assert isinstance(failed, Failed)
    assert failed.judge == "reader"


def test_tokens_that_were_not_chosen_are_judged_each_for_itself() -> None:
    """Log probabilities show words too: one of them is enough, and neighbours make no word."""

    def found(*tokens: str) -> list[object]:
        logprobs = {"content": [{"token": "x", "top_logprobs": [{"token": token} for token in tokens]}]}
        event = {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": logprobs}]}
        return outcome(steps_of([f"data: {json.dumps(event)}\n\n".encode()], asks=False))[2]

    assert found("cl", "ass", "ic") == [Refused(judge="words")]
    assert found("a", "ss") == []


def test_chosen_tokens_are_judged_together() -> None:
    """A word that only the log probabilities have is found, however events and tokens divide it."""
    events = [
        {"choices": [{"index": 0, "delta": {"content": ""}, "logprobs": {"content": tokens}}]}
        for tokens in ([{"token": "x "}, {"token": "ba"}], [{"token": "d wo"}], [{"token": "rd."}])
    ]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()

    assert outcome(steps_of([stream], asks=False))[2] == [Refused(judge="words")]


def test_arguments_of_a_tool_are_read_as_json_too() -> None:
    """Escapes inside the arguments of a tool call hide nothing."""
    pieces = ['{"a": "x\\', "nb", "ad\\u00", "20wo", 'rd"}']
    calls = [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
        for piece in pieces
    ]
    stream = "".join(f"data: {json.dumps(call)}\n\n" for call in calls).encode()

    assert outcome(steps_of([stream], asks=False))[2] == [Refused(judge="words")]
