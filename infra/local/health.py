"""Whether processes answer, and why they do not."""

import socket
import ssl
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from infra.local import processes
from infra.local.processes import Process

HEALTHY_SECONDS = 180.0
"""Controllers are up in a few seconds; a busy machine with two cores takes longer."""

LAST_LINES = 8

PORT_TAKEN = "address already in use"

TCP = "tcp://"
"""Begins the addresses of programs that do not speak HTTP."""


def answers(address: str) -> bool:
    """Tell whether an address answers; a refusal to serve us is an answer."""
    if address.startswith(TCP):
        return _takes_connections(address)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trust())
    )
    try:
        with opener.open(address, timeout=3):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except OSError:
        return False


@cache
def _trust() -> ssl.SSLContext:
    """Return the trust in any certificate: the address is loopback, and nothing is sent. Slow to make."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust


def _takes_connections(address: str) -> bool:
    host, _, port = address.removeprefix(TCP).rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=3):
            return True
    except OSError:
        return False


def sick(wanted: Sequence[Process]) -> tuple[Process, ...]:
    """Return the processes that do not answer."""
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        well = pool.map(lambda process: answers(process.health), wanted)
        return tuple(process for process, answer in zip(wanted, well, strict=True) if not answer)


def wait_until_well(cluster: Path, wanted: Sequence[Process]) -> tuple[Process, ...]:
    """Wait until all answer; return those that do not, as soon as one has ended or patience has."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while (left := sick(wanted)) and time.monotonic() < deadline:
        alive = {one.name for one in processes.running(cluster)}
        ended = tuple(process for process in wanted if process.name not in alive)
        if ended:
            return ended
        time.sleep(0.3)
    return left


def last_words(cluster: Path, process: Process) -> str:
    """Return the end of a process's log."""
    return log_end(cluster, process.name)


def log_end(cluster: Path, name: str) -> str:
    """Return the end of the log of a process by its name."""
    with (cluster / "logs" / f"{name}.log").open(errors="replace") as log:
        return "".join(deque(log, maxlen=LAST_LINES))
