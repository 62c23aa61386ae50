"""Images and sounds, which no judge sees: the plan says so, and no text passes for them."""

import json

import pytest
from samples import sample_plan

from infra.plan.tables import MEDIA_UNJUDGED, tables
from infra.render.manifest import Json
from moderation.running import Door

OFF = {"enabled": False, "reason": "tests of media", "confirmed_by": "t.ester"}
SEEING = {"model": "qwen3-vl-32b", "template": "h20-single", "units": {"reserved": 4}}
READING = {**SEEING, "model": "qwen3-32b"}
PICTURE = "iVBORw0KGgo" + "A" * 64


def test_the_plan_says_whose_images_are_not_judged() -> None:
    """Endpoints that are moderated, and read images, are in the table of what is not moderated."""
    plan = sample_plan(
        {"see": SEEING, "read": READING, "free": {**SEEING, "moderation": OFF}},
        gateway={"image": "registry.example.com/modelunits:0.1.0"},
        moderation={"words": ("forbidden",)},
    )
    (table,) = (each for each in tables(plan) if each.title == "Not moderated")

    assert set(table.rows) == {("free", "tests of media", "t.ester"), ("see", *MEDIA_UNJUDGED)}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png,a forbidden picture" + " " * 64}},
        {"type": "image_url", "image_url": {"url": "data:text/plain;base64,forbidden"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;name=forbidden;base64," + PICTURE}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<text>forbidden</text>" + " " * 64}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}== forbidden"}},
        {"type": "image_url", "image_url": {"url": f"https://example.com/forbidden.png#{PICTURE}"}},
        {"type": "image_url", "image_url": f"forbidden {PICTURE}"},
        {"type": "image_url", "image_url": {"url": PICTURE, "alt": "forbidden"}},
        {"type": "image_url", "image_url": {"url": "forbidden"}},
        {"type": "text", "text": f"data:image/png;base64,{PICTURE}", "image_url": {"url": "forbidden"}},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "forbidden"}},
        {"type": "input_audio", "input_audio": {"data": "forbidden", "format": "wav"}},
    ],
)
def test_no_text_passes_for_an_image(lists: Door, part: Json) -> None:
    """Only base64 of an image, a sound or a film is not read; everything else is text."""
    assert lists.chat([part]).status_code == 403


def test_images_pass_unchanged(lists: Door) -> None:
    """What an image shows is not judged, so it is in the engine's hands byte for byte."""
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}

    assert lists.chat([part]).status_code == 200
    assert json.loads(lists.engine.bodies[0])["messages"][0]["content"] == [part]
