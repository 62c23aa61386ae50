"""How the gateway asks the moderator: Envoy's filter, its absence on a route, the moderator's own file."""

import json
from collections.abc import Mapping

from infra.plan.model import Judges, Plan
from infra.render.gateway.ext_proc import PROCESSOR, overridden, switched_off
from infra.render.gateway.place import Address, Place
from infra.render.manifest import Json, JsonObject

FILTER_NAME = "modelunits.moderation"
"""The filter's name, and the namespace of the metadata that it leaves behind."""

CLUSTER_NAME = "moderator"
"""Envoy's cluster of the moderator: HTTP/2, and as many requests at once as the gateway serves."""

ERROR_DETAILS = "ext_proc_error"
"""Envoy's response code details begin so where the moderator cannot be reached or does not answer in time."""

OWN_DETAILS = "moderation_"
"""Details of the moderator's own answers begin so; its verdict follows."""

FAILED_DETAILS = f"{OWN_DETAILS}failed"
"""Nobody could judge."""

MARGIN_SECONDS = 5
"""The moderator gives up a judge itself and says which: Envoy waits longer than any judge may take."""

DEFAULT_TIMEOUT_SECONDS = 10.0
"""Without a judge every answer is a refusal; it is given at once."""

_REQUESTS: Mapping[str, Json] = {
    "request_header_mode": "SEND",
    "request_body_mode": "BUFFERED",
    "request_trailer_mode": "SKIP",
}

_HEADERS = (":status", "content-type", "content-encoding", "content-length")
"""All that the moderator sees of a request and its answer besides their bodies: no key, no address."""


def ext_proc_filter(plan: Plan) -> JsonObject:
    """Return the HTTP filter that asks the moderator about every request, and closes where it cannot.

    Why: without the request's headers (SKIP) Envoy's router would wake the endpoint before the body is
    judged. Answers are judged where a route says so: what Envoy answers to bad HTTP has no route, and Envoy
    closes its connection before a moderator could pass the answer on.
    """
    judges = plan.gateway.judges if plan.gateway else None
    timeout_seconds = judges.timeout_seconds if judges else DEFAULT_TIMEOUT_SECONDS
    return {
        "name": FILTER_NAME,
        "typed_config": {
            "@type": PROCESSOR,
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER_NAME}},
            "failure_mode_allow": False,
            "status_on_error": {"code": 503},
            "message_timeout": f"{timeout_seconds + MARGIN_SECONDS:.3f}s",
            "disable_clear_route_cache": True,
            "processing_mode": {
                **_REQUESTS,
                "response_header_mode": "SKIP",
                "response_body_mode": "NONE",
                "response_trailer_mode": "SKIP",
            },
            "forward_rules": {"allowed_headers": {"patterns": [{"exact": name} for name in _HEADERS]}},
            "metadata_options": {"receiving_namespaces": {"untyped": [FILTER_NAME]}},
        },
    }


def ext_proc_on() -> JsonObject:
    """Return the entry of a moderated route's typed_per_filter_config: answers are judged too.

    Why: only the answer's body may be FULL_DUPLEX_STREAMED, which lets the moderator keep text back as long
    as it has to, and the status line too.
    """
    mode: JsonObject = {
        **_REQUESTS,
        "response_header_mode": "SEND",
        "response_body_mode": "FULL_DUPLEX_STREAMED",
        "response_trailer_mode": "SEND",
    }
    return overridden(FILTER_NAME, {"processing_mode": mode})


def ext_proc_off() -> JsonObject:
    """Return the entry of a route's typed_per_filter_config that switches moderation off there."""
    return switched_off(FILTER_NAME)


def moderation_config(plan: Plan, place: Place) -> str:
    """Return the moderator's file as JSON: its judges, and where they are from this place."""
    judges = plan.gateway.judges if plan.gateway else None
    return json.dumps(_config(judges, place.upstreams), indent=1, ensure_ascii=False)


def _config(judges: Judges | None, upstreams: Mapping[str, Address]) -> JsonObject:
    if judges is None:
        return {}
    config: dict[str, Json] = {"timeout_seconds": judges.timeout_seconds}
    if judges.words:
        config["words"] = list(judges.words)
    if judges.patterns:
        config["patterns"] = list(judges.patterns)
    if judges.url:
        config["url"] = judges.url
    if judges.guard:
        address = upstreams[judges.guard.endpoint_id]
        config["guard"] = {
            "endpoint_id": judges.guard.endpoint_id,
            "upstream": f"{address.host}:{address.port}",
            "flags": judges.guard.flags,
        }
    return config
