"""A real vllm-router with our arguments finds an endpoint's pods through a real API server.

The pods are entries in the cluster whose addresses are this machine's: fake engines listen there.
"""

import itertools
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from local.running import LocalCluster, eventually
from samples import sample_plan

from infra import names
from infra.local.progress import Progress
from infra.local.vllm_router import vllm_router
from infra.render.make import render
from infra.render.router_args import METRICS_PORT, router_args

pytestmark = pytest.mark.cluster

ENGINES = {"one": "127.0.0.2", "two": "127.0.0.3"}
"""Pods by name, and where their engines listen: one port, as in a cluster, on loopback addresses."""

PLAN = sample_plan(
    {"chat": {"model": "qwen3-32b", "template": "h20-single", "units": {"hourly": {"min": 0, "max": 4}}}}
)
ENDPOINT = PLAN.endpoints[0]
BUSY_SECONDS = 0.3
"""How long an engine works on a prompt: load is what requests make that overlap."""

FAILED: list[object] = []
"""The engines that refused a prompt which asks them to fail, each time that they did."""

STRANGERS = itertools.count()
CLIENT = httpx.Client(timeout=30, trust_env=False)


class Engine(BaseHTTPRequestHandler):
    """Says which engine it is, and what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Be healthy."""
        self._send({"data": []})

    def do_POST(self) -> None:
        """Say the tokens of a chat, as vLLM does for routers, or answer it."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/render"):
            said = "".join(message["content"] for message in asked["messages"])
            self._send({"request_id": "1", "token_ids": list(said.encode()), "sampling_params": {}})
        elif "fail" in asked["messages"][0]["content"]:
            FAILED.append(self.server.server_address[0])
            self._send({"error": {"message": "as asked"}}, status=500)
        else:
            time.sleep(BUSY_SECONDS)
            self._send({"by": self.server.server_address[0], "model": asked["model"]})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        """Say nothing."""

    def _send(self, answer: object, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True)
class Router:
    """A router that runs, and the endpoint's pods as the cluster shows them."""

    url: str
    cluster: LocalCluster

    def ask(self, prompt: str, model: str = ENDPOINT.id) -> httpx.Response:
        """Send a chat."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        return CLIENT.post(f"{self.url}/v1/chat/completions", json=body)

    def engine_of(self, prompt: str) -> object:
        """Return the engine that answers, or the status of the refusal."""
        answer = self.ask(prompt)
        return answer.json()["by"] if answer.status_code == 200 else answer.status_code

    def engines_of_strangers(self) -> set[object]:
        """Return the engines that answer prompts at once which have nothing in common with any before."""
        texts = [sha256(str(next(STRANGERS)).encode()).hexdigest() for _ in range(8)]
        with ThreadPoolExecutor(len(texts)) as pool:
            return set(pool.map(self.engine_of, texts))

    def start(self, pod: str, labels: Mapping[str, str]) -> None:
        """Enter a pod that is ready, as a kubelet would."""
        spec = {"nodeName": "elsewhere", "containers": [{"name": "vllm", "image": "example.com/vllm:1"}]}
        metadata = {"name": pod, "namespace": "default", "labels": dict(labels)}
        self.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        ready = {"type": "Ready", "status": "True"}
        status = {
            "phase": "Running",
            "podIP": ENGINES[pod],
            "podIPs": [{"ip": ENGINES[pod]}],
            "conditions": [ready],
        }
        patch = json.dumps({"status": status})
        self.cluster.kubectl("patch", "pod", pod, "--subresource=status", "--type=merge", f"--patch={patch}")

    def stop(self, pod: str) -> None:
        """Take a pod away."""
        self.cluster.kubectl("delete", "pod", pod, "--force", "--grace-period=0", "--ignore-not-found")


@contextmanager
def engines() -> Iterator[int]:
    """Run every engine on one port."""
    with socket.socket() as free:
        free.bind((ENGINES["one"], 0))
        port = free.getsockname()[1]
    servers = [ThreadingHTTPServer((host, port), Engine) for host in ENGINES.values()]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield port
    for server in servers:
        server.shutdown()
        server.server_close()


def _arguments(engine_port: int, port: int, metrics_port: int) -> list[str]:
    """Return the arguments of our manifests, on this machine's ports and in the namespace `default`."""
    ours = router_args(replace(ENDPOINT, namespace="default"), PLAN.stack)
    here = {
        f"--service-discovery-port={names.ENGINE_PORT}": f"--service-discovery-port={engine_port}",
        f"--port={names.ENGINE_PORT}": f"--port={port}",
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--prometheus-host=0.0.0.0": "--prometheus-host=127.0.0.1",
        f"--prometheus-port={METRICS_PORT}": f"--prometheus-port={metrics_port}",
    }
    assert here.keys() <= set(ours)
    return [here.get(argument, argument) for argument in ours]


