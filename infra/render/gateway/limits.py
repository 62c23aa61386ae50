"""Requests and tokens per minute: what Envoy asks of envoyproxy/ratelimit, and what that answers by.

Limits fail open: where ratelimit or its Redis is down, requests pass uncounted, an engine's own limits still
hold, and `cluster.ratelimit` and the counter `ratelimit.error` say so (an alert watches it). A minute without
limits costs less than a minute without the endpoint.
"""

import json
from collections.abc import Iterable, Mapping

from infra.plan.model import EndpointPlan, Plan
from infra.render.gateway.body import NAMESPACE
from infra.render.manifest import Json, JsonObject

DOMAIN = "modelunits"
CLUSTER_NAME = "ratelimit"
FILTER_NAME = "modelunits.limits"
KEY = "key"
"""Under which Envoy keeps `<team>.<key id>`."""

TIMEOUT_SECONDS = 0.25
"""Longer, and limits would cost more time than the whole gateway."""

SERVICE_SETTINGS: Mapping[str, str] = {
    # A key that goes on after its own limit would else use up the endpoint's minute for everyone.
    "STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT": "true",
    "LOCAL_CACHE_SIZE_IN_BYTES": str(1 << 20),
    "REDIS_SOCKET_TYPE": "tcp",
    "REDIS_TIMEOUT": "1s",
    # A ConfigMap's folder changes by a link beside its files: it watches them and skips the link.
    "RUNTIME_WATCH_ROOT": "false",
    "RUNTIME_IGNOREDOTFILES": "true",
    "USE_STATSD": "false",
    "LOG_LEVEL": "warn",
}
"""The environment of envoyproxy/ratelimit (its src/settings), wherever it runs."""

_FILTER = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3"


def limited(endpoint: EndpointPlan) -> bool:
    """Tell whether an endpoint limits requests or tokens per minute."""
    limits = endpoint.limits
    per_key = limits.per_key
    return any(
        (
            limits.requests_per_minute,
            limits.tokens_per_minute,
            per_key.requests_per_minute,
            per_key.tokens_per_minute,
        )
    )


def limits_filter() -> JsonObject:
    """Return the filter that asks ratelimit, on routes that say what to ask."""
    return {
        "name": FILTER_NAME,
        "typed_config": {
            "@type": f"{_FILTER}.RateLimit",
            "domain": DOMAIN,
            "timeout": f"{TIMEOUT_SECONDS}s",
            "failure_mode_deny": False,
            "disable_x_envoy_ratelimited_header": True,
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER_NAME}},
            },
        },
    }


def route_limits(endpoint: EndpointPlan) -> JsonObject:
    """Return the entry of a route's typed_per_filter_config: what to count, before and after the answer.

    Tokens are known at the end only: before, nothing is added and a used-up minute is refused.
    """
    limits = endpoint.limits
    per_key = limits.per_key
    rates: list[Json] = []
    if limits.requests_per_minute:
        rates.append(_rate("requests", endpoint.id, per_key=False))
    if per_key.requests_per_minute:
        rates.append(_rate("requests", endpoint.id, per_key=True))
    if limits.tokens_per_minute:
        rates += _tokens(endpoint.id, per_key=False)
    if per_key.tokens_per_minute:
        rates += _tokens(endpoint.id, per_key=True)
    return {FILTER_NAME: {"@type": f"{_FILTER}.RateLimitPerRoute", "rate_limits": rates}}


def _tokens(endpoint_id: str, *, per_key: bool) -> Iterable[JsonObject]:
    used = f"%DYNAMIC_METADATA({NAMESPACE}:total_tokens)%"
    yield {**_rate("tokens", endpoint_id, per_key=per_key), "hits_addend": {"number": 0}}
    yield {
        **_rate("tokens", endpoint_id, per_key=per_key),
        "hits_addend": {"format": used},
        "apply_on_stream_done": True,
    }


def _rate(what: str, endpoint_id: str, *, per_key: bool) -> JsonObject:
    actions: list[Json] = [
        {
            "generic_key": {
                "descriptor_key": f"{what}{'_per_key' if per_key else ''}",
                "descriptor_value": endpoint_id,
            }
        }
    ]
    if per_key:
        path: list[Json] = [{"key": KEY}]
        actions.append(
            {
                "metadata": {
                    "descriptor_key": KEY,
                    "metadata_key": {"key": NAMESPACE, "path": path},
                    "source": "DYNAMIC",
                }
            }
        )
    return {"actions": actions}


def ratelimit_config(plan: Plan) -> str:
    """Return the configuration of envoyproxy/ratelimit, in the JSON that is also YAML."""
    descriptors = [each for endpoint in plan.endpoints for each in _descriptors(endpoint)]
    return json.dumps({"domain": DOMAIN, "descriptors": descriptors}, indent=1)


def _descriptors(endpoint: EndpointPlan) -> Iterable[JsonObject]:
    limits = endpoint.limits
    for what, of_endpoint, of_key in (
        ("requests", limits.requests_per_minute, limits.per_key.requests_per_minute),
        ("tokens", limits.tokens_per_minute, limits.per_key.tokens_per_minute),
    ):
        if of_endpoint:
            yield {"key": what, "value": endpoint.id, "rate_limit": _per_minute(of_endpoint)}
        if of_key:
            # Without a value of its own, each key has its own count.
            each_key: JsonObject = {"key": KEY, "rate_limit": _per_minute(of_key)}
            yield {"key": f"{what}_per_key", "value": endpoint.id, "descriptors": [each_key]}


def _per_minute(count: int) -> JsonObject:
    return {"unit": "minute", "requests_per_unit": count}
