# ruff: noqa: RUF001 - letters that look alike are what these tests are about
"""Ways to write a listed word so that it reads the same: all are found, and ordinary prose is not."""

import time

import pytest

from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Found
from infra.moderation.judges.words import words
from infra.moderation.normal import folded, plain, tail
from infra.moderation.unreadable import TooHeavyError

LISTED = words(("forbidden", "bad phrase", "background", "1984", "кукла", "ηλιος"))
NUMBERS = patterns((r"\b\d{3}-\d{2}-\d{4}\b", r"bad\s+phrase"))


@pytest.mark.parametrize(
    "text",
    [
        "førbıdden",
        "fоrbіddеn",
        "fοrbιdden",
        "FОRВIDDЕN",
        "ꓝꓳꓣꓐꓲꓓꓓꓰꓠ",
        "ꜰᴏʀʙɪᴅᴅᴇɴ",
        "forbiđđen",
        "𐊇orbidden",
        "fᴑrbidden",
        "ⓕⓞⓡⓑⓘⓓⓓⓔⓝ",
        "⒡⒪⒭⒝⒤⒟⒟⒠⒩",
        "🅵🅾🆁🅱🅸🅳🅳🅴🅽",
        "🅕🅞🅡🅑🅘🅓🅓🅔🅝",
        "🇫🇴🇷🇧🇮🇩🇩🇪🇳",
        "ᶠᵒʳᵇⁱᵈᵈᵉⁿ",
        "forbidden™",
        "™forbidden",
        "forbidden²",
        "forbidden½",
        "№forbidden",
        "forbidden😀",
        "forbidden㎏",
        "bac㎏round",
        "BAC㎏ROUND™",
        "ⓕorbidden™",
        "the\u3164forbidden\u3164word",
        "the\u2800forbidden\u2800word",
        "the\u115fforbidden\u1160word",
        "the\uffa0forbidden\u200bword",
        "the\u0000forbidden\u0007word",
        "for\u3164bid\u2800den",
        "for\u200bbid\u00adden\u2060",
        "for\u0000bidden",
        "bad\u3164phrase",
        "bad\u2800phrase",
        "b\u3164ad\u3164phra\u115fse",
        "b\u200da\u0301d\u00a0phrаse",
        "\U000e0066\U000e006f\U000e0072\U000e0062\U000e0069\U000e0064\U000e0064\U000e0065\U000e006e",
        "١٩٨٤",
        "①⑨⑧④",
        "²1984",
        "КУКЛА",
        "кyклa",
        "Ηλιος",
        "ΗΛΙΟΣ",
        "a\\u0444 f\\u043erbidden",
        "\\udb40\\udc66orbidden",
    ],
)
def test_a_word_is_found_however_it_is_spelled(text: str) -> None:
    """Letters that look alike, signs beside a word and blanks that are none hide nothing."""
    assert LISTED.find("", text, final=True) is Found.REFUSED


@pytest.mark.parametrize(
    "text",
    [
        "123-45-6789",
        "123–45–6789",
        "123\u201145\u20116789",
        "123−45−6789",
        "١٢٣-٤٥-٦٧٨٩",
        "¹²³-⁴⁵-⁶⁷⁸⁹",
        "№123-45-6789",
        "№123-45-6789™",
        "bad\u3164phrase",
        "bаd\u2800phrаse",
        "b\u0000ad phrase",
    ],
)
def test_a_pattern_is_found_however_it_is_spelled(text: str) -> None:
    """Patterns are looked for as written, and as it would be written with a plain keyboard."""
    assert NUMBERS.find("", text, final=True) is Found.REFUSED


