"""One self-contained page: offers, engine, interpreter and drawing in a single text."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from gzip import compress
from html import escape

from infra.page.answers import view
from infra.page.check import fields
from infra.page.modules import sources
from infra.page.offers import OWN, Asked, Offers
from infra.page.runtime import Runtime
from infra.page.values import modules_of, to_json

ENTRY = "infra.page.answers"
"""The module that the page asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInputs:
    """What goes into a page."""

    offers: Offers
    asked: Asked
    """What its fields say at first."""
    made: str
    """A sentence on when and from what it was made."""
    runtime: Runtime
    web: Mapping[str, str]
    """The files of `infra/page/web/` by name."""


def page(inputs: PageInputs) -> str:
    """Return the page; the same inputs give the same text."""
    offers = to_json(inputs.offers)
    carried = sources({ENTRY} | modules_of(offers))
    choices = {
        "entry": ENTRY,
        "own": OWN,
        "asked": fields(inputs.asked),
        # Answered here already, so that the page has figures before its Python has started.
        "answer": asdict(view(inputs.offers, inputs.asked)),
        "models": {
            model: {
                template: {tier: asdict(promise) for tier, promise in listed.offer.tiers.items()}
                for template, listed in templates.items()
            }
            for model, templates in inputs.offers.models.items()
        },
    }
    runtime = inputs.runtime
    blocks = (
        _block("choices", "application/json", json.dumps(choices).replace("</", "<\\/")),
        _block("worker", "text/plain", inputs.web["worker.js"]),
        *(_module(path, text) for path, text in carried.items()),
        _block("offers", "text/plain", _packed(json.dumps(offers).encode())),
        _block("lock", "application/json", runtime.lock),
        _block("wasm", "text/plain", _packed(runtime.wasm)),
        _block("module", "text/plain", _packed(runtime.module)),
        _block("loader", "text/plain", _packed(runtime.loader)),
        _block("stdlib", "text/plain", _packed(runtime.stdlib)),
    )
    parts = {
        "style": inputs.web["page.css"],
        "made": escape(inputs.made),
        "data": "\n".join(blocks),
        "script": _inside_script(inputs.web["plot.js"] + inputs.web["page.js"]),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], inputs.web["page.html"])


def _block(name: str, kind: str, text: str) -> str:
    return f'<script type="{kind}" id="{name}">{_inside_script(text)}</script>'


def _module(path: str, text: str) -> str:
    return f'<script type="text/x-python" data-path="{escape(path)}">{_inside_script(text)}</script>'


def _inside_script(text: str) -> str:
    """Return a text that ends no script element; a ValueError where only a change would help."""
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("a text that ends a script element cannot stand in one")
    return text


def _packed(content: bytes) -> str:
    # Without a time in the header, so that the same content packs to the same text.
    return b64encode(compress(content, mtime=0)).decode()
