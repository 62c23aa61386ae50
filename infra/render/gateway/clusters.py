"""What Envoy calls: each endpoint's engine or router, within its limits, and its own helpers."""

from collections.abc import Iterable

from infra.plan.model import EndpointPlan, Plan
from infra.render.gateway import concurrency, limits, moderation
from infra.render.gateway.place import Address, Place, share
from infra.render.manifest import Json, JsonObject

UNLIMITED = 1_000_000
"""No limit: more than one machine has ports."""

ADMIN = "admin"

ENGINE_IDLE_SECONDS = 4
"""vLLM closes connections that are idle for 5 s (VLLM_HTTP_TIMEOUT_KEEP_ALIVE); Envoy has to be first."""

CONNECT_SECONDS = 2
REFRESH_SECONDS = 5
"""How often a name is looked up: a moved engine is found this soon."""

BUFFER_BYTES = 1 << 20
"""Of an answer that its caller reads slowly; then the engine waits."""

WINDOW_BYTES = 256 << 10
"""Of a call of one of our programs: what it may send before Envoy has passed it on. Envoy's own is 16 MiB,
which a stream whose caller does not read would fill."""

_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(plan: Plan, place: Place) -> Iterable[JsonObject]:
    """Yield every cluster of a stack's gateway."""
    for endpoint in plan.endpoints:
        yield _endpoint(endpoint, place)
    if place.ratelimit is not None:
        yield _helper(limits.CLUSTER_NAME, place.ratelimit)
    if place.moderator is not None:
        yield _helper(moderation.CLUSTER_NAME, place.moderator)
    if place.concurrency is not None:
        yield _limiter(place.concurrency)
    yield _cluster(ADMIN, place.admin, _protocol({"http_protocol_options": {}}), _unlimited())


def _endpoint(endpoint: EndpointPlan, place: Place) -> JsonObject:
    bound = endpoint.limits.concurrency
    at_once = share(bound, place.replicas) if bound else UNLIMITED
    queue = share(endpoint.limits.queue, place.replicas)
    thresholds: JsonObject = {
        "max_connections": at_once,
        "max_requests": UNLIMITED,
        # A request that may run at once counts as waiting until its connection is there.
        "max_pending_requests": queue + at_once if bound else queue,
        # Held requests are those between tries; what remains of this is what KEDA asks for.
        "max_retries": queue,
        "track_remaining": True,
    }
    protocol = _protocol({"http_protocol_options": {}}, idle_seconds=ENGINE_IDLE_SECONDS)
    return _cluster(endpoint.id, place.upstreams[endpoint.id], protocol, thresholds)


def _helper(name: str, address: Address, **http2: int) -> JsonObject:
    # Envoy gives up a connection on which it ends more than 1,000 calls at once, with all other calls on it.
    frames = dict.fromkeys(("max_outbound_frames", "max_outbound_control_frames"), UNLIMITED)
    options: JsonObject = {**frames, "initial_stream_window_size": WINDOW_BYTES, **http2}
    return _cluster(name, address, _protocol({"http2_protocol_options": options}), _unlimited())


def _limiter(address: Address) -> JsonObject:
    made = _helper(concurrency.CLUSTER_NAME, address, max_concurrent_streams=concurrency.CALLS_AT_ONCE)
    return {**made, "connect_timeout": f"{concurrency.TIMEOUT_SECONDS}s"}


def _unlimited() -> JsonObject:
    kinds = ("max_connections", "max_requests", "max_pending_requests", "max_retries")
    return dict.fromkeys(kinds, UNLIMITED)


def _cluster(name: str, address: Address, protocol: JsonObject, thresholds: JsonObject) -> JsonObject:
    endpoint: JsonObject = {
        "address": {"socket_address": {"address": address.host, "port_value": address.port}}
    }
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        # Of a name without addresses nothing is tried: a Service's address is there while it has no pods.
        "type": "STRICT_DNS",
        "dns_lookup_family": "ALL",
        "dns_refresh_rate": f"{REFRESH_SECONDS}s",
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": {"thresholds": [thresholds]},
        "typed_extension_protocol_options": {_OPTIONS.rpartition("/")[2]: protocol},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        "upstream_connection_options": {"tcp_keepalive": {}},
    }


def _protocol(explicit: JsonObject, *, idle_seconds: int | None = None) -> JsonObject:
    options: dict[str, Json] = {"@type": _OPTIONS, "explicit_http_config": explicit}
    if idle_seconds is not None:
        options["common_http_protocol_options"] = {"idle_timeout": f"{idle_seconds}s"}
    return options