PROSE = {
    "German": "Die Klasse aßen Äpfel; Assistenten passen auf. Straßenbahn, 20 °C, 3 m², ½ l, §5, Maß™ & Co. "
    "Ein Grüßaugust sagt: „Schön!“ Kaffee 3,50 € – bis 18:30 Uhr. Be\u00adisp\u00adiel\u00adtren\u00adnung.",
    "Turkish": "Işık ılık sularda ağır ağır yürüdü; İstanbul'da sıcak bir yaz günü, çocuklar şarkı söylüyor.",
    "French": "L’œuvre où naît l’été : « garçon, déjà vu », cœur, sœur, n° 5, 1er étage, ça va très bien…",
    "Chinese": "今天天气很好，我们去公园散步。他说：“你好！”全角ＡＢＣ１２３，㎏，①②③。",
    "Japanese": "東京タワーは３３３ｍです。カタカナ、ひらがな、㌔、㈱。ヴァイオリン。",
    "Korean": "안녕하세요. 오늘은 날씨가 좋습니다. ㅋㅋㅋ 각각의 사람들이 모였다.",
    "Arabic": "السلام عليكم ورحمة الله وبركاته، هاهو الكتاب ١٢٣. قال النبي ﷺ: إنما الأعمال بالنيات.",
    "Persian": "می‌خواهم به خانه بروم؛ کتاب‌ها روی میز است. ۱۲۳",
    "Hebrew": "שלום עולם, זהו משפט פשוט בעברית; סוס ס ו ן.",
    "Russian": "Он нос сор рот ток. Это хороший день, а я иду домой; цена 5 ₽, № 7, 20 м².",
    "Greek": "Ο νόμος και η τάξη· ένα όμορφο πρωί, τα παιδιά παίζουν στον κήπο.",
    "Hindi": "यह एक अच्छा दिन है। १०० रुपये, किताब।",
    "Thai": "วันนี้อากาศดีมาก ๑๒๓ บาท",
    "Burmese": "မင်္ဂလာပါ ဝဂ ၁၂၃",
    "English": "Class assistants pass; a cooling-off phrase. Don’t burn, modern “class”: ½ №1 ™ 🇩🇪 😀 café.",
}
ORDINARY = words(("ass", "sex", "anal", "cum", "bum", "bad phrase", "kill", "porn", "damn", "lol", "coc"))
PLAIN_NUMBERS = patterns((r"\b\d{3}-\d{2}-\d{4}\b", r"(?i)\b(ass|bomb)\b", r"[a-z]{3,}\s?=\s?\d"))


@pytest.mark.parametrize("language", PROSE)
def test_ordinary_prose_passes(language: str) -> None:
    """No language looks like a list of English words only because its letters look like some of Latin."""
    text = PROSE[language]

    assert ORDINARY.find("", text, final=True) is Found.NOTHING
    assert PLAIN_NUMBERS.find("", text, final=True) is Found.NOTHING


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ass", "cl\u00adass as\u00adsis\u00adtant"),
        ("ass", "cl\u200cass"),
        ("two words", "two™ three words"),
        ("cop", "коп"),
    ],
)
def test_what_reads_otherwise_passes(word: str, text: str) -> None:
    """Hyphens that may be shown and joiners do not part a word; what does not look alike is not the same."""
    assert words((word,)).find("", text, final=True) is Found.NOTHING


@pytest.mark.parametrize("unseen", ["\u0301", "\u3164", "\u200d", "\u0000", "\u0301\u200d", "\ufe0f"])
def test_no_stretch_of_unseen_characters_hides_a_word_in_a_stream(unseen: str) -> None:
    """What is kept of judged text has its letters, however many accents and fillers are between them."""
    seen = tail(f"the for{unseen * 2000}bid{unseen * 2000}d", 512)

    assert LISTED.find(seen, "en.", final=False) is Found.REFUSED


def test_a_text_that_grows_is_refused() -> None:
    """A sign that stands for four words may be written, a book of such signs is nobody's."""
    assert "\u0635\u0644\u0649" in folded("He said ﷺ.")
    for view in (folded, plain):
        start = time.process_time()
        with pytest.raises(TooHeavyError):
            view("ﷺ" * 2_700_000)
        assert time.process_time() - start < 1


def test_no_pile_of_accents_takes_long() -> None:
    """Putting accents in order takes steps by their square: few are kept."""
    for marks in ("\u0300\u0316", "\u302e\U0001d165"):
        pile = "a" + marks * 500_000

        assert folded(f"b{pile}d") == "bad"
        assert len(plain(pile)) < len(pile) / 100
