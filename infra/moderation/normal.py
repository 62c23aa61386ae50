"""Forms of a text in which writing the same thing differently makes no difference."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from infra.moderation import letters
from infra.moderation.letters import BETWEEN, BLANKS, Table
from infra.moderation.unreadable import TooHeavyError

MARKS_MAX = 30
"""Accents on one letter: Unicode's stream-safe text has no more (UAX 15). Ordering n takes n² steps."""

TAIL_MARKS_MAX = 2
"""Accents on one letter of what is read again: Vietnamese has two."""

SLICE_CHARACTERS = 8192
"""Long texts are turned in slices: other requests are judged between two, and wait for one at most."""

GROWTH_MAX = 4
"""Times its length that a text of several slices may have when signs are written out: `ﷺ` has 18 letters."""

_FOLDED, _ALIKE, _SEEN = Table(letters.folded), Table(letters.alike), Table(letters.unseen)

_GAPS_MARKED = {
    point: letters.unseen(chr(point)) for point in (*range(0x20), 0x7F) if chr(point) not in BLANKS
}
_GAPS_GONE = {point: turned.replace(BETWEEN, "") for point, turned in _GAPS_MARKED.items()}
_GAPS_BLANK = dict.fromkeys(_GAPS_MARKED, " ")
"""The same as the tables, for texts in ASCII, which are turned at once."""

_PILE = re.compile(rf"[^\w\x00-\x7f]{{{MARKS_MAX + 1},}}")
_MARKS = Table(lambda each: "\u0300" if unicodedata.category(each)[0] == "M" else each)
_TOO_MANY = re.compile(f"\u0300{{{MARKS_MAX + 1},}}")
_STRETCH = re.compile("(?:[^\\w!-~]|[\u0640\u115f\u1160\u3164\uffa0]){3,}")
_GAPS = (" ", BETWEEN)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_TAG = re.compile("[\U000e0020-\U000e007e]|\\\\u[dD][bB]40")
_TAGS = {point: chr(point - 0xE0000) for point in range(0xE0020, 0xE007F)}
_JOINS = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff]")
"""Vowels and ends of Hangul's syllables."""


def as_written(text: str) -> str:
    """Return the text."""
    return text


def unescaped(text: str) -> str:
    """Return the text as a reader of JSON would see it, were it the inside of one of its texts."""
    return encodable(_ESCAPE.sub(_character, text))


def _character(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _ESCAPED.get(letter, letter)


def shown(text: str) -> str:
    """Return the text unescaped, with Unicode's tags as the letters they stand for: only models see them."""
    return (unescaped(text) if "\\" in text else text).translate(_TAGS)


def readings(text: str) -> tuple[Callable[[str], str], ...]:
    """Return in which ways a text may be read: as it is, and where it has them, without escapes and tags."""
    found: tuple[Callable[[str], str], ...] = (as_written,)
    if "\\" in text:
        found += (unescaped,)
    return (*found, shown) if _TAG.search(text) else found


def folded(text: str) -> str:
    """Return the text without width, case, accents and characters that are not seen; gaps stay marked."""
    return text.translate(_GAPS_MARKED).lower() if text.isascii() else _in_slices(text, _folded)


def alike(text: str) -> str:
    """Return the text without all that, in letters of Latin where others look like them."""
    return folded(text) if text.isascii() else _in_slices(text, lambda part: _folded(_ALIKE.turned(part)))


def plain(text: str) -> str:
    """Return the text without width and characters that are not seen; case and accents stay."""
    return text.translate(_GAPS_GONE) if text.isascii() else _in_slices(text, _plain)


def keyed(text: str) -> str:
    """Return the text as a plain keyboard writes it, without what may be gaps."""
    return plain(text) if text.isascii() else _in_slices(text, lambda part: _keyed(part, ""))


def parted(text: str) -> str:
    """Return the text as a plain keyboard writes it, with blanks for what may be gaps."""
    return text.translate(_GAPS_BLANK) if text.isascii() else _in_slices(text, lambda part: _keyed(part, " "))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", _FOLDED.turned(text)).lower()


def _plain(text: str) -> str:
    composed = unicodedata.normalize("NFKC", _PILE.sub(_few_marks, text))
    return _SEEN.turned(composed).replace(BETWEEN, "")


def _keyed(text: str, gap: str) -> str:
    return _ALIKE.turned(text).replace(BETWEEN, gap)


def _few_marks(pile: re.Match[str]) -> str:
    kept, start = "", 0
    for many in _TOO_MANY.finditer(_MARKS.turned(pile[0])):
        kept += pile[0][start : many.start() + MARKS_MAX]
        start = many.end()
    return kept + pile[0][start:]


def _in_slices(text: str, turn: Callable[[str], str]) -> str:
    if len(text) <= SLICE_CHARACTERS:
        return turn(text)
    parts: list[str] = []
    read = written = 0
    for part in _slices(text):
        parts.append(turn(part))
        read, written = read + len(part), written + len(parts[-1])
        if written > GROWTH_MAX * read:
            raise TooHeavyError("signs that stand for many letters each")
    return "".join(parts)


def _slices(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = min(start + SLICE_CHARACTERS, len(text))
        while end < len(text) and end > start + SLICE_CHARACTERS // 2 and _goes_on(text[end]):
            end -= 1
        yield text[start:end]
        start = end


def _goes_on(character: str) -> bool:
    """Return whether a character may become one with the character before it."""
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first)[0] == "M" or bool(_JOINS.match(first))


def tail(text: str, characters: int) -> str:
    """Return the end of a text: at most so many characters, without runs of blanks and of what is not seen.

    Why: a match that begins in judged text must be found, however much invisible text stretches it. The cut
    is at a blank, where there is one, so that the end of a word does not look like a word.
    """
    bare = _STRETCH.sub(_shortest, text)
    if len(bare) <= characters:
        return bare
    kept = bare[-characters:]
    blank = kept.find(" ")
    return kept if blank < 0 else kept[blank:]


def _shortest(stretch: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for each in stretch[0]:
        seen = _SEEN[each]
        if unicodedata.category(each)[0] == "M":
            marks += 1
            if seen and marks <= TAIL_MARKS_MAX:
                kept.append(each)
        elif seen in _GAPS:
            last = kept[-1] if kept and kept[-1] in _GAPS else None
            if seen == " " and last:
                kept.pop()
            if seen == " " or not last:
                kept.append(seen)
        elif seen:
            kept.append(each)
            marks = 0
    return "".join(kept)


def encodable(text: str) -> str:
    """Return the text with halves of surrogate pairs joined or replaced: JSON can escape what UTF-8 lacks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
