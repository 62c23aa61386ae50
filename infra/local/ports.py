"""Ports of this machine: those of one cluster's controllers, chosen once and kept; and quiet ones."""

import json
import random
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

QUIET = range(20_000, 30_000)
"""Below the ports from which Linux and macOS take those of outgoing connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """A port for everything that the controllers serve."""

    prometheus: int
    karpenter_health: int
    karpenter_metrics: int
    lws_health: int
    lws_webhooks: int
    keda_health: int
    keda_metrics_service: int
    keda_api: int
    keda_adapter_metrics: int


def kept(cluster: Path) -> Ports | None:
    """Return the ports of a cluster, or None before its first start."""
    file = cluster / "ports.json"
    return Ports(**json.loads(file.read_text())) if file.exists() else None


def choose(cluster: Path) -> Ports:
    """Choose ports that are free now, and keep them."""
    names = [one.name for one in fields(Ports)]
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = Ports(**{name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)})
    (cluster / "ports.json").write_text(json.dumps(asdict(ports), indent=1))
    return ports


def quiet(count: int) -> tuple[int, ...]:
    """Return ports that are free now and that no outgoing connection takes.

    Why: something tries an engine's port again and again while the engine sleeps. Among the outgoing ports
    it would at last meet itself, a connection with the same port at both ends.
    """
    found: list[int] = []
    for port in random.sample(QUIET, k=len(QUIET)):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    return tuple(found)


def is_free(port: int) -> bool:
    """Tell whether a program could listen at a port now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
