# ruff: noqa: RUF001 - Chinese has its own comma
"""Bodies that cost the most: what they cost is bounded, and other requests go on meanwhile."""

import asyncio
import json
import threading
import time

import httpx
import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from infra.moderation.answers import PIECE_BYTES, Streamed
from infra.moderation.judges.words import words
from infra.moderation.panel import Panel
from infra.moderation.reading import Reading
from infra.moderation.texts import VALUES_MAX, request_document
from infra.moderation.unreadable import TooHeavyError
from infra.render.gateway.errors import MAX_BODY_MIB
from moderation.fakes import answer, event
from moderation.running import LOCAL, Door

BYTES = (MAX_BODY_MIB << 20) - 1024
WAIT_SECONDS_MAX = 2.0
"""Less than a fifth of it where nothing else runs; on the busiest machine not more."""


def _chat(text: str) -> bytes:
    unit = len(json.dumps(text, ensure_ascii=False).encode()) - 2
    message = {"role": "user", "content": text * ((BYTES - 200) // unit)}
    return json.dumps({"model": "ep-chat-000000", "messages": [message]}, ensure_ascii=False).encode()


HEAVY = {
    "signs that stand for many letters": _chat("ﷺ"),
    "accents": _chat("a" + "\u0300\u0316" * 15),
    "Chinese": _chat("今天天气很好，我们去公园。"),
    "fillers": _chat("a\u200b"),
    "escapes": _chat("\\n\\u0041\u00e9"),
    "many texts": json.dumps({"messages": [f"{n:x}" for n in range(90_000)]}).encode(),
    "all characters": _chat("".join(map(chr, (*range(0x10000, 0xE0000), *range(0xF0000, 0x110000))))),
    "too many values": b'{"a":[' + b"1," * (BYTES // 2 - 10) + b"1]}",
}
REFUSED = ("signs that stand for many letters", "too many values")


@pytest.mark.slow
@pytest.mark.parametrize("heavy", HEAVY)
def test_nobody_waits_for_another_ones_body(loaded: Door, heavy: str) -> None:
    """While the largest body is judged, small requests are answered as if it were not there."""
    loaded.engine.script = answer("Good.")
    loaded.chat("Hello")  # warms up
    url = f"http://{LOCAL}:{loaded.port}/"
    body = HEAVY[heavy]
    statuses: list[int] = []
    sending = threading.Thread(
        target=lambda: statuses.append(httpx.post(url, content=body, timeout=60).status_code)
    )
    sending.start()
    waited: list[float] = []
    with httpx.Client() as client:
        while sending.is_alive():
            start = time.monotonic()
            assert client.post(url, content=_small(), timeout=30).status_code == 200
            waited.append(time.monotonic() - start)
    sending.join()

    # 504: this door's Envoy waits six seconds for the moderator.
    assert set(statuses) <= ({413} if heavy in REFUSED else {200, 504})
    assert max(waited) < WAIT_SECONDS_MAX, sorted(waited)[-5:]


def _small() -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hello"}]}).encode()


@pytest.mark.parametrize("inner", ["1,", "[],", '"a",', '{"a":1},', '"\\"",', '"\\\\",', "[[1]],"])
def test_a_request_has_so_many_values_and_no_more(inner: str) -> None:
    """Values count however they are written; what stands inside of texts does not."""
    few, many = ('{"a":[' + inner * count + '"x"]}' for count in (VALUES_MAX // 4, VALUES_MAX + 1))

    assert len(request_document(few.encode())) == 1
    with pytest.raises(TooHeavyError):
        request_document(many.encode())
    assert request_document(json.dumps({"a": many * 2}).encode()) == {"a": many * 2}


def test_others_have_their_turn_while_a_stream_arrives_at_once() -> None:
    """An engine that was waited for sends many events together; between pieces of them others go on."""
    panel = Panel(matchers=(words(("forbidden",)),), askers=(), timeout_seconds=1)
    events = b"".join(event("All is well here. ") for _ in range(2_000))
    released: list[bytes] = []
    turns = 0

    async def write(response: ProcessingResponse) -> None:
        released.append(response.response_body.response.body_mutation.streamed_response.body)

    async def stop(_: object) -> None:
        raise AssertionError("nothing is refused")

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def take() -> None:
        other = asyncio.create_task(others())
        await Streamed(panel, Reading(), write, stop).take(events, end=True, trailers=False)
        other.cancel()

    asyncio.run(take())
    assert b"".join(released) == events
    assert turns >= len(events) // PIECE_BYTES
