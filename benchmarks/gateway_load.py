"""Loads an address with wrk: what came of it, and the processor time of whatever stands in between."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.debian import library_environment, unpacked
from infra.local.progress import Progress

PACKAGES = ("wrk", "libluajit-5.1-2")
"""Debian's wrk 4.1.0: epoll and one request made once, so that it costs little beside what it measures."""

SCRIPT = """
wrk.method = "POST"
for name, value in string.gmatch(os.getenv("LOAD_HEADERS"), "([^:\\n]+): ([^\\n]+)") do
  wrk.headers[name] = value
end
wrk.body = io.open(os.getenv("LOAD_BODY"), "rb"):read("*a")
done = function(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "status": %d, "broken": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed.status,
    failed.connect + failed.read + failed.write + failed.timeout))
end
"""

CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class LoadError(Exception):
    """A load was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One load: how fast answers came, and what they cost between the caller and the backend."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    broken: int
    """Requests that got no answer."""
    cpu_us_per_request: float
    """Processor time of the processes in between; 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """wrk, ready to run."""

    program: Path
    environment: Mapping[str, str]
    script: Path

    def measure(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Path,
        connections: int,
        seconds: int,
        between: Sequence[int],
    ) -> Measured:
        """Load an address over so many connections; `between` are the processes whose time counts."""
        lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
        # A slow program needs longer than asked for to answer each connection once.
        for longer in (1, 3, 9):
            measured = self._once(url, lines, body, connections, longer * seconds, between)
            if measured.requests >= connections:
                break
        return measured

    def _once(
        self, url: str, headers: str, body: Path, connections: int, seconds: int, between: Sequence[int]
    ) -> Measured:
        before = cpu_seconds(between)
        done = subprocess.run(
            [
                self.program,
                "-t1",
                f"-c{connections}",
                f"-d{seconds}s",
                "--timeout=60s",
                "-s",
                self.script,
                url,
            ],
            env={**os.environ, **self.environment, "LOAD_HEADERS": headers, "LOAD_BODY": str(body)},
            capture_output=True,
            text=True,
            check=True,
        )
        spent = cpu_seconds(between) - before
        said = json.loads(done.stdout.splitlines()[-1])
        if said["status"]:
            # Refusals are fast: their figures would mean nothing.
            raise LoadError(f"{url}: {said['status']} of {said['requests']} requests were refused")
        return Measured(
            requests=said["requests"],
            requests_per_second=said["requests"] / said["duration_us"] * 1e6,
            p50_ms=said["p50_us"] / 1000,
            p99_ms=said["p99_us"] / 1000,
            broken=said["broken"],
            cpu_us_per_request=spent / max(1, said["requests"]) * 1e6,
        )


def load(folder: Path, progress: Progress) -> Load:
    """Return wrk with its script in a folder."""
    files = unpacked(PACKAGES, progress)
    script = folder / "load.lua"
    script.write_text(SCRIPT)
    return Load(program=files / "usr" / "bin" / "wrk", environment=library_environment(files), script=script)


def cpu_seconds(processes: Sequence[int]) -> float:
    """Return the processor time that processes and their children have used."""
    return sum(_ticks(process) for process in _with_children(processes)) / CLOCK_TICKS_PER_SECOND


def _with_children(processes: Sequence[int]) -> tuple[int, ...]:
    found = list(processes)
    for process in found:
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return tuple(found)


def _ticks(process: int) -> int:
    # The program's name, in parentheses, may hold spaces; user and system time are fields 14 and 15.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
