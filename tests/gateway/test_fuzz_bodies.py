"""A hundred thousand bodies: what the gateway lets through is never read by vLLM as something it refuses.

The gateway reads bodies with one parser and vLLM with another; wherever they disagree, someone could pass a
refused feature or another endpoint's id. So all that passes a real Envoy is read by vLLM's own code.
"""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bodies import bodies
from fake_engine import FakeEngine, fake_engine
from raw import chat_request
from real_gateway import LOCAL, OPEN, PLAIN, SEARCH, gateway, plan_of

from infra.local.progress import Progress
from infra.local.vllm_environment import vllm_python

SEED = 20261121
COUNT = 100_000
CONNECTIONS = 24
ENDPOINTS = {"chat": OPEN, "plain": PLAIN, "secret": PLAIN}
READER = Path(__file__).with_name("read_as_vllm.py")


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[tuple[bytes, str]]]]:
    """Send all bodies and return those that each endpoint's engine saw, with the endpoint's id."""
    plan = plan_of(ENDPOINTS, of_other=("secret",))
    with fake_engine() as chat, fake_engine() as plain, fake_engine() as secret:
        engines = {"chat": chat, "plain": plain, "secret": secret}
        for engine in engines.values():
            engine.terse = True
        ports = {name: engine.port for name, engine in engines.items()}
        with gateway(tmp_path_factory.mktemp("fuzz"), plan, ports) as running:
            ids = {name: running.id_of(name) for name in ENDPOINTS}
            models = [ids["plain"]] * 6 + [ids["chat"], ids["chat"], ids["secret"], "ep-none-000000", ""]
            sent = bodies(SEED, COUNT, models)
            statuses = asyncio.run(_send_all(running.place.listen.port, sent))

        assert sum(statuses.values()) == COUNT
        assert set(statuses) <= {200, 400, 404}, statuses
        assert statuses[200] > COUNT / 10, "too few pass to learn anything"
        assert statuses[400] > COUNT / 10, "too few are refused to learn anything"

        yield {name: [(body, ids[name]) for body in _bodies(engine)] for name, engine in engines.items()}


@pytest.mark.slow
@pytest.mark.vllm
def test_vllm_reads_no_refused_feature_and_no_other_model(passed: dict[str, list[tuple[bytes, str]]]) -> None:
    """Neither where structured output is offered nor where it is not; and nothing reaches the other team."""
    assert passed["secret"] == []

    cases = [(name, body, model) for name in ("chat", "plain") for body, model in passed[name]]
    found = _read_as_vllm([body for _, body, _ in cases])
    taken = sum("refused" not in read for read in found)
    wrong = [
        (name, body[:300], read)
        for (name, body, model), read in zip(cases, found, strict=True)
        if "refused" not in read and not _allowed(read, model, structured=name == "chat")
    ]

    assert taken > COUNT / 20, "vLLM takes too few of them to learn anything"
    assert wrong == []


def _allowed(read: dict[str, object], model: str, *, structured: bool) -> bool:
    number = read["n"]
    several = isinstance(number, int) and 1 <= number <= 10
    free = not (read["structured"] or read["response_format"] or read["tool_choice"] in {"required", "named"})
    return (
        read["model"] == model and (number is None or several) and not read["inside"] and (structured or free)
    )


def _bodies(engine: FakeEngine) -> set[bytes]:
    return {seen.body for seen in engine.seen}


def _read_as_vllm(found: Sequence[bytes]) -> list[dict[str, object]]:
    python = vllm_python(Progress())
    told = b"".join(len(body).to_bytes(4) + body for body in found)
    done = subprocess.run([str(python), str(READER)], input=told, capture_output=True, check=False)
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("{")]

    assert len(lines) == len(found), done.stderr.decode()[-2000:]

    return [json.loads(line) for line in lines]


async def _send_all(port: int, sent: Sequence[bytes]) -> Counter[int]:
    waiting = iter(sent)
    statuses = Counter[int]()

    async def work() -> None:
        reader, writer = await asyncio.open_connection(LOCAL, port)
        for body in waiting:
            request = chat_request(body, key=SEARCH.secret).replace(b"Connection: close\r\n", b"")
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            statuses[int(head.split(b" ", 2)[1])] += 1
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            if b"connection: close" in head.lower():
                writer.close()
                reader, writer = await asyncio.open_connection(LOCAL, port)
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return statuses
