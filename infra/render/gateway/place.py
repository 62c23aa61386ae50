"""Where one gateway runs and what it reaches; everything else it does follows from the plan."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host, by name or number, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The surroundings of one gateway, in the cluster or on one machine."""

    folder: str
    """Of the rendered files, as Envoy sees it; Envoy watches it."""
    keys_folder: str
    """Of keys.json, which the store of keys writes; Envoy watches it."""
    listen: Address
    """Where callers come in."""
    metrics: Address
    """Answers /stats/prometheus and /ready, for Prometheus and probes; never the admin interface itself."""
    admin: Address
    """On loopback."""
    access_log: str
    """The file that gets a JSON line per request; /dev/stdout in a container."""
    ratelimit: Address | None
    """envoyproxy/ratelimit's gRPC; None where no endpoint limits requests or tokens."""
    moderator: Address | None
    """The moderator's gRPC; None where no endpoint is moderated."""
    concurrency: Address | None
    """The gRPC of what counts each key's requests; None where no endpoint limits their concurrency."""
    upstreams: Mapping[str, Address]
    """Engine, router or picker of each endpoint, by the endpoint's id."""
    tls: tuple[str, str] | None
    """Files with the certificate and its key; None: plain HTTP."""
    replicas: int
    """Gateways that share an endpoint's concurrency and queue."""


def share(count: int, replicas: int) -> int:
    """Return a gateway's part of what all of them may have, rounded up: each takes at least one."""
    return -(-count // replicas)
