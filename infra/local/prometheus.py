"""A real Prometheus on this machine: installed, else Debian's; for tests and for a stack that serves here."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.local.debian import unpacked
from infra.local.progress import Progress
from infra.render.manifest import Json

PACKAGE = "prometheus"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class PrometheusError(Exception):
    """Prometheus did not start or refused a question; says what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The server, and the tool that checks and tests rules."""

    prometheus: Path
    promtool: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place that Prometheus reads, and the labels that its series get."""

    job: str
    host: str
    port: int
    path: str = "/metrics"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer to a question: labels and a number."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A running server."""

    url: str

    def ask(self, query: str) -> tuple[Sample, ...]:
        """Return what a query answers now."""
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": query}, timeout=30).json()
        if answer["status"] != "success":
            raise PrometheusError(f"{query}: {answer['error']}")
        found = answer["data"]
        if found["resultType"] == "scalar":
            return (Sample(labels={}, value=float(found["result"][1])),)
        return tuple(Sample(labels=one["metric"], value=float(one["value"][1])) for one in found["result"])


def programs(progress: Progress) -> Programs:
    """Return the programs, installed or from Debian; Unavailable where there are none."""
    installed = shutil.which("prometheus"), shutil.which("promtool")
    if installed[0] and installed[1]:
        return Programs(prometheus=Path(installed[0]), promtool=Path(installed[1]))
    folder = unpacked((PACKAGE,), progress) / "usr" / "bin"
    return Programs(prometheus=folder / "prometheus", promtool=folder / "promtool")


def configuration(
    targets: Sequence[Target], rules: Sequence[Path] = (), *, interval_seconds: float = 15.0
) -> str:
    """Return a configuration, as JSON: Prometheus reads YAML, of which JSON is a part."""
    interval = f"{round(interval_seconds * 1000)}ms"
    scrapes: list[Json] = [
        {
            "job_name": job,
            "metrics_path": path,
            "static_configs": [
                {"targets": [f"{one.host}:{one.port}"], "labels": dict(one.labels)}
                for one in targets
                if (one.job, one.path) == (job, path)
            ],
        }
        for job, path in dict.fromkeys((one.job, one.path) for one in targets)
    ]
    return json.dumps(
        {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": scrapes,
        },
        indent=1,
    )


def command(program: Path, folder: Path, port: int) -> tuple[str, ...]:
    """Return the command that serves a folder's `prometheus.json`, on loopback."""
    return (
        str(program),
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=1d",
        "--log.level=warn",
        "--scrape.discovery-reload-interval=1s",
    )


@contextmanager
def running(program: Path, folder: Path, port: int, written: str) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration, and end it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.json").write_text(written)
    log = folder / "prometheus.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command(program, folder, port), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        _wait(f"http://127.0.0.1:{port}/-/ready", process, log)
        yield Prometheus(url=f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(address, timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise PrometheusError(f"Prometheus does not answer at {address}:\n{log.read_text()[-2000:]}")
