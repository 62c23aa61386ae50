"""One run of a stack: real Envoy and Prometheus, fake engines, and one endpoint for each broken state.

chat     healthy
slow     its engine is slower than its tier; its limits cannot be asked for: no ratelimit answers
asleep   no engine; requests are held, as many as its queue
gone     no engine, and the cold-start limit is over at once
judged   moderated, and no moderator answers
leaky    its engine makes tokens that the gateway does not count
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import yaml
from samples import sample_plan

from infra import names
from infra.local import ports, prometheus
from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.local.prometheus import Programs, Prometheus, Target
from infra.plan.model import EndpointPlan, GatewayPlan, Plan
from infra.render.gateway.bootstrap import BOOTSTRAP_FILE, arguments
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file
from infra.render.gateway.make import gateway_files
from infra.render.gateway.place import Address, Place
from infra.render.observability.alerts import rule_groups
from infra.render.queries import ENDPOINT_LABEL, ROLE_LABEL, STACK_LABEL
from observability.fake_engine import Engine, engine_at

STACK = "test"
HOST = "127.0.0.1"
QUEUE = 3
SCRAPE_SECONDS = 0.25
WAIT_SECONDS = 10.0
KEY = CallerKey(id="k0000000a", team="search", secret="mu-observed")
ENGINES = ("chat", "slow", "leaky")
GATEWAY = GatewayPlan(
    namespace=names.gateway_namespace(STACK),
    image="registry.example.com/modelunits:0.1.0",
    host=None,
    url="https://gateway/v1",
    replicas=1,
    tls_secret="gateway-tls",
    issuer_kind=None,
    issuer_name=None,
    parent_namespace=None,
    parent_name=None,
    drain_timeout_seconds=1,
    judges=None,
)


@dataclass(slots=True, kw_only=True)
class Run:
    """A stack that runs."""

    plan: Plan
    base_url: str
    prometheus: Prometheus
    engines: Mapping[str, Engine]

    def chat(self, name: str, *, key: str = KEY.secret, **body: object) -> httpx.Response:
        """Send a chat to an endpoint, by its name, and wait however long it takes."""
        return httpx.post(
            f"{self.base_url}/v1/chat/completions",
            json={
                "model": endpoint_id(self.plan, name),
                "messages": [{"role": "user", "content": "hello"}],
                **body,
            },
            headers={"Authorization": f"Bearer {key}"},
            verify=False,
            timeout=None,
        )


def plan() -> Plan:
    """Return the plan of the run."""
    off = {"enabled": False, "reason": "words of a test", "confirmed_by": "a.lee"}
    common = {"model": "qwen3-32b", "template": "h100-single", "units": {"hourly": {"min": 0, "max": 8}}}
    made = sample_plan(
        {
            "chat": {**common, "moderation": off},
            "slow": {
                **common,
                "moderation": off,
                "limits": {"requests_per_minute": 1000, "per_key": {"concurrency": 1000}},
            },
            "asleep": {**common, "moderation": off, "limits": {"queue": QUEUE}},
            "gone": {**common, "moderation": off},
            "judged": common,
            "leaky": {**common, "moderation": off},
        }
    )
    endpoints = tuple(
        replace(each, startup_timeout_seconds=1) if each.name == "gone" else each for each in made.endpoints
    )
    return replace(made, stack=STACK, endpoints=endpoints, gateway=GATEWAY)


def endpoint_id(planned: Plan, name: str) -> str:
    """Return the id of an endpoint."""
    return next(each.id for each in planned.endpoints if each.name == name)


@contextmanager
def running(folder: Path, tools: Programs) -> Iterator[Run]:
    """Run the stack, rules included."""
    planned = plan()
    with ExitStack() as stack:
        engines = {name: stack.enter_context(engine_at()) for name in ENGINES}
        engines["slow"].ttft_seconds, engines["slow"].tpot_seconds = 9.0, 2.0
        callers, metrics, admin, nobody, prometheus_port = ports.quiet(5)
        place = Place(
            folder=str(folder / "config"),
            keys_folder=str(folder / "keys"),
            listen=Address(host=HOST, port=callers),
            metrics=Address(host=HOST, port=metrics),
            admin=Address(host=HOST, port=admin),
            access_log=str(folder / "access.log"),
            ratelimit=Address(host=HOST, port=nobody),
            moderator=Address(host=HOST, port=nobody),
            concurrency=Address(host=HOST, port=nobody),
            upstreams={
                each.id: Address(host=HOST, port=engines[each.name].port if each.name in engines else nobody)
                for each in planned.endpoints
            },
            tls=certificate(folder, days=5),
            replicas=GATEWAY.replicas,
        )
        stack.enter_context(_envoy(planned, place))
        rules = folder / "rules.yaml"
        rules.write_text(yaml.safe_dump(rule_groups(planned, GATEWAY)))
        written = prometheus.configuration(
            [
                Target(job="gateway", host=HOST, port=metrics, path="/stats/prometheus"),
                *(
                    _engine_target(each, engines[each.name])
                    for each in planned.endpoints
                    if each.name in engines
                ),
            ],
            [rules],
            interval_seconds=SCRAPE_SECONDS,
        )
        server = stack.enter_context(
            prometheus.running(tools.prometheus, folder / "prometheus", prometheus_port, written)
        )
        # Prometheus finds its targets only seconds after its start.
        assert until(lambda: len(server.ask("up == 1")) == 1 + len(ENGINES))
        yield Run(plan=planned, base_url=f"https://{HOST}:{callers}", prometheus=server, engines=engines)


def traffic(run: Run) -> None:
    """Call every endpoint and be refused in several ways, while requests are held."""
    for _ in range(QUEUE):
        threading.Thread(target=_held, args=(run,), daemon=True).start()
    # Prometheus knows how fast a counter grows once it has seen it twice.
    for _ in range(2):
        for stream in (False, True):
            assert run.chat("chat", stream=stream).status_code == 200
            assert run.chat("slow", stream=stream).status_code == 200
        assert run.chat("chat", key="mu-wrong").status_code == 401
        assert run.chat("chat", n=-1).status_code == 400
        assert run.chat("gone").status_code == 503
        assert run.chat("judged").status_code == 503
        run.engines["leaky"].finish()
        time.sleep(3 * SCRAPE_SECONDS)


def _held(run: Run) -> None:
    # Nobody answers before the gateway ends.
    with suppress(httpx.HTTPError):
        run.chat("asleep")


def until(what: Callable[[], bool]) -> bool:
    """Wait for something; tell whether it came."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(SCRAPE_SECONDS)
    return True


