"""Lists of tens of thousands of words, which take as long as short ones."""

import json
import random
import time

import pytest

from infra.moderation.config import parse
from infra.moderation.judges.protocol import Found
from infra.moderation.judges.words import words

COUNT = 20_000
CHARACTERS = 10_000
SECONDS_MAX = 0.25
"""A twentieth of it where nothing else runs; expressions of RE2 took ten times as long as this."""

LETTERS = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "cyrillic": "".join(map(chr, range(0x430, 0x450))),
    "ethiopic": "".join(map(chr, range(0x1210, 0x1248))),
    "hangul": "".join(map(chr, range(0xAC00, 0xAC00 + 2_000))),
    "han": "".join(map(chr, range(0x4E00, 0x4E00 + 3_500))),
}


@pytest.mark.parametrize("script", LETTERS)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_long_list_is_as_fast_as_a_short_one(script: str, parts: int) -> None:
    """Ten thousand characters against twenty thousand words hold nobody up, and the last word is found."""
    chance = random.Random(1)
    listed = tuple(
        " ".join("".join(chance.choices(LETTERS[script], k=8)) for _ in range(parts)) for _ in range(COUNT)
    )
    judge = words(listed)
    text = " ".join("".join(chance.choices(LETTERS[script], k=6)) for _ in range(CHARACTERS // 7))
    judge.find("", text[:100], final=True)
    start = time.perf_counter()

    assert judge.find("", text, final=True) is Found.NOTHING
    assert time.perf_counter() - start < SECONDS_MAX
    assert judge.find("", f"{text} {listed[-1]}", final=True) is Found.REFUSED


def test_a_list_may_be_as_long_as_a_config_map() -> None:
    """What fits into the moderator's file is read: a megabyte of the longest words."""
    chance = random.Random(1)
    listed = ["".join(chance.choices(LETTERS["latin"], k=200)) for _ in range(5_000)]
    judge = words(parse(json.dumps({"words": listed}).encode()).words)

    assert judge.find("", f"so {listed[-1]}.", final=True) is Found.REFUSED
