"""Envoy with a router and nothing else, on one thread: what others are compared with."""

import json
from collections.abc import Sequence
from pathlib import Path

from infra.render.gateway.place import Address

_TYPES = "type.googleapis.com/envoy.extensions.filters"


def envoy_command(
    envoy: Path, file: Path, port: int, engines: Sequence[Address], *, policy: str = "ROUND_ROBIN"
) -> Sequence[object]:
    """Write its file and return the command that runs it; several engines share requests by a policy."""
    file.write_text(json.dumps(_bootstrap(port, engines, policy)))
    return (envoy, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")


def _bootstrap(port: int, engines: Sequence[Address], policy: str) -> dict[str, object]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "engines", "timeout": "0s"}}
    router = {"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}}
    http = {
        "name": "http",
        "typed_config": {
            "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "bare",
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
            "http_filters": [router],
        },
    }
    places = [{"endpoint": {"address": _at(engine.host, engine.port)}} for engine in engines]
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 4096)
    cluster = {
        "name": "engines",
        "type": "STATIC",
        "lb_policy": policy,
        "load_assignment": {"cluster_name": "engines", "endpoints": [{"lb_endpoints": places}]},
        "circuit_breakers": {"thresholds": [limits]},
    }
    listener = {"name": "in", "address": _at("127.0.0.1", port), "filter_chains": [{"filters": [http]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _at(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}
