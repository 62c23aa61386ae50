"""The ways from a caller to a backend that are compared: nothing in between, or one of these programs."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from bare_envoy import envoy_command

from infra.local.folders import cache_folder
from infra.local.go_build import go_environment
from infra.local.locked_environment import locked_environment
from infra.local.progress import Progress
from infra.local.vllm_router import vllm_router
from infra.render.gateway.place import Address

FOLDER = Path(__file__).parent
START_SECONDS = 300.0
CHAT = "/v1/chat/completions"
MODEL = "bench"
LITELLM_KEY = "sk-bench"
"""LiteLLM wants keys to begin so. It is a name, not a secret: the server ends with the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How requests go, and which processes they pass."""

    name: str
    url: str
    model: str = MODEL
    headers: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[int, ...] = ()


@contextmanager
def started(
    command: Sequence[object], folder: Path, name: str, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a program, its output in a file of the folder; end it afterwards. Gives its process id."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_served(way: Way) -> None:
    """Wait until a way answers a chat as the backend does."""
    deadline = time.monotonic() + START_SECONDS
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            answer = httpx.post(way.url, json=chat(way.model, 1000), headers=way.headers, timeout=5)
        except httpx.HTTPError as error:
            said = str(error)
        else:
            if answer.status_code == httpx.codes.OK:
                return
            said = f"{answer.status_code} {answer.text[:300]}"
        time.sleep(0.2)
    raise SystemExit(f"{way.name} does not answer at {way.url}: {said}")


def chat(model: str, size_bytes: int) -> dict[str, object]:
    """Return a chat request of about so many bytes."""
    text = "word " * ((size_bytes - 120) // 5)
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 12}


@contextmanager
def backend(folder: Path, port: int, latency_ms: float) -> Iterator[tuple[Way]]:
    """Build and run the backend with the fixed latency; the way straight to it."""
    program = folder / "backend"
    build = ["go", "build", "-o", program, "."]
    subprocess.run(build, cwd=FOLDER / "backend", env=go_environment(cache_folder(os.environ)), check=True)
    command = (program, f"--listen=127.0.0.1:{port}", f"--latency={latency_ms}ms")
    with started(command, folder, "backend", {"GOMAXPROCS": "1"}):
        yield (Way(name="direct", url=f"http://127.0.0.1:{port}{CHAT}"),)


@contextmanager
def bare_envoy(
    envoy: Path, folder: Path, port: int, behind: Address, *, under: Sequence[str] = ()
) -> Iterator[tuple[Way]]:
    """Run Envoy with a router and nothing else, under a tool where one is named."""
    command = (*under, *envoy_command(envoy, folder / "bare.json", port, [behind]))
    with started(command, folder, "bare") as process:
        yield (Way(name="bare Envoy", url=f"http://127.0.0.1:{port}{CHAT}", processes=(process,)),)


@contextmanager
def router(folder: Path, port: int, metrics_port: int, behind: Address) -> Iterator[tuple[Way]]:
    """Run vllm-router before one engine, on one thread as every other program."""
    program = vllm_router(Progress())
    command = (
        *(program, "--host", "127.0.0.1", "--port", port, "--policy", "round_robin", "--log-level", "error"),
        *("--worker-urls", f"http://{behind.host}:{behind.port}", "--prometheus-port", metrics_port),
        *("--max-concurrent-requests", 1024),
    )
    with started(command, folder, "router", {"TOKIO_WORKER_THREADS": "1"}) as process:
        yield (Way(name="vllm-router", url=f"http://127.0.0.1:{port}{CHAT}", processes=(process,)),)


@contextmanager
def litellm(folder: Path, port: int, behind: Address) -> Iterator[tuple[Way]]:
    """Run LiteLLM's proxy with one worker and one key."""
    program = locked_environment(FOLDER / "litellm.lock", Progress()) / "litellm"
    parameters = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://{behind.host}:{behind.port}/v1",
        "api_key": "none",
    }
    written = folder / "litellm.yaml"
    written.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
                "general_settings": {"master_key": LITELLM_KEY},
                "litellm_settings": {"telemetry": False},
            }
        )
    )
    command = (program, "--config", written, "--host", "127.0.0.1", "--port", port, "--num_workers", 1)
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with started(command, folder, "litellm", local) as process:
        headers = {"Authorization": f"Bearer {LITELLM_KEY}"}
        url = f"http://127.0.0.1:{port}{CHAT}"
        yield (Way(name="LiteLLM", url=url, headers=headers, processes=(process,)),)
