"""Ports of this machine that the controllers of one cluster use: chosen once, kept in a file."""

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path


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
