"""Streams that come near to what is refused: nothing of it is released, and nothing else waits."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.moderation.judges.beginnings import LAG_CHARACTERS
from infra.moderation.judges.protocol import Found, Matcher, Refused
from infra.moderation.judges.words import words
from infra.moderation.windows import (
    OTHERS_CHARACTERS,
    WINDOW_CHARACTERS,
    Window,
    Windows,
)
from moderation.streams import JUDGES, NUMBERS, TEXTS, event_of, outcome, steps_of, stream_of, texts_of

HELD = words(("bad word", "ass", "坏话", "é́vil", "한국"))
HELD_WORD = words(("bad word",))
REFUSED = st.tuples(
    TEXTS, st.sampled_from(["bad word.", " ass ", "坏话", "123-45 ", "b\u200bad \n word"]), TEXTS
).map("".join)


@given(REFUSED, st.lists(st.integers(0, 30), max_size=8), st.booleans())
def test_of_what_is_refused_no_beginning_is_released(whole: str, cuts: list[int], asks: bool) -> None:
    """However tokens divide a text, what a caller has of it ends before the match begins."""
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    texts = [whole[start:end] for start, end in pairwise(places)]
    stream = stream_of(("content", 0, text) for text in texts)
    released, _, refused = outcome(steps_of([stream], asks=asks))
    got = texts_of(released).get("choices.0.delta.content", "")

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
    got = outcome(steps_of([stream_of(("content", 0, text) for text in texts)], asks=False, judges=(HELD,)))[
        0
    ]

    assert texts_of(got).get("choices.0.delta.content", "") == "".join(texts[:released])


def test_harmless_text_goes_on_at_once() -> None:
    """An event is released as soon as it is read where its text ends in no beginning of a word."""
    windows = Windows((HELD,), asks=False)
    for text in ("Hello", ",", " how", " are", " you", "?\n", "class", "ic", "今天", '{"n\\n": "', "ö"):
        assert windows.feed(event_of(text), end=False) == [Window(events=event_of(text), texts=())], text


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
    stream = stream_of(("content", 0, text) for text in texts)
    got = outcome(steps_of([stream], asks=False, judges=(NUMBERS,)))[0]

    assert texts_of(got).get("choices.0.delta.content", "") == "".join(texts[:released])


def test_what_comes_after_waits_too() -> None:
    """Events stay in their order: other choices, and events without text, wait behind a beginning."""
    usage = b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'
    waits = event_of("a") + event_of("fine", choice=1) + usage
    windows = Windows((HELD,), asks=False)

    assert windows.feed(waits, end=False) == []
    assert windows.feed(event_of("n"), end=False) == [Window(events=waits + event_of("n"), texts=())]


def test_the_end_of_a_stream_releases_what_waits() -> None:
    """A beginning that nothing follows is no match."""
    stream = stream_of([("content", 0, "so"), ("content", 0, " b"), ("content", 0, "ad")])

    assert outcome(steps_of([stream], asks=False, judges=(HELD, NUMBERS))) == (stream, [], [])


@pytest.mark.parametrize("judge", [HELD_WORD, NUMBERS], ids=["words", "patterns"])
def test_text_of_another_kind_ends_the_waiting(judge: Matcher) -> None:
    """Reasoning that content follows, and a tool's name that arguments follow, hold nothing up."""
    thought = event_of("it is b", name="reasoning_content")
    windows = Windows((judge,), asks=False)

    assert windows.feed(thought, end=False) == []
    (window,) = windows.feed(event_of("x " * LAG_CHARACTERS), end=False)
    assert isinstance(window, Window)
    assert window.events.startswith(thought)


def test_a_choice_that_is_over_holds_the_others_for_a_while_only() -> None:
    """When the other choices have gone on for long, what a choice ended in is no beginning."""
    windows = Windows((HELD,), asks=False)
    other = event_of("fine ", choice=1)
    waits = event_of("b") + other * (OTHERS_CHARACTERS // len("fine "))

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

    assert outcome(steps_of([stream], asks=False, judges=(HELD,))) == (b"", [], [Refused(judge="words")])


def test_text_that_waits_is_asked_about_and_still_waits() -> None:
    """A window's question has what is held back; its answer does not release that."""
    long = "x" * WINDOW_CHARACTERS + " b"
    windows = Windows((HELD,), asks=True)

    assert windows.feed(event_of(long), end=False) == [Window(events=b"", texts=(long,))]
    assert windows.feed(event_of("ed"), end=False) == [Window(events=event_of(long), texts=())]


def test_of_a_tool_call_nothing_that_is_refused_is_released() -> None:
    """The name goes on with the arguments; of these, nothing that begins a listed word does."""
    functions = [{"name": "b"}, *({"arguments": each} for each in ('{"a": "', "\\u0062", "ad wo", 'rd"}'))]
    events = [
        f"data: {json.dumps({'choices': [{'delta': {'tool_calls': [{'index': 0, 'function': each}]}}]})}\n\n"
        for each in functions
    ]
    windows = Windows((HELD_WORD,), asks=False)
    name, begin, *rest = (each.encode() for each in events)

    assert windows.feed(name, end=False) == []
    assert windows.feed(begin, end=False) == [Window(events=name + begin, texts=())]
    assert windows.feed(b"".join(rest), end=False) == [Refused(judge="words")]
