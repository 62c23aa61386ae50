"""Streams, cut into windows: however their bytes arrive, the same passes and the same does not."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.moderation.events import event_texts
from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Failed, Found, Refused
from infra.moderation.judges.words import words
from infra.moderation.windows import (
    OPEN_CHARACTERS,
    OVERLAP_CHARACTERS,
    SENTENCE_CHARACTERS,
    WINDOW_CHARACTERS,
    Step,
    Window,
    Windows,
)

LISTED = words(("bad word", "ass", "坏话", "é́vil"))
NUMBERS = patterns((r"\b\d{3}-\d{2}\b", r"stop$"))
JUDGES = (LISTED, NUMBERS)

# Pieces of what is refused, so that streams often come near to it.
PIECES = (
    "bad",
    " ",
    "\n",
    "word",
    "a",
    "ss",
    "坏",
    "话",
    "123",
    "-",
    "45",
    "6",
    "st",
    "op",
    ".",
    "\u200b",
    "e\u0301",
    "vil",
    "\\",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["content", "reasoning_content"]), st.integers(0, 1), TEXTS), max_size=12
)
ENDS = st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"])


def _stream(events: Iterable[tuple[str, int, str]], end: str = "\n\n") -> bytes:
    chunks = [{"choices": [{"index": choice, "delta": {name: text}}]} for name, choice, text in events]
    written = [f"data: {json.dumps(chunk)}{end}" for chunk in chunks]
    return "".join([": begin" + end, *written, f"data: [DONE]{end}"]).encode()


def _cut(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


def _steps(parts: Sequence[bytes], *, asks: bool) -> list[Step]:
    windows = Windows(JUDGES, asks=asks)
    steps = [step for part in parts for step in windows.feed(part, end=False)]
    return steps + windows.feed(b"", end=True)


def _outcome(steps: Sequence[Step]) -> tuple[bytes, list[tuple[str, ...]], list[object]]:
    windows = [step for step in steps if isinstance(step, Window)]
    asked = [window.texts for window in windows if window.texts]
    return (
        b"".join(window.events for window in windows),
        asked,
        [step for step in steps if step not in windows],
    )


def _texts(events: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in events.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        for channel, text in event_texts(event):
            found[channel] = found.get(channel, "") + text
    return found


@given(EVENTS, ENDS, st.lists(st.integers(0, 2000), max_size=30), st.booleans())
def test_cuts_change_nothing(
    events: list[tuple[str, int, str]], end: str, cuts: list[int], asks: bool
) -> None:
    """However a stream's bytes are cut, the released bytes, the questions and the refusal are the same."""
    stream = _stream(events, end)

    assert _outcome(_steps(_cut(stream, cuts), asks=asks)) == _outcome(_steps([stream], asks=asks))


@given(EVENTS, st.booleans())
def test_nothing_forbidden_is_ever_released(events: list[tuple[str, int, str]], asks: bool) -> None:
    """What a caller has at any time holds nothing that the judges find; what they find nothing in passes."""
    stream = _stream(events)
    steps = _steps([stream], asks=asks)
    released = b""
    for step in steps:
        released += step.events if isinstance(step, Window) else b""
        for text in _texts(released).values():
            assert [judge.find("", text, final=True) for judge in JUDGES] == [Found.NOTHING, Found.NOTHING]
    clean = all(
        judge.find("", text, final=True) is Found.NOTHING
        for judge in JUDGES
        for text in _texts(stream).values()
    )

    assert (released == stream) == clean
    assert isinstance(steps[-1], Window if clean else Refused)


@given(st.lists(st.text(max_size=30), max_size=40), st.booleans())
def test_clean_text_passes_byte_for_byte(texts: list[str], asks: bool) -> None:
    """Whatever is written, without a judge's word nothing is lost or changed."""
    stream = _stream(("content", 0, text) for text in texts)
    windows = Windows((), asks=asks)

    assert _outcome(windows.feed(stream, end=True))[0] == stream


@given(st.lists(st.text("ab. ", min_size=1, max_size=90), min_size=1, max_size=40))
def test_windows_cover_all_text_and_overlap(texts: list[str]) -> None:
    """Questions end where sentences do, are never long, and each repeats the end of the one before."""
    asked = _outcome(_steps([_stream(("content", 0, text) for text in texts)], asks=True))[1]
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

    assert windows.feed(_stream([("content", 0, short)])[:-14], end=False) == []
    (window,) = windows.feed(_stream([("content", 0, f"{long}.")])[:-14], end=False)
    assert isinstance(window, Window)
    assert window.texts == (f"{short}{long}.",)


@pytest.mark.parametrize(
    ("texts", "released"),
    [
        (("as", "s"), ("as",)),
        (("as", "s", "ign"), ("as", "s", "ign")),
        (("as", "s", " "), ("as",)),
        (("bad", " " * 5000, "word."), ("bad", " " * 5000)),
        (("bad", "\u200b" * 5000, " word."), ("bad", "\u200b" * 5000)),
        (("12", "3-4", "5", "6 "), ("12", "3-4", "5", "6 ")),
        (("12", "3-4", "5", " "), ("12", "3-4")),
        (("st", "op"), ("st",)),
        (("st", "op", " now"), ("st", "op", " now")),
        (("x" * 600, "ass", "."), ("x" * 600, "ass", ".")),
        (("x " * 600 + "cl", "ass", "."), ("x " * 600 + "cl", "ass", ".")),
        (("cl", "ass", "."), ("cl", "ass", ".")),
    ],
)
def test_text_is_held_only_while_it_may_become_forbidden(
    texts: tuple[str, ...], released: tuple[str, ...]
) -> None:
    """What ends like a forbidden word waits for what follows; everything else goes on at once."""
    got, _, _ = _outcome(_steps([_stream(("content", 0, text) for text in texts)], asks=False))

    assert _texts(got).get("choices.0.delta.content", "") == "".join(released)


def test_text_that_stays_open_counts_as_a_match() -> None:
    """A pattern without an end cannot hold a stream back for ever."""
    windows = Windows((patterns(("begin[^!]*",)),), asks=False)
    stream = _stream([("content", 0, "begin"), *[("content", 0, "word " * 100)] * 20])

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
        return _outcome(_steps([f"data: {json.dumps(event)}\n\n".encode()], asks=False))[2]

    assert found("cl", "ass", "ic") == [Refused(judge="words")]
    assert found("a", "ss") == []


def test_chosen_tokens_are_judged_together() -> None:
    """A word that only the log probabilities have is found, however events and tokens divide it."""
    events = [
        {"choices": [{"index": 0, "delta": {"content": ""}, "logprobs": {"content": tokens}}]}
        for tokens in ([{"token": "x "}, {"token": "ba"}], [{"token": "d wo"}], [{"token": "rd."}])
    ]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()

    assert _outcome(_steps([stream], asks=False))[2] == [Refused(judge="words")]


def test_arguments_of_a_tool_are_read_as_json_too() -> None:
    """Escapes inside the arguments of a tool call hide nothing."""
    pieces = ['{"a": "x\\', "nb", "ad\\u00", "20wo", 'rd"}']
    calls = [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
        for piece in pieces
    ]
    stream = "".join(f"data: {json.dumps(call)}\n\n" for call in calls).encode()

    assert _outcome(_steps([stream], asks=False))[2] == [Refused(judge="words")]