@pytest.fixture(scope="module")
def router(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """Start the router while no engine runs, as it does for a sleeping endpoint."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        port, metrics_port = one.getsockname()[1], two.getsockname()[1]
    environment = {**os.environ, "KUBECONFIG": cluster.environment["KUBECONFIG"]}
    log: Path = tmp_path_factory.mktemp("router") / "log"
    with engines() as engine_port, log.open("wb") as said:
        command = [str(vllm_router(Progress())), *_arguments(engine_port, port, metrics_port)]
        with subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process:
            running = Router(url=f"http://127.0.0.1:{port}", cluster=cluster)
            try:
                eventually(lambda: _liveness(running.url), 200)
                yield running
            except AssertionError as error:
                raise AssertionError(log.read_text()[-3000:]) from error
            finally:
                for pod in ENGINES:
                    running.stop(pod)
                process.kill()


def _liveness(url: str) -> int:
    try:
        return CLIENT.get(f"{url}/liveness").status_code
    except httpx.TransportError:
        return 0


def _labels() -> dict[str, str]:
    """Return the labels of the endpoint's pods, as its Deployment sets them."""
    manifests = render(PLAN)
    (hourly,) = (m for m in manifests if (m.kind, m.name) == ("Deployment", "chat-serve-hourly"))
    body = json.loads(json.dumps(hourly.body))
    labels: dict[str, str] = body["spec"]["template"]["metadata"]["labels"]
    return labels


def test_a_router_without_engines_says_503_and_finds_those_that_start(router: Router) -> None:
    """So the gateway holds requests; what comes at once is shared, and other endpoints are never asked."""
    assert 503 == router.ask("hello").status_code
    router.start("two", {**_labels(), names.LABEL_ENDPOINT: "another"})
    router.start("one", _labels())

    eventually(lambda: router.engine_of("hello"), ENGINES["one"])
    assert {ENGINES["one"]} == router.engines_of_strangers()

    router.stop("two")
    router.start("two", _labels())
    eventually(router.engines_of_strangers, set(ENGINES.values()))

    router.stop("one")
    eventually(router.engines_of_strangers, {ENGINES["two"]})
    router.stop("two")
    eventually(lambda: router.ask("hello").status_code, 503)


def test_prompts_with_a_known_beginning_go_where_it_is_cached(router: Router) -> None:
    """Turns of one conversation meet one engine; conversations are spread over both."""
    for pod in ENGINES:
        router.start(pod, _labels())
    eventually(router.engines_of_strangers, set(ENGINES.values()))
    talks = [f"{number} " + f"conversation {number} begins at length; " * 40 for number in range(6)]

    with ThreadPoolExecutor(len(talks)) as pool:
        first = list(pool.map(router.engine_of, talks))

    assert set(ENGINES.values()) == set(first)
    for turn in range(3):
        assert first == [router.engine_of(talk + f"and turn {turn} goes on") for talk in talks]


def test_the_model_reaches_the_engine_as_it_was_sent(router: Router) -> None:
    """The id of the endpoint, and an adapter behind it."""
    for pod in ENGINES:
        router.start(pod, _labels())
    eventually(lambda: router.ask("hello").status_code, 200)

    assert [ENDPOINT.id, f"{ENDPOINT.id}:tone"] == [
        router.ask("hello", model=model).json()["model"] for model in (ENDPOINT.id, f"{ENDPOINT.id}:tone")
    ]


def test_what_an_engine_has_seen_is_not_sent_again(router: Router) -> None:
    """It may have begun to generate; and the caller learns what it said."""
    for pod in ENGINES:
        router.start(pod, _labels())
    eventually(lambda: router.ask("hello").status_code, 200)
    FAILED.clear()

    answer = router.ask("fail at this")

    assert (500, "as asked") == (answer.status_code, answer.json()["error"]["message"])
    assert 1 == len(FAILED)
