"""Who is answered by whom: Envoy's table of routes, read from top to bottom; what is not in it is refused."""

import json
from collections.abc import Iterable, Sequence

from infra.plan.model import EndpointPlan, Plan
from infra.render.gateway import errors
from infra.render.gateway.answers import JSON_HEADER, route_answer
from infra.render.gateway.body import NAMESPACE
from infra.render.gateway.concurrency import concurrency_off, route_concurrency
from infra.render.gateway.errors import CallerError
from infra.render.gateway.limits import limited, route_limits
from infra.render.gateway.matches import condition_met, header, method, one_of, present, team_is, text
from infra.render.gateway.moderation import ext_proc_off, ext_proc_on
from infra.render.gateway.place import Place
from infra.render.gateway.refusals import (
    INTERNAL,
    MODEL,
    NOT_JSON,
    PARAMETERS,
    STRUCTURED_OUTPUT,
    Refusal,
)
from infra.render.manifest import Json, JsonObject

ROUTES_NAME = "modelunits"
STRUCTURED_OUTPUT_FEATURE = "structured_output"
BASE_PATHS = ("/v1", "/api/v3")
CHAT = "/chat/completions"
MODELS = "/models"
HEALTH = "/health"
ENGINE_CHAT = "/v1/chat/completions"

_CHAT_PATH = f"(/v1|/api/v3){CHAT}"

RETRY_BASE_SECONDS = 0.25
RETRY_MAX_SECONDS = 1
"""How long a held request waits between tries, at most; Envoy picks at random up to it."""

LARGEST_ANSWER_BYTES = 4 << 20
"""The list of a team's endpoints is one answer of the gateway's own; Envoy's default is 4 KiB."""


def routes(plan: Plan, place: Place) -> JsonObject:
    """Return the table of routes of a stack."""
    table = [
        *_models(plan),
        _health(),
        _answer(
            "unsupported_api", errors.UNSUPPORTED_API, headers=[header(":path", _CHAT_PATH, holds=False)]
        ),
        _answer("unsupported_api", errors.UNSUPPORTED_API, headers=[method("POST", holds=False)]),
        _answer("invalid_json", errors.INVALID_BODY, present(NOT_JSON)),
        _answer("missing_model", errors.MISSING_MODEL, text(MODEL, holds=False)),
        *(_refusal(refusal) for refusal in (*INTERNAL, *PARAMETERS)),
        *_structured_output(plan),
        *(_endpoint(endpoint, place) for endpoint in plan.endpoints),
        _answer("model_not_found", errors.MODEL_NOT_FOUND),
    ]
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES_NAME,
        "max_direct_response_body_size_bytes": LARGEST_ANSWER_BYTES,
        "virtual_hosts": [
            {
                "name": ROUTES_NAME,
                "domains": ["*"],
                "routes": table,
                "typed_per_filter_config": concurrency_off() if place.concurrency else {},
            }
        ],
    }


def models_answer(endpoints: Iterable[EndpointPlan]) -> str:
    """Return what GET /v1/models answers: endpoints and their adapters, in OpenAI's shape."""
    data = [
        {"id": model, "object": "model", "created": 0, "owned_by": endpoint.team}
        for endpoint in endpoints
        for model in callable_models(endpoint)
    ]
    return json.dumps({"object": "list", "data": data})


def callable_models(endpoint: EndpointPlan) -> tuple[str, ...]:
    """Return what callers may send as `model`: the endpoint's id, and each adapter of it."""
    return (endpoint.id, *(f"{endpoint.id}:{adapter.name}" for adapter in endpoint.adapters))


def _models(plan: Plan) -> Iterable[JsonObject]:
    teams = sorted({endpoint.team for endpoint in plan.endpoints})
    for path in (f"{base}{MODELS}" for base in BASE_PATHS):
        for team in teams:
            its = [endpoint for endpoint in plan.endpoints if endpoint.team == team]
            yield _list(path, its, [team_is(team)], {"team": team})
        yield _list(path, (), [], {})


def _health() -> JsonObject:
    """Return the answer to clients that ask whether there is anybody, as GuideLLM does, before they begin."""
    return {
        "name": "health",
        "match": {"path": HEALTH, "headers": [method("GET")]},
        "direct_response": {"status": 200, "body": {"inline_string": "{}"}},
        "response_headers_to_add": [JSON_HEADER],
        "typed_per_filter_config": ext_proc_off(),
    }


