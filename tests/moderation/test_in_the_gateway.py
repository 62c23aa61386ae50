"""Moderation among the gateway's other filters: the rendered files, with keys, limits of bodies and logs."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from samples import sample_plan

from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.plan.model import Plan
from infra.render.gateway.bootstrap import arguments
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file
from infra.render.gateway.make import gateway_files
from infra.render.gateway.moderation import moderation_config
from infra.render.gateway.place import Address, Place
from moderation.conftest import WORDS
from moderation.fakes import Fake, Script, answer, event, fake, stream
from moderation.moderators import LOCAL, Moderator, free_ports, program
from moderation.running import error_of, is_live

KEY = CallerKey(id="k00000001", team="search", secret="mu-" + "s" * 43)
SMALL = {"model": "qwen3-32b", "template": "h20-single", "units": {"reserved": 4}}
OFF = {"enabled": False, "reason": "tests of moderation", "confirmed_by": "t.ester"}
READY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A whole gateway with a moderator, a moderated endpoint `chat` and another one, `free`."""

    plan: Plan
    url: str
    log: Path
    engine: Fake
    moderator: Moderator

    def chat(self, endpoint: str, content: str, **fields: object) -> httpx.Response:
        """Send a chat to an endpoint."""
        ids = {each.name: each.id for each in self.plan.endpoints}
        body = {"model": ids[endpoint], "messages": [{"role": "user", "content": content}], **fields}
        headers = {"authorization": f"Bearer {KEY.secret}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the gateway of a plan."""
    folder = tmp_path_factory.mktemp("gateway")
    plan = sample_plan(
        {"chat": SMALL, "free": {**SMALL, "moderation": OFF}},
        gateway={"image": "registry.example.com/modelunits:0.1.0"},
        moderation={"words": WORDS, "timeout": "1s"},
    )
    listen, metrics, admin = (Address(host=LOCAL, port=port) for port in free_ports(3))
    with fake() as engine:
        place = Place(
            folder=str(folder),
            keys_folder=str(folder),
            listen=listen,
            metrics=metrics,
            admin=admin,
            access_log=str(folder / "access.log"),
            ratelimit=None,
            moderator=None,
            concurrency=None,
            upstreams={each.id: Address(host=LOCAL, port=engine.port) for each in plan.endpoints},
            tls=None,
            replicas=1,
        )
        with program(folder, "moderator", json.loads(moderation_config(plan, place))) as moderator:
            place = replace(place, moderator=Address(host=LOCAL, port=moderator.port))
            for name, text in {**gateway_files(plan, place), KEYS_FILE: key_file([KEY])}.items():
                (folder / name).write_text(text)
            command = [str(envoy_program(Progress())), *arguments(place, 60), "--concurrency", "1"]
            with (
                (folder / "envoy.log").open("wb") as out,
                subprocess.Popen(command, stdout=out, stderr=out) as process,
            ):
                try:
                    deadline = time.monotonic() + READY_SECONDS
                    while not is_live(admin.port):
                        assert time.monotonic() < deadline, (folder / "envoy.log").read_text()
                        time.sleep(0.05)
                    assert moderator.logged("listening", wait_seconds=READY_SECONDS)
                    yield Gateway(
                        plan=plan,
                        url=f"http://{LOCAL}:{listen.port}",
                        log=folder / "access.log",
                        engine=engine,
                        moderator=moderator,
                    )
                finally:
                    process.kill()


def test_the_gateway_judges_and_its_log_says_so(gateway: Gateway) -> None:
    """Verdicts are in the access log; what was judged is in no log; usage passes to the caller."""
    gateway.engine.script = answer("Good day.")
    assert gateway.chat("chat", "Hello").content == gateway.engine.script.parts[0]
    assert gateway.chat("chat", "the forbidden secret").status_code == 403
    gateway.engine.script = answer("The forbidden secret.")
    assert gateway.chat("chat", "Hello").status_code == 403
    assert gateway.chat("free", "the forbidden secret").status_code == 200

    assert [line["verdict"] for line in _lines(gateway, 4)] == ["passed", "input", "output", None]
    assert "secret" not in gateway.log.read_text() + gateway.moderator.log.read_text()


def test_the_gateway_breaks_a_refused_stream_off(gateway: Gateway) -> None:
    """Filters that read the stream's usage do not put back what was held."""
    gateway.engine.script = stream("Once ", "a for", "bid", "den ", "word")
    got = gateway.chat("chat", "Tell", stream=True)

    assert got.text.count("content_policy_violation") == 2  # as type and as code
    assert got.text.endswith("data: [DONE]\n\n")
    assert got.text.startswith(event("Once ").decode())
    assert "for" not in got.text.split("error")[0]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /v1/models HTTP/1.0\r\n", 426),
        ("GET /v1/models HTTP/1.1\r\nhost: x\r\n" + "a: b\r\n" * 101, 431),
        ("GARBAGE\r\n", 400),
    ],
)
def test_bad_http_is_answered_beside_moderation(gateway: Gateway, head: str, status: int) -> None:
    """Envoy closes these connections itself: an answer that had to be passed on by anybody would be lost."""
    address = httpx.URL(gateway.url)
    with socket.create_connection((address.host, address.port or 80), timeout=10) as connection:
        connection.sendall(f"{head}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.split(b" ", 2)[1] == str(status).encode()
    assert b'{"error": {' in answer


@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        ('"a", "name": 1, "name": 2', 400, "invalid_json", "JSON object"),
        (f"[{', '.join(['1'] * 100_001)}]", 413, "body_too_large", "too much to judge"),
    ],
)
def test_what_the_moderator_cannot_read_is_said_in_its_words(
    gateway: Gateway, content: str, status: int, code: str, says: str
) -> None:
    """The HTTP was valid, and the body not too long."""
    (chat,) = (each.id for each in gateway.plan.endpoints if each.name == "chat")
    body = f'{{"model": "{chat}", "messages": [{{"role": "user", "content": {content}}}]}}'
    headers = {"authorization": f"Bearer {KEY.secret}", "content-type": "application/json"}
    got = httpx.post(f"{gateway.url}/v1/chat/completions", content=body, headers=headers, timeout=30)

    assert (got.status_code, error_of(got)["code"]) == (status, code)
    assert says in str(error_of(got)["message"])


