"""The folder of one stack that this machine serves, and where each of its parts listens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from infra.local.folders import Folders
from infra.local.ports import quiet
from infra.render.gateway.place import Address, Place

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFolder:
    """Everything that serving a stack writes; logs are in `logs/` below it."""

    path: Path

    @property
    def gateway(self) -> Path:
        """Return the folder of Envoy's files, which it watches."""
        return self.path / "gateway"

    @property
    def keys(self) -> Path:
        """Return the folder of the API keys; they outlive a run."""
        return self.path / "keys"

    @property
    def ratelimit(self) -> Path:
        """Return the folder of envoyproxy/ratelimit, whose limits are below `config/`."""
        return self.path / "ratelimit"

    @property
    def moderation(self) -> Path:
        """Return the moderator's file."""
        return self.path / "moderation.json"

    @property
    def redis(self) -> Path:
        """Return the folder that Redis runs in."""
        return self.path / "redis"

    @property
    def transfer(self) -> Path:
        """Return the folder through which prefill engines hand over to decode engines."""
        return self.path / "transfer"

    @property
    def access_log(self) -> Path:
        """Return the file with a JSON line for every request."""
        return self.path / "logs" / "access.log"

    @property
    def lock(self) -> Path:
        """Return the file that a run holds while it serves; its process id is in it."""
        return self.path / "serve.lock"

    @property
    def record(self) -> Path:
        """Return the file that says where to call; there only while the stack is served."""
        return self.path / "serve.json"


def serve_folder(folders: Folders, stack: str) -> ServeFolder:
    """Return the folder of a stack."""
    return ServeFolder(path=folders.state / "serve" / stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The ports of the gateway's parts."""

    gateway: int
    metrics: int
    admin: int
    ratelimit: int
    ratelimit_http: int
    ratelimit_debug: int
    redis: int
    moderator: int
    concurrency: int

    @classmethod
    def choose(cls, gateway: int) -> "Listening":
        """Return ports that are free now, and the one that callers use."""
        others = [each.name for each in fields(cls) if each.name != "gateway"]
        return cls(gateway=gateway, **dict(zip(others, quiet(len(others)), strict=True)))

    @property
    def base_url(self) -> str:
        """Return what callers use as the base URL."""
        return f"http://{LOOPBACK}:{self.gateway}/v1"

    @property
    def metrics_url(self) -> str:
        """Return where the gateway's series are."""
        return f"http://{LOOPBACK}:{self.metrics}/stats/prometheus"


def place(
    folder: ServeFolder,
    ports: Listening,
    upstreams: Mapping[str, Address],
    *,
    limited: bool,
    moderated: bool,
    keys_counted: bool,
) -> Place:
    """Return the surroundings of the gateway on this machine."""
    return Place(
        folder=str(folder.gateway),
        keys_folder=str(folder.keys),
        listen=local(ports.gateway),
        metrics=local(ports.metrics),
        admin=local(ports.admin),
        access_log=str(folder.access_log),
        ratelimit=local(ports.ratelimit) if limited else None,
        moderator=local(ports.moderator) if moderated else None,
        concurrency=local(ports.concurrency) if keys_counted else None,
        upstreams=upstreams,
        tls=None,
        replicas=1,
    )


def local(port: int) -> Address:
    """Return a port of this machine, which others cannot reach."""
    return Address(host=LOOPBACK, port=port)


def record(ports: Listening) -> str:
    """Return what serve.json says."""
    return json.dumps({"base_url": ports.base_url, "metrics": ports.metrics_url}, indent=1) + "\n"