def _list(
    path: str, endpoints: Sequence[EndpointPlan], of_team: Sequence[JsonObject], known: JsonObject
) -> JsonObject:
    return {
        "name": "models",
        "match": {"path": path, "headers": [method("GET")], "dynamic_metadata": list(of_team)},
        "metadata": _metadata(known),
        "direct_response": {"status": 200, "body": {"inline_string": models_answer(endpoints)}},
        "response_headers_to_add": [JSON_HEADER],
        "typed_per_filter_config": ext_proc_off(),
    }


def _structured_output(plan: Plan) -> Iterable[JsonObject]:
    """Yield the refusals of endpoints without structured output, a team at a time: others see a 404."""
    without = [each for each in plan.endpoints if STRUCTURED_OUTPUT_FEATURE in each.unsupported_features]
    for team in sorted({endpoint.team for endpoint in without}):
        models = [
            model for endpoint in without if endpoint.team == team for model in callable_models(endpoint)
        ]
        for refusal in STRUCTURED_OUTPUT:
            yield _refusal(refusal, one_of(MODEL, models), team_is(team), team=team)


def _refusal(refusal: Refusal, *besides: JsonObject, team: str | None = None) -> JsonObject:
    conditions = [condition_met(condition) for condition in refusal.when]
    return _answer(refusal.error.code, refusal.error, *conditions, *besides, team=team)


def _answer(
    name: str,
    error: CallerError,
    *metadata: JsonObject,
    headers: Sequence[JsonObject] = (),
    team: str | None = None,
) -> JsonObject:
    known: dict[str, Json] = {"refusal": error.code}
    if error.param:
        known["param"] = error.param
    if team:
        known["team"] = team
    return {
        "name": name,
        "match": {"prefix": "/", "headers": list(headers), "dynamic_metadata": list(metadata)},
        "metadata": _metadata(known),
        **route_answer(error),
        "typed_per_filter_config": ext_proc_off(),
    }


def _endpoint(endpoint: EndpointPlan, place: Place) -> JsonObject:
    moderated = endpoint.moderation.enabled
    known: JsonObject = {
        "endpoint": endpoint.name,
        "team": endpoint.team,
        "moderation": "on" if moderated else "off",
    }
    per_filter = dict[str, Json](ext_proc_on() if moderated else ext_proc_off())
    if limited(endpoint) and place.ratelimit is not None:
        per_filter.update(route_limits(endpoint))
    per_filter.update(route_concurrency(endpoint, place))
    return {
        "name": endpoint.id,
        "match": {
            "prefix": "/",
            "dynamic_metadata": [one_of(MODEL, callable_models(endpoint)), team_is(endpoint.team)],
        },
        "metadata": _metadata(known),
        "route": {
            "cluster": endpoint.id,
            "regex_rewrite": {"pattern": {"regex": "^.*$"}, "substitution": ENGINE_CHAT},
            # The whole time also has that in which a request is held; each try has the request's own.
            "timeout": f"{endpoint.request_timeout_seconds + endpoint.startup_timeout_seconds}s",
            "idle_timeout": f"{endpoint.request_timeout_seconds + endpoint.startup_timeout_seconds}s",
            "retry_policy": _hold(endpoint),
        },
        "typed_per_filter_config": per_filter,
    }


def _hold(endpoint: EndpointPlan) -> JsonObject:
    """Return how a request waits for an endpoint to wake: it is tried again for the cold-start limit.

    A router without engines answers 503. Requests that reached an engine are never sent twice.
    """
    mean_wait_seconds = RETRY_MAX_SECONDS / 2
    return {
        "retry_on": "connect-failure,reset-before-request,retriable-status-codes",
        "retriable_status_codes": [503],
        "num_retries": max(1, round(endpoint.startup_timeout_seconds / mean_wait_seconds)),
        "per_try_timeout": f"{endpoint.request_timeout_seconds}s",
        "retry_back_off": {
            "base_interval": f"{RETRY_BASE_SECONDS}s",
            "max_interval": f"{RETRY_MAX_SECONDS}s",
        },
    }


def _metadata(known: JsonObject) -> JsonObject:
    return {"filter_metadata": {NAMESPACE: known}}
