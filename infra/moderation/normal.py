"""Forms of a text in which writing the same thing differently makes no difference."""

import re
import sys
import unicodedata
from collections.abc import Iterable

_BLANK = (
    *(0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0),
    *(0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)),
    *(0x034F, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)),
)
"""Fillers, joiners and selectors: shown as nothing, though to Unicode they are letters, symbols, accents."""

_ODD_BLANKS = (0x0B, 0x1C, 0x1D, 0x1E, 0x1F, 0x85)
"""Blanks to Python, none to RE2."""


def _category(point: int) -> str:
    return "" if chr(point).isspace() else unicodedata.category(chr(point))


_CATEGORIES = {point: _category(point) for point in range(sys.maxunicode + 1)}
_UNSEEN: dict[int, str | None] = {
    **{point: None for point, category in _CATEGORIES.items() if category in ("Cc", "Cf", "Cs")},
    **dict.fromkeys(_BLANK),
    **dict.fromkeys(_ODD_BLANKS, " "),
}
_UNSEEN_AND_ACCENTS = _UNSEEN | {
    point: None for point, category in _CATEGORIES.items() if category in ("Mn", "Me")
}
MARKS_MAX = 30
"""Accents on one letter: Unicode's stream-safe text has no more (UAX 15). Ordering n takes n² steps."""


def _ranges(points: Iterable[int]) -> str:
    """Return characters as a class of a regular expression has them, neighbours together."""
    found: list[list[int]] = []
    for point in points:
        if found and point == found[-1][1] + 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)


_MARK_CLASS = _ranges(point for point, category in _CATEGORIES.items() if category.startswith("M"))
_MARKS = re.compile(f"([{_MARK_CLASS}]{{{MARKS_MAX}}})[{_MARK_CLASS}]+")
del _CATEGORIES
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WHITESPACE = re.compile(r"\s{2,}")


def as_written(text: str) -> str:
    """Return the text."""
    return text


def unescaped(text: str) -> str:
    """Return the text as a reader of JSON would see it, were it the inside of one of its texts."""
    return encodable(_ESCAPE.sub(_character, text))


def _character(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _ESCAPED.get(letter, letter)


def folded(text: str) -> str:
    """Return the text without width, case, accents and characters that are not seen."""
    if text.isascii():
        return text.translate(_UNSEEN).lower()
    decomposed = unicodedata.normalize("NFKD", _MARKS.sub(r"\1", text)).casefold()
    bare = unicodedata.normalize("NFKD", decomposed).translate(_UNSEEN_AND_ACCENTS)
    return unicodedata.normalize("NFC", bare)


def plain(text: str) -> str:
    """Return the text without width and characters that are not seen; case and accents stay."""
    if text.isascii():
        return text.translate(_UNSEEN)
    return unicodedata.normalize("NFKC", _MARKS.sub(r"\1", text)).translate(_UNSEEN)


def tail(text: str, characters: int) -> str:
    """Return the end of a text: at most so many characters, without runs of blanks and of what is not seen.

    Why: a match that begins in judged text must be found, however much invisible text stretches it. The cut
    is at a blank, where there is one, so that the end of a word does not look like a word.
    """
    bare = _WHITESPACE.sub(" ", text.translate(_UNSEEN))
    if len(bare) <= characters:
        return bare
    kept = bare[-characters:]
    blank = kept.find(" ")
    return kept if blank < 0 else kept[blank:]


def encodable(text: str) -> str:
    """Return the text with halves of surrogate pairs joined or replaced: JSON can escape what UTF-8 lacks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
