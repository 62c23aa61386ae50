"""Concurrency of each key: how Envoy asks what counts the requests of a key that run at an endpoint.

Why a processor: Envoy's own bounds know no keys. Its call to a processor lives as long as the request, so
calls that are open are requests that run: whatever ends a request gives its turn back.

The limit fails open, as those per minute do: where the processor is down, requests pass, an endpoint's own
concurrency still holds, and `metrics.UNCOUNTED` says so (an alert watches it).
"""

from infra.plan.model import EndpointPlan, Plan
from infra.render.gateway.body import NAMESPACE
from infra.render.gateway.ext_proc import PROCESSOR, overridden, switched_off
from infra.render.gateway.limits import KEY
from infra.render.gateway.place import Place, share
from infra.render.manifest import Json, JsonObject

FILTER_NAME = "modelunits.concurrency"
CLUSTER_NAME = "concurrency"
STAT_PREFIX = "key_concurrency"

REFUSED_DETAILS = "key_queue_full"
"""Envoy's response code details where a key has as many requests as it may."""

ENDPOINT_HEADER = "modelunits-endpoint"
KEY_HEADER = "modelunits-key"
CONCURRENCY_HEADER = "modelunits-concurrency"
QUEUE_HEADER = "modelunits-queue"
WAIT_HEADER = "modelunits-wait-seconds"
"""What comes with each call: the processor has no configuration of its own."""

CALLS_AT_ONCE = 1_000_000
"""On one connection: a burst would wait for another one, and pass where that takes too long."""

TIMEOUT_SECONDS = 15
"""Of a processor that hangs: thousands of requests that come at once are counted in less, so that none passes
because there are many. One that is not there fails at once."""

LONGEST_WAIT_SECONDS = 3590
MARGIN_SECONDS = 5
"""Envoy waits an hour at most for a processor that asked for time; the processor gives up before that."""

LONGEST_TIMEOUT_SECONDS = 3600


def needs_concurrency(plan: Plan) -> bool:
    """Tell whether an endpoint limits the concurrency of each key."""
    return any(endpoint.limits.per_key.concurrency for endpoint in plan.endpoints)


def concurrency_filter() -> JsonObject:
    """Return the filter that asks for a request's turn, on routes that say of what limit.

    Why trailers of answers: Envoy ends the call once the processor has nothing more to hear; the end of an
    answer it hears last. Envoy takes no trailers from engines, so none are ever sent.
    """
    key: JsonObject = {"key": KEY_HEADER, "value": f"%DYNAMIC_METADATA({NAMESPACE}:{KEY})%"}
    return {
        "name": FILTER_NAME,
        "typed_config": {
            "@type": PROCESSOR,
            "stat_prefix": STAT_PREFIX,
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER_NAME}, "initial_metadata": [key]},
            "failure_mode_allow": True,
            "message_timeout": f"{TIMEOUT_SECONDS}s",
            "max_message_timeout": f"{LONGEST_TIMEOUT_SECONDS}s",
            "disable_clear_route_cache": True,
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": "NONE",
                "request_trailer_mode": "SKIP",
                "response_header_mode": "SKIP",
                "response_body_mode": "NONE",
                "response_trailer_mode": "SEND",
            },
            # Without any rule Envoy would send all of them.
            "forward_rules": {"allowed_headers": {"patterns": [{"exact": ":method"}]}},
        },
    }


def concurrency_off() -> JsonObject:
    """Return the entry of typed_per_filter_config that asks for no turn; routes with a limit override it."""
    return switched_off(FILTER_NAME)


def route_concurrency(endpoint: EndpointPlan, place: Place) -> JsonObject:
    """Return the entry of a route's typed_per_filter_config: the limit; none where there is none."""
    per_key = endpoint.limits.per_key
    if per_key.concurrency is None or place.concurrency is None:
        return {}
    told = {
        ENDPOINT_HEADER: endpoint.id,
        CONCURRENCY_HEADER: share(per_key.concurrency, place.replicas),
        QUEUE_HEADER: share(per_key.queue, place.replicas),
        WAIT_HEADER: min(endpoint.request_timeout_seconds, LONGEST_WAIT_SECONDS),
    }
    headers: list[Json] = [{"key": name, "value": str(value)} for name, value in told.items()]
    return overridden(FILTER_NAME, {"grpc_initial_metadata": headers})
