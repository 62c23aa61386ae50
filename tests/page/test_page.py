"""The page as a text."""

import re
from base64 import b64decode
from gzip import decompress
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _text(path: str) -> str:
    return (ROOT / path if path.startswith("infra/") else ROOT / "tests" / path).read_text(encoding="utf-8")


class _Outline(HTMLParser):
    """Collects what a page refers to, and which fields have a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.unlabelled: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [f"{tag} {value}" for name, value in attrs if name in ("src", "href", "action")]
        if tag == "label":
            self.open.append(tag)
        if tag in ("input", "select") and not self.open:
            self.unlabelled.append(dict(attrs).get("name"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.open.pop()


def test_nothing_is_fetched(made_page: str) -> None:
    """The only address is a link to read on; scripts, styles and fonts are in the page."""
    assert ["a https://pyodide.org"] == _Outline(made_page).addresses


def test_every_field_has_a_label(made_page: str) -> None:
    """Whoever hears the page instead of seeing it knows what to type."""
    assert [] == _Outline(made_page).unlabelled


def test_the_engine_stands_in_the_page_word_for_word(made_page: str) -> None:
    """There is no second copy of the engine: the page's modules are the files of this repository."""
    carried = dict(
        re.findall(r'<script type="text/x-python" data-path="([^"]+)">(.*?)</script>', made_page, re.S)
    )

    assert {"infra/capacity/performance.py", "infra/capacity/batching.py"} <= carried.keys()
    assert {path: _text(path) for path in carried} == carried


def test_the_page_is_small_enough_to_mail(made_page: str) -> None:
    """Eight megabytes, nearly all of it the Python interpreter."""
    assert len(made_page) < 8_000_000


def test_the_interpreter_is_whole(made_page: str) -> None:
    """What the page unpacks is WebAssembly, and a zip file of the standard library."""
    packed = dict(re.findall(r'id="(wasm|stdlib)">([^<]*)</script>', made_page))

    assert decompress(b64decode(packed["wasm"])).startswith(b"\0asm")
    assert decompress(b64decode(packed["stdlib"])).startswith(b"PK")
