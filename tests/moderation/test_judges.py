"""Judges by themselves: what a list finds, and what a configuration may say."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import sample_plan

from infra.moderation.config import ConfigError, parse
from infra.moderation.judges.guard import PIECE_CHARACTERS
from infra.moderation.judges.pieces import OVERLAP_CHARACTERS, pieces
from infra.moderation.judges.protocol import Found, JudgeError, Kind, Opinion, Refused
from infra.moderation.judges.words import is_empty, words
from infra.moderation.panel import Panel
from infra.moderation.texts import document, request_texts
from infra.moderation.unreadable import UnreadableError
from infra.render.gateway.moderation import moderation_config
from infra.render.gateway.place import Address, Place
from infra.spec.gateway import Moderation

PLACE = Place(
    folder="/files",
    keys_folder="/keys",
    listen=Address(host="127.0.0.1", port=1),
    metrics=Address(host="127.0.0.1", port=2),
    admin=Address(host="127.0.0.1", port=3),
    access_log="/dev/stdout",
    ratelimit=None,
    moderator=None,
    concurrency=None,
    upstreams={},
    tls=None,
    replicas=1,
)


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("ass", "a class of assistants", False),
        ("ass", "an ass.", True),
        ("ass", "ASS", True),
        ("ass", "one_ass_two", True),
        ("ass", "pass1 1ass", False),
        ("ass", "说ass吗", True),
        ("strasse", "Straße", True),
        ("Straße", "STRASSE", True),
        ("resume", "my résumé", True),
        ("résumé", "my resume", True),
        ("c++", "in c++11", True),
        ("c++", "abc++", False),
        ("two words", "two\n\n words", True),
        ("two words", "two, words", False),
        ("敏感", "不敏感吗", True),
        ("a.b", "axb", False),
        ("ﬁne", "that is fine", True),
    ],
)
def test_what_a_word_is(word: str, text: str, found: bool) -> None:
    """Whole words in spaced scripts, any place in others; width, case and accents do not matter."""
    assert (words((word,)).find("", text, final=True) is Found.REFUSED) == found


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_word_is_found_between_any_blanks(word: str, before: str, after: str) -> None:
    """Whatever a listed word is made of, the text that has it between blanks is refused."""
    try:
        parse(json.dumps({"words": [word]}).encode())
    except ConfigError:
        return
    assert words((word,)).find("", f"{before} {word} {after}", final=True) is Found.REFUSED


@given(st.lists(st.text(max_size=2000), max_size=4), st.integers(OVERLAP_CHARACTERS + 1, 3000))
def test_pieces_cover_texts(texts: list[str], characters: int) -> None:
    """Long texts come in pieces that overlap, so that what is found in a text is found in a piece."""
    found = list(pieces(texts, characters))

    assert all(len(piece) <= characters for piece in found)
    for text in texts:
        for start in range(0, max(1, len(text) - OVERLAP_CHARACTERS), 97):
            assert any(text[start : start + OVERLAP_CHARACTERS] in piece for piece in found)


@pytest.mark.parametrize(
    ("file", "complaints"),
    [
        ("{}", ["file: names no judge; allowed are words, patterns, url and guard"]),
        (
            '{"words": ["\\u200b", "ok"], "patterns": ["("]}',
            ["words.0: nothing to look for", "patterns.0: no regular"],
        ),
        (
            '{"guard": {"endpoint_id": "g", "upstream": "h:1", "flags": "["}}',
            ["guard.flags: no regular expression"],
        ),
        ('{"url": "ftp://x", "more": 1}', ["url: ", "more: "]),
        ("not JSON", ["file: Invalid JSON"]),
    ],
)
def test_a_wrong_configuration_is_refused_whole(file: str, complaints: list[str]) -> None:
    """All that is wrong is said at once, each with its place."""
    with pytest.raises(ConfigError) as caught:
        parse(file.encode())
    lines = str(caught.value).splitlines()

    assert len(lines) == len(complaints)
    assert all(any(line.startswith(complaint) for line in lines) for complaint in complaints)


def test_the_moderator_takes_every_word_that_the_environment_may_have() -> None:
    """Of all characters of Unicode, those that an environment may list leave something to look for."""
    characters = tuple(chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000)
    moderation = Moderation.model_construct(words=characters, patterns=(), url=None, guard=None)
    refused = {place[1] for place, _ in moderation.complaints()}
    accepted = [character for position, character in enumerate(characters) if position not in refused]

    assert len(accepted) > 100_000
    assert not [character for character in accepted if is_empty(character)]


def test_the_moderator_reads_what_the_plan_writes() -> None:
    """What is rendered from an environment is the moderator's file; the guard is where this place has it."""
    guard = {
        "model": "qwen3-32b",
        "template": "h20-single",
        "units": {"reserved": 4},
        "moderation": {"enabled": False, "reason": "is the guard", "confirmed_by": "t.ester"},
    }
    moderation = {
        "words": ("a b", "敏感词"),
        "patterns": (r"\d+",),
        "url": "http://moderator:9000",
        "guard": {"endpoint": "guard"},
        "timeout": "2s",
    }
    plan = sample_plan({"guard": guard}, gateway={"image": "modelunits:1"}, moderation=moderation)
    upstreams = {plan.endpoints[0].id: Address(host="127.0.0.1", port=8001)}
    config = parse(moderation_config(plan, dataclasses.replace(PLACE, upstreams=upstreams)).encode())

    assert (config.words, config.patterns) == (("a b", "敏感词"), (r"\d+",))
    assert (config.url, config.timeout_seconds) == ("http://moderator:9000", 2.0)
    assert config.guard is not None
    assert (config.guard.endpoint_id, config.guard.upstream) == (plan.endpoints[0].id, "127.0.0.1:8001")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A judge that says what a test wants."""

    kind: Kind
    answer: bool | None
    after_seconds: float = 0

    async def refuses(self, texts: Sequence[str]) -> bool:
        """Answer, late or never."""
        await asyncio.sleep(self.after_seconds)
        if self.answer is None:
            raise JudgeError("broken")
        return self.answer


@pytest.mark.parametrize(
    ("judges", "opinion"),
    [
        ([], None),
        ([Answering(kind="url", answer=False), Answering(kind="guard", answer=False)], None),
        (
            [Answering(kind="url", answer=True, after_seconds=9), Answering(kind="guard", answer=True)],
            "guard refuses",
        ),
        (
            [Answering(kind="url", answer=None), Answering(kind="guard", answer=True, after_seconds=0.05)],
            "guard refuses",
        ),
        ([Answering(kind="url", answer=None), Answering(kind="guard", answer=False)], "url fails"),
        ([Answering(kind="url", answer=False, after_seconds=9)], "url fails"),
    ],
)
def test_the_first_refusal_counts(judges: list[Answering], opinion: str | None) -> None:
    """A refusal does not wait for the others, a failure does, and silence is a failure."""
    panel = Panel(matchers=(), askers=tuple(judges), timeout_seconds=0.1)
    said = asyncio.run(panel.ask(["text"]))

    assert _words(said) == opinion


def _words(opinion: Opinion) -> str | None:
    if opinion is None:
        return None
    return f"{opinion.judge} {'refuses' if isinstance(opinion, Refused) else 'fails'}"


def test_guards_read_whole_requests_in_pieces() -> None:
    """A text of any length is judged to its end."""
    assert len(list(pieces(["x" * 200_000], PIECE_CHARACTERS))) == 27


def test_media_is_not_read_and_everything_else_is() -> None:
    """The bytes of images and sounds are no text; the same bytes anywhere else are."""
    image, sound = "data:image/png;base64," + "A" * 64, "B" * 64
    schema = {"type": "object", "image_url": {"data": "hidden", "url": image}}
    parts = [
        {"type": "image_url", "image_url": {"url": image, "detail": "low", "more": image}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "data:image/forbidden"}},
        {"type": "text", "text": "seen"},
    ]
    request = {
        "model": "ep-chat-000000",
        "messages": [{"role": "user", "content": parts}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    }

    assert request_texts(document(json.dumps(request).encode())) == (
        "low",
        "more\n",
        image,
        "wav",
        "data:image/forbidden",
        "seen",
        "f",
        "hidden",
    )


@pytest.mark.parametrize("body", ['{"a": [' + "[" * 200 + "]" * 200 + "]}", '{"a": NaN' * 2, "\ufeff{}"])
def test_bodies_that_others_may_read_differently_are_refused(body: str) -> None:
    """Too deep, not JSON, with a mark in front: nobody has to guess what an engine would see."""
    with pytest.raises(UnreadableError):
        request_texts(document(body.encode()))
