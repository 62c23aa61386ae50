"""Streams, cut into windows: however their bytes arrive, the same passes and the same does not."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.moderation.events import event_texts
from infra.moderation.judges.beginnings import LAG_CHARACTERS
from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Failed, Found, Matcher, Refused
from infra.moderation.judges.words import words
from infra.moderation.windows import (
    OPEN_CHARACTERS,
    OTHERS_CHARACTERS,
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
HELD = words(("bad word", "ass", "坏话", "é́vil", "한국"))
HELD_WORD = words(("bad word",))

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
REFUSED = st.tuples(
    TEXTS, st.sampled_from(["bad word.", " ass ", "坏话", "123-45 ", "b\u200bad \n word"]), TEXTS
).map("".join)
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


def _event(text: str, *, choice: int = 0, name: str = "content") -> bytes:
    return _stream([(name, choice, text)]).removeprefix(b": begin\n\n").removesuffix(b"data: [DONE]\n\n")


def _steps(parts: Sequence[bytes], *, asks: bool, judges: Sequence[Matcher] = JUDGES) -> list[Step]:
    windows = Windows(judges, asks=asks)
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


@given(REFUSED, st.lists(st.integers(0, 30), max_size=8), st.booleans())
def test_of_what_is_refused_no_beginning_is_released(whole: str, cuts: list[int], asks: bool) -> None:
    """However tokens divide a text, what a caller has of it ends before the match begins."""
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    texts = [whole[start:end] for start, end in pairwise(places)]
    stream = _stream(("content", 0, text) for text in texts)
    released, _, refused = _outcome(_steps([stream], asks=asks))
    got = _texts(released).get("choices.0.delta.content", "")

    assert whole.startswith(got)
    assert stream.startswith(released)
    if refused:
        end = next(end for end in range(1, len(whole) + 1) if _is_refused(whole, 0, end))
        assert len(got) <= max(start for start in range(end) if _is_refused(whole, start, end))


def _is_refused(whole: str, start: int, end: int) -> bool:
    """Return whether a part of a text is refused where it stands, whatever comes after it."""
    touched = start > 0 and whole[start - 1].isalnum() and whole[start - 1] not in "坏话"
    text, final = ("z" if touched else " ") + whole[start:end], end == len(whole)
    return any(judge.find("", text, final=final) is Found.REFUSED for judge in JUDGES)


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
        (("as", "s"), 0),
        (("as", "s", "ign"), 3),
        (("as", "s", " "), 0),
        (("so ", "as", "s", " "), 1),
        (("so as", "s "), 0),
        (("so b", "ad", " ", "\n", "wor", "d."), 0),
        (("so", " b", "ad\u200b", "word", "."), 1),
        (("so", " b", "ad", " ", "dog"), 5),
        (("so", " b", "\u200b", "a", "\u00ad", "D", " ", "\u200b", "wo", "rd", " "), 1),
        (("так ", "b", "\u0430", "d ", "w", "\u043ef"), 6),
        (("так ", "b", "\u0430", "d ", "w", "\u043erd,"), 1),
        (("是", "坏", "话"), 1),
        (("是", "坏", "人"), 3),
        (("네 ", "하", "\u11ab", "구", "\u11a8", "."), 1),
        (("say \\", "n\\", "u00", "62", "ad\\", "nword", " "), 1),
        (("say", " \\", "ud83", "c\\udd", "71", "ad wo", "rd."), 1),
        (("say", " \\", "u00", "62", "oy"), 5),
        (("x", "\U000e0062", "a", "d wo", "rd "), 5),
        (("x ", "\U000e0062", "a", "d wo", "rd "), 1),
        (("e\u0301", "v", "il", " "), 0),
        (("bad", " " * 5000, "word."), 2),
        (("bad", " " * 4000, "word."), 0),
        (("x" * 600, "ass", "."), 3),
        (("x " * 600 + "cl", "ass", "."), 3),
        (("cl", "ass", "."), 3),
        (("\\" * 40, "n", "ass", "."), 4),
    ],
)
def test_nothing_of_a_listed_word_is_released(texts: tuple[str, ...], released: int) -> None:
    """What may become a listed word waits, however it is written; what turns out otherwise goes on."""
    got = _outcome(_steps([_stream(("content", 0, text) for text in texts)], asks=False, judges=(HELD,)))[0]

    assert _texts(got).get("choices.0.delta.content", "") == "".join(texts[:released])


def test_harmless_text_goes_on_at_once() -> None:
    """An event is released as soon as it is read where its text ends in no beginning of a word."""
    windows = Windows((HELD,), asks=False)
    for text in ("Hello", ",", " how", " are", " you", "?\n", "class", "ic", "今天", '{"n\\n": "', "ö"):
        assert windows.feed(_event(text), end=False) == [Window(events=_event(text), texts=())], text


@pytest.mark.parametrize(
    ("texts", "released"),
    [
        (("ssn ", "12", "3-", "4", "5", " "), 0),
        (("ssn ", "12", "3-", "4", "5", "6"), 6),
        (("st", "op"), 0),
        (("st", "op", " now"), 3),
        (("x" * LAG_CHARACTERS, "y", "1", "23-45 "), 4),
        (("x" * LAG_CHARACTERS, "y " * LAG_CHARACTERS, "1", "23-45 "), 1),
        (("a\u200b" * LAG_CHARACTERS, "bb ", "1", "23-45 "), 0),
    ],
)
def test_nothing_of_a_pattern_is_released(texts: tuple[str, ...], released: int) -> None:
    """With patterns, the last characters that are seen wait for more, as anything may begin in them."""
    stream = _stream(("content", 0, text) for text in texts)
    got = _outcome(_steps([stream], asks=False, judges=(NUMBERS,)))[0]

    assert _texts(got).get("choices.0.delta.content", "") == "".join(texts[:released])


def test_what_comes_after_waits_too() -> None:
    """Events stay in their order: other choices, and events without text, wait behind a beginning."""
    usage = b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'
    waits = _event("a") + _event("fine", choice=1) + usage
    windows = Windows((HELD,), asks=False)

    assert windows.feed(waits, end=False) == []
    assert windows.feed(_event("n"), end=False) == [Window(events=waits + _event("n"), texts=())]


def test_the_end_of_a_stream_releases_what_waits() -> None:
    """A beginning that nothing follows is no match."""
    stream = _stream([("content", 0, "so"), ("content", 0, " b"), ("content", 0, "ad")])

    assert _outcome(_steps([stream], asks=False, judges=(HELD, NUMBERS))) == (stream, [], [])


@pytest.mark.parametrize("judge", [HELD_WORD, NUMBERS], ids=["words", "patterns"])
def test_text_of_another_kind_ends_the_waiting(judge: Matcher) -> None:
    """Reasoning that content follows, and a tool's name that arguments follow, hold nothing up."""
    thought = _event("it is b", name="reasoning_content")
    windows = Windows((judge,), asks=False)

    assert windows.feed(thought, end=False) == []
    (window,) = windows.feed(_event("x " * LAG_CHARACTERS), end=False)
    assert isinstance(window, Window)
    assert window.events.startswith(thought)