@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_that_is_no_json_is_answered_in_our_shape(gateway: Gateway, streamed: bool) -> None:
    """The moderator judges no error, and the connection is good for the next request."""
    gateway.engine.script = Script(parts=[b"http://10.0.0.7 is down"], status=500, type="text/plain")
    got = gateway.chat("chat", "Hello", stream=streamed)

    assert (got.status_code, error_of(got)["code"]) == (502, "endpoint_failed")
    gateway.engine.script = answer("Good day.")
    assert gateway.chat("chat", "Hello").status_code == 200


def test_without_its_moderator_the_gateway_refuses(gateway: Gateway) -> None:
    """Callers read an error that says what is missing and when to come back; other endpoints go on."""
    assert gateway.moderator.process is not None
    gateway.moderator.process.kill()
    gateway.moderator.process.wait()
    gateway.engine.script = answer("Good day.")
    gateway.engine.bodies.clear()
    got = gateway.chat("chat", "Hello")

    assert (got.status_code, error_of(got)["code"]) == (503, "moderation_unavailable")
    assert int(got.headers["retry-after"]) > 0
    assert gateway.engine.bodies == []
    assert gateway.chat("free", "Hello").status_code == 200


def _lines(gateway: Gateway, count: int) -> list[dict[str, object]]:
    deadline = time.monotonic() + 15
    while len(lines := gateway.log.read_text().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [json.loads(line) for line in lines]