def certificate(folder: Path, days: int) -> tuple[str, str]:
    """Make a certificate that ends in so many days."""
    (folder / "tls").mkdir(parents=True)
    chain, key = str(folder / "tls" / "tls.crt"), str(folder / "tls" / "tls.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", key, "-out", chain, "-days", str(days), "-subj", "/CN=localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@contextmanager
def _envoy(planned: Plan, place: Place) -> Iterator[None]:
    for folder, files in (
        (Path(place.folder), gateway_files(planned, place)),
        (Path(place.keys_folder), {KEYS_FILE: key_file([KEY])}),
    ):
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
    program = envoy_program(Progress())
    process = subprocess.Popen([program, *arguments(place, 1), "--concurrency", "1"])
    ready = f"http://{place.metrics.host}:{place.metrics.port}/ready"
    try:
        assert until(lambda: _answers(ready)), f"{Path(place.folder, BOOTSTRAP_FILE)} did not start"
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _engine_target(endpoint: EndpointPlan, engine: Engine) -> Target:
    """Read an engine under the labels that the PodMonitor copies from its pods."""
    labels = {STACK_LABEL: STACK, ENDPOINT_LABEL: endpoint.name, ROLE_LABEL: endpoint.roles[0].name}
    return Target(job=endpoint.name, host=HOST, port=engine.port, labels=labels)