def test_a_choice_that_is_over_holds_the_others_for_a_while_only() -> None:
    """When the other choices have gone on for long, what a choice ended in is no beginning."""
    windows = Windows((HELD,), asks=False)
    other = _event("fine ", choice=1)
    waits = _event("b") + other * (OTHERS_CHARACTERS // len("fine "))

    assert windows.feed(waits, end=False) == []
    assert windows.feed(other, end=False) == [Window(events=waits + other, texts=())]


def test_a_token_without_text_ends_no_waiting() -> None:
    """Tokens that are parts of characters come with log probabilities only."""
    tokens = [("坏", "坏"), ("", "\ufffd"), ("话", "\ufffd")]
    events = [
        {"choices": [{"index": 0, "delta": {"content": text}, "logprobs": {"content": [{"token": token}]}}]}
        for text, token in tokens
    ]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()

    assert _outcome(_steps([stream], asks=False, judges=(HELD,))) == (b"", [], [Refused(judge="words")])


def test_text_that_waits_is_asked_about_and_still_waits() -> None:
    """A window's question has what is held back; its answer does not release that."""
    long = "x" * WINDOW_CHARACTERS + " b"
    windows = Windows((HELD,), asks=True)

    assert windows.feed(_event(long), end=False) == [Window(events=b"", texts=(long,))]
    assert windows.feed(_event("ed"), end=False) == [Window(events=_event(long), texts=())]


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
