"""A stack that this machine serves, and how tests talk to it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.local import ports, processes

HERE = Path(__file__).parent
MODELUNITS = Path(sys.executable).parent / "modelunits"
HELLO = [{"role": "user", "content": "hello"}]
STACK = "test"

START_SECONDS = 600
"""Tools may have to be built first."""
WAKE_SECONDS = 900
"""An engine takes half a minute; on two cores that others use too, several."""


@dataclass(frozen=True)
class First:
    """The first answer of an endpoint that slept."""

    answer: httpx.Response
    seconds: float


@dataclass
class Served:
    """A stack that is served, by a process of its own."""

    root: Path
    process: subprocess.Popen[bytes]
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of what is served."""
        return self.root / ".modelunits" / "serve" / STACK

    @property
    def said(self) -> str:
        """What the command has printed."""
        return (self.root / "said.log").read_text()

    @property
    def base_url(self) -> str:
        """Where clients come in."""
        found: str = json.loads((self.folder / "serve.json").read_text())["base_url"]
        return found

    def id(self, endpoint: str) -> str:
        """The id of an endpoint."""
        return re.search(rf"^{endpoint} +(ep-\S+)", self.said, re.MULTILINE)[1]

    def modelunits(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project."""
        command = [MODELUNITS, *arguments, "--root", self.root]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def new_key(self, team: str) -> tuple[str, str]:
        """Create a key: its id and its secret."""
        made = self.modelunits(
            *("keys", "create", STACK, "--local", "--team", team),
            *("--description", "a test", "--format", "json"),
        )
        assert made.returncode == 0, made.stderr
        key = json.loads(made.stdout)
        return key["id"], key["key"]

    @contextmanager
    def own_key(self, team: str) -> Iterator[str]:
        """Create a key that works, for one test: a team may have five."""
        key_id, key = self.new_key(team)
        try:
            # Envoy sees the renamed file a moment later
            assert eventually(lambda: self.get("/models", key).status_code == 200, 10)
            yield key
        finally:
            self.modelunits("keys", "revoke", STACK, key_id, "--local")

    def key(self, team: str) -> str:
        """Return a key of a team that all tests share."""
        if team not in self.keys:
            self.keys[team] = self.new_key(team)[1]
            # Envoy sees the renamed file a moment later
            eventually(lambda: self.get("/models", self.keys[team]).status_code == 200, 10)
        return self.keys[team]

    def get(self, path: str, key: str) -> httpx.Response:
        """Ask the gateway."""
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{self.base_url}{path}", headers=headers, timeout=30)

    def body(self, called: str, **fields: object) -> dict[str, object]:
        """Return a request for an endpoint, by its name, or one of its adapters."""
        name, colon, adapter = called.partition(":")
        asked = {"model": f"{self.id(name)}{colon}{adapter}", "messages": HELLO, "max_tokens": 8}
        return {**asked, "temperature": 0, **fields}

    def chat(self, called: str, key: str | None = None, **fields: object) -> httpx.Response:
        """Send a chat to an endpoint, by its name, and wait for all of the answer."""
        headers = {"Authorization": f"Bearer {key or self.key('search')}"}
        url = f"{self.base_url}/chat/completions"
        return httpx.post(url, json=self.body(called, **fields), headers=headers, timeout=WAKE_SECONDS)

    def stream(self, called: str, key: str | None = None, **fields: object):
        """Begin a stream."""
        headers = {"Authorization": f"Bearer {key or self.key('search')}"}
        body = self.body(called, stream=True, **fields)
        url = f"{self.base_url}/chat/completions"
        return httpx.stream("POST", url, json=body, headers=headers, timeout=WAKE_SECONDS)

    def pids(self, name: str) -> list[int]:
        """The processes of a part or an engine."""
        return [one.pid for one in processes.running(self.folder) if one.name == name]

    def leader(self, name: str) -> int:
        """The process of a part that was started, not one of its children."""
        return next(pid for pid in self.pids(name) if os.getpgid(pid) == pid)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of a part."""
        for pid in self.pids(name):
            os.kill(pid, number)

    def engine_url(self, endpoint: str) -> str:
        """Where an endpoint's engine listens."""
        arguments = Path(f"/proc/{self.leader(f'engine-{endpoint}')}/cmdline").read_text().split("\0")
        (port,) = (each.removeprefix("--port=") for each in arguments if each.startswith("--port="))
        return f"http://127.0.0.1:{port}"

    def metric(self, endpoint: str, name: str, labels: str = "") -> float:
        """The sum of a metric that an endpoint's engine tells itself."""
        text = httpx.get(f"{self.engine_url(endpoint)}/metrics", timeout=30).text
        lines = (line for line in text.splitlines() if line.startswith(f"{name}{{") and labels in line)
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def begin(root: Path, *arguments: str) -> Served:
    """Start serving the project of these tests; it is up when this returns."""
    shutil.copytree(HERE / "project", root, dirs_exist_ok=True)
    (port,) = ports.quiet(1)
    with (root / "said.log").open("wb") as said:
        process = subprocess.Popen(
            [MODELUNITS, "local", "serve", STACK, "--root", root, f"--port={port}", *arguments],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
        )
    served = Served(root, process)
    up = eventually(lambda: "Ctrl-C ends it." in served.said or process.poll() is not None, START_SECONDS)
    assert up, served.said
    assert process.poll() is None, served.said
    return served


def end(served: Served, number: signal.Signals = signal.SIGINT) -> int:
    """Tell it to end, as Ctrl-C does; return its exit code."""
    served.process.send_signal(number)
    return served.process.wait(60)


def left(served: Served) -> list[str]:
    """Name what a run has left behind: processes, and files but keys and logs."""
    files = {file.name for file in served.folder.iterdir()} - {"keys", "logs", "serve.lock"}
    return [*(one.name for one in processes.running(served.folder)), *files]


def eventually(what: Callable[[], bool], patience_seconds: float) -> bool:
    """Wait until something is so; tell whether it is."""
    deadline = time.monotonic() + patience_seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
