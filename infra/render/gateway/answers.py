"""What the gateway answers itself: as routes that call nobody, and in place of Envoy's own texts."""

from collections.abc import Iterable

from infra.render.gateway import errors
from infra.render.gateway.concurrency import REFUSED_DETAILS as KEY_REFUSED_DETAILS
from infra.render.gateway.errors import CallerError
from infra.render.gateway.moderation import ERROR_DETAILS, FAILED_DETAILS, OWN_DETAILS
from infra.render.manifest import Json, JsonObject

JSON_HEADER: JsonObject = {
    "header": {"key": "content-type", "value": "application/json"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}

_FLAGS = (
    (("RL",), errors.RATE_LIMITED),
    (("UO",), errors.QUEUE_FULL),
    (("UF", "UH", "URX", "NC", "UMSDR"), errors.ENDPOINT_UNAVAILABLE),
    (("UT",), errors.ENDPOINT_TIMEOUT),
    (("UC", "UR", "LR", "UPE"), errors.UPSTREAM_FAILED),
    (("DPE",), errors.BAD_REQUEST),
    (("OM",), errors.OVERLOADED),
)
"""Envoy's response flags, in the order in which one is looked for, and what they mean to callers."""

_STATUSES = (
    (400, errors.BAD_REQUEST),
    (401, errors.INVALID_KEY),
    (404, errors.UNSUPPORTED_API),
    (408, errors.REQUEST_TIMEOUT),
    (413, errors.BODY_TOO_LARGE),
    (426, errors.UPGRADE_REQUIRED),
    (431, errors.HEADERS_TOO_LARGE),
    (500, errors.ANSWER_TOO_LARGE),
    (501, errors.BAD_REQUEST),
)
"""Statuses that neither a flag of those above nor an engine explains: those of Envoy's filters and codecs."""

_NOT_ANSWERED = (
    "response.code_details != 'direct_response' && response.code_details != 'via_upstream' && "
    f"!response.code_details.startsWith('{OWN_DETAILS}')"
)
"""The moderator's errors say themselves what is wrong."""

_NOT_JUDGED = (
    f"response.code_details.startsWith('{ERROR_DETAILS}') || response.code_details == '{FAILED_DETAILS}'"
)
"""Of an endpoint that cannot be reached the status is the same; counts of refusals tell them apart."""

_KEY_QUEUE_FULL = f"response.code_details == '{KEY_REFUSED_DETAILS}'"

_OVERLOADED = "response.code_details == 'overload'"
"""Where Envoy 1.38 takes no more requests it sets no flag; uploads that it ends it calls bad requests."""

_MATCHING = "type.googleapis.com/envoy.type.matcher.v3"
_CUSTOM_RESPONSE = "type.googleapis.com/envoy.extensions.http.custom_response"
_CEL = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"


def route_answer(error: CallerError) -> JsonObject:
    """Return the part of a route that answers with an error."""
    return {
        "direct_response": {"status": error.status, "body": {"inline_string": error.body()}},
        "response_headers_to_add": [JSON_HEADER],
    }


def replaced_answers() -> JsonObject:
    """Return the HTTP connection manager's table: Envoy's own answers, put into the shape of ours."""
    return {"mappers": [_mapper(when, error) for error, when in replaced_when()]}


def replaced_when() -> Iterable[tuple[CallerError, JsonObject]]:
    """Yield each error that takes the place of an answer of Envoy's own, and the filter that finds it."""
    # The status first: expressions cost every answer time.
    yield errors.OVERLOADED, _and(status_is("GE", 500), _details(_OVERLOADED))
    for flags, error in _FLAGS:
        yield error, {"response_flag_filter": {"flags": list(flags)}}
    for status, error in _STATUSES:
        yield error, _and(status_is("EQ", status), _details(_NOT_ANSWERED))
    yield errors.QUEUE_FULL, _and(status_is("EQ", errors.QUEUE_FULL.status), _details(_KEY_QUEUE_FULL))
    yield errors.MODERATION_UNAVAILABLE, _and(status_is("GE", 500), _details(_NOT_JUDGED))
    yield (
        errors.UPGRADE_REQUIRED,
        _and(status_is("EQ", 403), _details("response.code_details == 'upgrade_failed'")),
    )


def plain_answers_filter() -> JsonObject:
    """Return the filter that puts errors from behind which are no JSON into the shape of ours.

    Routers and web servers answer so, with addresses from inside; what an engine says of a request is JSON.
    """
    matchers: list[Json] = [
        _plain("HttpResponseStatusCodeMatchInput", "503", errors.ENDPOINT_UNAVAILABLE),
        _plain("HttpResponseStatusCodeClassMatchInput", "5xx", errors.UPSTREAM_FAILED),
        _plain("HttpResponseStatusCodeClassMatchInput", "4xx", errors.UNREADABLE_REQUEST),
    ]
    return {
        "name": "modelunits.plain_answers",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.custom_response.v3.CustomResponse",
            "custom_response_matcher": {"matcher_list": {"matchers": matchers}},
        },
    }


def _plain(status_input: str, status: str, error: CallerError) -> JsonObject:
    is_status = _matches({"@type": f"{_MATCHING}.{status_input}"}, {"exact": status})
    content: JsonObject = {
        "@type": f"{_MATCHING}.HttpResponseHeaderMatchInput",
        "header_name": "content-type",
    }
    is_json = _matches(content, {"prefix": "application/json"})
    answer: JsonObject = {
        "@type": f"{_CUSTOM_RESPONSE}.local_response_policy.v3.LocalResponsePolicy",
        "status_code": error.status,
        "body": {"inline_string": error.body()},
        "response_headers_to_add": [JSON_HEADER, *_retry_after(error)],
    }
    return {
        "predicate": {"and_matcher": {"predicate": [is_status, {"not_matcher": is_json}]}},
        "on_match": {"action": {"name": error.code, "typed_config": answer}},
    }


def _matches(of_what: JsonObject, value: JsonObject) -> JsonObject:
    return {"single_predicate": {"input": {"name": "input", "typed_config": of_what}, "value_match": value}}


def _and(*filters: JsonObject) -> JsonObject:
    return {"and_filter": {"filters": list(filters)}}


def status_is(comparison: str, status: int) -> JsonObject:
    """Return the filter that compares an answer's status."""
    value: JsonObject = {"default_value": status, "runtime_key": "modelunits.none"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}


def _details(expression: str) -> JsonObject:
    return {"extension_filter": {"name": "cel", "typed_config": {"@type": _CEL, "expression": expression}}}


BY_A_ROUTE = _and(status_is("GE", 400), _details("response.code_details == 'direct_response'"))
"""The filter that finds refusals that routes answered."""


def _mapper(when: JsonObject, error: CallerError) -> JsonObject:
    return {
        "filter": when,
        "status_code": error.status,
        "headers_to_add": _retry_after(error),
        "body_format_override": {
            "text_format_source": {"inline_string": error.body().replace("%", "%%")},
            "content_type": "application/json",
        },
    }


def _retry_after(error: CallerError) -> list[Json]:
    if error.retry_after_seconds is None:
        return []
    header: JsonObject = {"key": "retry-after", "value": str(error.retry_after_seconds)}
    return [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]
