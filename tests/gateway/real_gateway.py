"""A real Envoy on the files of a plan, in front of addresses that a test chooses."""

import dataclasses
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fake_engine import FakeEngine
from samples import sample_plan

from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.plan.model import GatewayPlan, Plan
from infra.render.gateway.bootstrap import arguments
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file
from infra.render.gateway.make import gateway_files
from infra.render.gateway.place import Address, Place

READY_SECONDS = 20
LOG_SECONDS = 10
CLIENT = httpx.Client(timeout=30, trust_env=False)
"""One for all: each new client of httpx reads certificates for a tenth of a second."""

LOCAL = "127.0.0.1"
CHAT = "/v1/chat/completions"

SEARCH = CallerKey(id="k00000001", team="search", secret="mu-" + "s" * 43)
SEARCH_TOO = CallerKey(id="k00000002", team="search", secret="mu-" + "t" * 43)
OTHER = CallerKey(id="k00000003", team="other", secret="mu-" + "o" * 43)
KEYS = (SEARCH, SEARCH_TOO, OTHER)

OFF = {"enabled": False, "reason": "tests of the gateway", "confirmed_by": "t.ester"}
OPEN = {"model": "qwen3-32b", "template": "h20-single", "units": {"reserved": 4}, "moderation": OFF}
PLAIN = {**OPEN, "template": "h20-h200-pd"}
"""Of a template that supports no structured output."""

GATEWAY = GatewayPlan(
    namespace="modelunits-test",
    image="registry.example.com/modelunits:0.1.0",
    host=None,
    url="http://gateway.modelunits-test.svc/v1",
    replicas=2,
    tls_secret=None,
    issuer_kind=None,
    issuer_name=None,
    parent_namespace=None,
    parent_name=None,
    drain_timeout_seconds=3600,
    judges=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway."""

    plan: Plan
    place: Place
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return the base URL of callers."""
        return f"http://{LOCAL}:{self.place.listen.port}"

    def id_of(self, name: str) -> str:
        """Return the id of an endpoint."""
        return next(endpoint.id for endpoint in self.plan.endpoints if endpoint.name == name)

    def chat(self, name: str, **fields: object) -> dict[str, object]:
        """Return the body of a chat with an endpoint."""
        return {"model": self.id_of(name), "messages": [{"role": "user", "content": "hi"}], **fields}

    def post(
        self,
        body: object,
        *,
        key: CallerKey = SEARCH,
        path: str = CHAT,
        timeout: float = 30,
    ) -> httpx.Response:
        """Send a chat and return the answer."""
        return CLIENT.post(self.url + path, json=body, headers=authorization(key), timeout=timeout)

    def stat(self, name: str) -> int:
        """Return one of Envoy's own counts."""
        text = CLIENT.get(f"http://{LOCAL}:{self.place.admin.port}/stats?filter=^{name}$").text
        return int(text.rpartition(":")[2] or 0) if text.strip() else 0

    def metrics(self) -> str:
        """Return what Prometheus reads."""
        return CLIENT.get(f"http://{LOCAL}:{self.place.metrics.port}/stats/prometheus").text

    def log_of(self, trace: str, lines: int) -> list[dict[str, object]]:
        """Return the access log's lines of a trace once there are that many."""
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            text = Path(self.place.access_log).read_text()
            found = [json.loads(line) for line in text.splitlines() if trace in line and line.endswith("}")]
            if len(found) >= lines or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def write_keys(self, keys: Sequence[CallerKey]) -> None:
        """Put a new file of keys in the place of the old one."""
        put(Path(self.place.keys_folder), KEYS_FILE, key_file(keys))

    def write(self, plan: Plan, **changed: object) -> None:
        """Put the files of another plan in the place of those that are there."""
        place = dataclasses.replace(self.place, **changed)
        for name, text in gateway_files(plan, place).items():
            put(Path(place.folder), name, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A running gateway and what is behind it; `secret` is the other team's endpoint."""

    gateway: Gateway
    engine: FakeEngine
    secret: FakeEngine

    def reached(self) -> int:
        """Return how many requests engines have seen."""
        return len(self.engine.seen) + len(self.secret.seen)


def authorization(key: CallerKey) -> dict[str, str]:
    """Return the header that a caller sends."""
    return {"Authorization": f"Bearer {key.secret}"}


def put(folder: Path, name: str, text: str) -> None:
    """Write a file as stores do: whole, by renaming."""
    new = folder / f".{name}.new"
    new.write_text(text)
    new.rename(folder / name)


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOCAL, 0))
        return [each.getsockname()[1] for each in sockets]


def plan_of(endpoints: Mapping[str, Mapping[str, object]], *, of_other: Sequence[str] = ()) -> Plan:
    """Return the plan of some endpoints behind a gateway; some belong to the team `other`."""
    plan = sample_plan(endpoints)
    teams = (
        dataclasses.replace(endpoint, team="other") if endpoint.name in of_other else endpoint
        for endpoint in plan.endpoints
    )
    return dataclasses.replace(plan, gateway=GATEWAY, endpoints=tuple(teams))


@contextmanager
def gateway(
    folder: Path,
    plan: Plan,
    upstreams: Mapping[str, int],
    *,
    ratelimit: int | None = None,
    moderator: int | None = None,
    concurrency: int | None = None,
    workers: int = 1,
    replicas: int = 1,
) -> Iterator[Gateway]:
    """Run Envoy on the files of a plan; `upstreams` are ports by the endpoint's name."""
    listen, metrics, admin = free_ports(3)
    for name in ("files", "keys"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "access.log").touch()
    place = Place(
        folder=str(folder / "files"),
        keys_folder=str(folder / "keys"),
        listen=Address(host=LOCAL, port=listen),
        metrics=Address(host=LOCAL, port=metrics),
        admin=Address(host=LOCAL, port=admin),
        access_log=str(folder / "access.log"),
        ratelimit=Address(host=LOCAL, port=ratelimit) if ratelimit else None,
        moderator=Address(host=LOCAL, port=moderator) if moderator else None,
        concurrency=Address(host=LOCAL, port=concurrency) if concurrency else None,
        upstreams={each.id: Address(host=LOCAL, port=upstreams[each.name]) for each in plan.endpoints},
        tls=None,
        replicas=replicas,
    )
    put(folder / "keys", KEYS_FILE, key_file(KEYS))
    for name, text in gateway_files(plan, place).items():
        put(folder / "files", name, text)
    command = [str(envoy_program(Progress())), *arguments(place, 60), "--concurrency", str(workers)]
    said = folder / "envoy.log"
    with said.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, admin, said)
            yield Gateway(plan=plan, place=place, process=process)

            assert process.poll() is None, f"Envoy died:\n{said.read_text()[-3000:]}"
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], admin: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://{LOCAL}:{admin}/ready", timeout=1).text == "LIVE\n":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Envoy does not start:\n{log.read_text()[-3000:]}")
