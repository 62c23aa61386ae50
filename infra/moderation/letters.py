"""What a character is to a reader: a letter, whatever it is drawn like; a blank; or nothing."""

import re
import sys
import unicodedata
from collections.abc import Callable

from confusable_homoglyphs.confusables import confusables_data

BETWEEN = "\x1f"
"""What one reader takes for a gap and another one for nothing: a filler, the side of a sign."""

_FILLERS = frozenset(map(chr, (0x115F, 0x1160, 0x180E, 0x200B, 0x2800, 0x3164, 0xFFA0)))
"""Hangul's and Braille's empty letters, and the blanks without width: some fonts show a gap."""

_SELECTORS = (
    *(0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)),
    *(0x034F, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)),
)
_UNSEEN = frozenset(map(chr, (0x0640, *_SELECTORS))) - _FILLERS
"""Joiners, selectors and Arabic's stretch: nothing, though to Unicode some are letters, symbols, accents."""

BLANKS = "\t\n\f\r "
"""What RE2 takes for blanks."""

_NAMELESS = ("Cn", "Co")
_SIGN_OF_LETTERS = ("<super>", "<sub>")
_FROM_RIGHT = ("R", "AL", "AN")

REPLACED_MAX = 16
"""Characters that are faster replaced one after another than each where it stands."""

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts whose words stand side by side, or carry their particles, as Unicode's names of letters begin."""

_LATIN_NAME = re.compile(
    r"(?:(?!.*\b(?:TURNED|REVERSED|INVERTED|SIDEWAYS|SHARP|TONE|TAG|COMBINING)\b).*\bLATIN .*|REGIONAL .*)"
    r"\bLETTER (?:\w+ )*([A-Z])(?: WITH .*)?"
)
"""`LATIN SMALL LETTER O WITH STROKE`, `NEGATIVE SQUARED LATIN CAPITAL LETTER A`."""

_WHOLE = re.compile("[A-Za-z]{1,2}")
_TWO_FOR_ONE = {"rn": "m", "vv": "w", "VV": "W"}


class Table:
    """What each character turns into; known from the first time that it is seen.

    Why: what stays is a byte each, as one body may have all of Unicode's million characters.
    """

    def __init__(self, turn: Callable[[str], str]) -> None:
        self._turn = turn
        self._stays = bytearray(sys.maxunicode + 1)
        self._turned: dict[str, str] = {}

    def __getitem__(self, character: str) -> str:
        turned = self._turned.get(character)
        if turned is not None or self._stays[ord(character)]:
            return character if turned is None else turned
        turned = character if character in BLANKS else self._turn(character)
        if turned == character:
            self._stays[ord(character)] = True
        else:
            self._turned[character] = turned
        return turned

    def turned(self, text: str) -> str:
        """Return a text with each of its characters turned."""
        stays = self._stays
        changed = {each: self[each] for each in set(text) if not stays[ord(each)]}
        changed = {each: turned for each, turned in changed.items() if turned != each}
        if not changed:
            return text
        if len(changed) > REPLACED_MAX or not changed.keys().isdisjoint("".join(changed.values())):
            return "".join([changed.get(each, each) for each in text])
        for character, turned in changed.items():
            text = text.replace(character, turned)
        return text


def is_mark(character: str) -> bool:
    """Return whether a character is an accent of the one before it."""
    return unicodedata.category(character) in ("Mn", "Me") or unicodedata.combining(character) != 0


def unseen(character: str) -> str:
    """Return nothing where a character is not seen, a gap where it may be one, a blank where it is one."""
    category = unicodedata.category(character)
    if character != BETWEEN and (character.isspace() or category[0] == "Z"):
        return " "
    if character in _FILLERS or category == "Cc":
        return BETWEEN
    return "" if category in ("Cf", "Cs") or character in _UNSEEN else character


def folded(character: str) -> str:
    """Return a character without width, case and accents."""
    if character.isascii() or unseen(character) != character:
        return unseen(character)
    if "가" <= character <= "힣" or unicodedata.category(character) in _NAMELESS:
        return character
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return _beside(character, "".join(map(_bare, decomposed)))


def alike(character: str) -> str:
    """Return a character without width and accents, as Latin's letter or ASCII's sign that it looks like."""
    if character.isascii() or unseen(character) != character:
        return unseen(character)
    if "가" <= character <= "힣" or unicodedata.category(character) in _NAMELESS:
        return character
    decomposed = _latin(character) or unicodedata.normalize("NFKD", character)
    return _beside(character, "".join(_latin(each) or _bare(each) for each in decomposed))


def _bare(character: str) -> str:
    if is_mark(character):
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return "-" if unicodedata.category(character) == "Pd" or character == "\u2212" else unseen(character)


def _beside(character: str, turned: str) -> str:
    """Return what a sign turned into, with a gap on both sides: `²` and `™` end a word or are in one."""
    category = unicodedata.category(character)
    sign = category[0] == "S" or category == "No"
    sign = sign or unicodedata.decomposition(character).startswith(_SIGN_OF_LETTERS)
    return f"{BETWEEN}{turned}{BETWEEN}" if sign and any(map(str.isalnum, turned)) else turned


def _latin(character: str) -> str | None:
    if character.isascii() or unicodedata.bidirectional(character) in _FROM_RIGHT:
        return None
    if is_mark(character) or unicodedata.decimal(character, None) is not None:
        return None
    name = unicodedata.name(character, "")
    if name.startswith(UNSPACED):
        return None
    found = _named(character) or _drawn(character)
    if found or not character.islower():
        return found
    upper = _drawn(character.upper()) if len(character.upper()) == 1 else None
    if upper:
        return upper.lower()
    return next(filter(None, map(_named, _drawn_like(character))), None)


def _named(character: str) -> str | None:
    name = unicodedata.name(character, "") if len(character) == 1 else ""
    found = _LATIN_NAME.fullmatch(name)
    if found is None:
        return None
    return found[1] if "CAPITAL" in name and "SMALL CAPITAL" not in name else found[1].lower()


def _drawn(character: str) -> str | None:
    """Return the letters, or for a sign the sign, of ASCII that Unicode says a character is confused with."""
    is_sign = unicodedata.category(character)[0] in "PS"
    for like in _drawn_like(character):
        bare = "".join(each for each in unicodedata.normalize("NFKD", like) if not is_mark(each))
        if bare == "l" and not character.islower():
            return "I"
        if _WHOLE.fullmatch(bare):
            return _TWO_FOR_ONE.get(bare, bare)
        if is_sign and len(bare) == 1 and bare.isascii():
            return bare
    return None


def _drawn_like(character: str) -> list[str]:
    return [like["c"] for like in confusables_data.get(character, ())]
