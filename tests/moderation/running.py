"""A real Envoy with nothing but the moderation filter, a fake engine behind it, real moderators beside it."""

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from samples import sample_plan

from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.render.gateway.moderation import (
    CLUSTER_NAME,
    FILTER_NAME,
    ext_proc_filter,
    ext_proc_off,
    ext_proc_on,
)
from moderation.fakes import Fake
from moderation.moderators import LOCAL, READY_SECONDS, Moderator, free_ports

_NUMBERS = itertools.count(1)
_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An Envoy that asks one moderator."""

    port: int
    access_log: Path
    engine: Fake
    moderator: Moderator
    last: list[str] = field(default_factory=lambda: [""])
    """The number of the last request, which the access log repeats."""

    def chat(self, *contents: object, path: str = "/v1/chat/completions", **fields: object) -> httpx.Response:
        """Send user messages and return the answer."""
        messages = [{"role": "user", "content": content} for content in contents]
        return self.post(json.dumps({"model": "ep-chat-000000", "messages": messages, **fields}), path=path)

    def post(self, body: str | bytes, *, path: str = "/v1/chat/completions") -> httpx.Response:
        """Send a body and return the answer."""
        self.engine.bodies.clear()
        self.engine.headers.clear()
        number = str(next(_NUMBERS))
        self.last[0] = number
        headers = {"content-type": "application/json", "accept-encoding": "gzip", "x-number": number}
        return httpx.post(f"http://{LOCAL}:{self.port}{path}", content=body, headers=headers, timeout=30)

    def noted(self) -> Mapping[str, object]:
        """Return what the access log says of the last request, once it does."""
        deadline = time.monotonic() + 5
        while True:
            lines = [json.loads(line) for line in self.access_log.read_text().splitlines()]
            found = [line["moderation"] or {} for line in lines if line["number"] == self.last[0]]
            if found:
                return found[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def doors(folder: Path, engine: Fake, moderators: Sequence[Moderator]) -> Iterator[dict[str, Door]]:
    """Run an Envoy with a door for each moderator."""
    admin, *ports = free_ports(1 + len(moderators))
    made = {
        each.name: Door(port=port, access_log=folder / f"{each.name}.access", engine=engine, moderator=each)
        for each, port in zip(moderators, ports, strict=True)
    }
    with _envoy(folder, admin, list(made.values())):
        for each in moderators:
            assert each.process is None or each.logged("listening", wait_seconds=READY_SECONDS)
        yield made


@contextmanager
def _envoy(folder: Path, admin: int, made: Sequence[Door]) -> Iterator[None]:
    for door in made:
        door.access_log.touch()
    config = {
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [_listener(door) for door in made],
            "clusters": [_cluster("engine", made[0].engine.port)]
            + [
                _cluster(f"{CLUSTER_NAME}-{each.moderator.name}", each.moderator.port, h2=True)
                for each in made
            ],
        },
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    command = [str(envoy_program(Progress())), "-c", str(folder / "envoy.json"), "--concurrency", "1"]
    command += ["--use-dynamic-base-id", "-l", "warning", "--file-flush-interval-msec", "20"]
    log = folder / "envoy.log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not is_live(admin):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()

                time.sleep(0.05)
            yield
            assert process.poll() is None, f"Envoy died:\n{log.read_text()[-3000:]}"
        finally:
            process.kill()


def is_live(admin: int) -> bool:
    """Return whether an Envoy is ready."""
    try:
        return httpx.get(f"http://{LOCAL}:{admin}/ready", timeout=1).text == "LIVE\n"
    except httpx.TransportError:
        return False


def _listener(door: Door) -> dict[str, object]:
    gateway, moderation = (
        {"image": "registry.example.com/modelunits:0.1.0"},
        {"words": ("any",), "timeout": "1s"},
    )
    plan = sample_plan({}, gateway=gateway, moderation=moderation)
    asks = json.loads(
        json.dumps(ext_proc_filter(plan)).replace(
            f'"{CLUSTER_NAME}"', f'"{CLUSTER_NAME}-{door.moderator.name}"'
        )
    )
    routes = [
        {
            "match": {"prefix": "/off/"},
            "route": {"cluster": "engine"},
            "typed_per_filter_config": ext_proc_off(),
        },
        {
            "match": {"prefix": "/"},
            "route": {"cluster": "engine", "timeout": "0s"},
            "typed_per_filter_config": ext_proc_on(),
        },
    ]
    line = {"number": "%REQ(x-number)%", "details": "%RESPONSE_CODE_DETAILS%"}
    line["moderation"] = f"%DYNAMIC_METADATA({FILTER_NAME})%"
    log = {"@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog", "path": str(door.access_log)}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "door",
        "access_log": [{"name": "file", "typed_config": {**log, "log_format": {"json_format": line}}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            asks,
            {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}},
        ],
    }
    return {
        "name": door.moderator.name,
        "address": _address(door.port),
        "per_connection_buffer_limit_bytes": 17 << 20,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _cluster(name: str, port: int, *, h2: bool = False) -> dict[str, object]:
    options = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    } | (
        {
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
            }
        }
        if h2
        else {}
    )


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": LOCAL, "port_value": port}}


def error_of(got: httpx.Response) -> dict[str, object]:
    """Return the error of an answer, which has OpenAI's shape."""
    assert got.headers.get("content-type") == "application/json", (got.status_code, got.text)
    error = got.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def until(happened: Callable[[], bool], *, seconds: float = 5) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline

        time.sleep(0.02)
