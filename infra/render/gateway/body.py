"""What Envoy reads of bodies: fields of requests that routes ask about, and tokens of answers."""

from infra.render.gateway.errors import MAX_BODY_MIB
from infra.render.gateway.refusals import FIELDS, MODEL, NOT_JSON, Field
from infra.render.manifest import JsonObject

NAMESPACE = "modelunits"
"""Of everything that Envoy's filters keep about a request."""

WHOLE_FILTER_NAME = "modelunits.whole_body"
FILTER_NAME = "modelunits.body"
ANSWER_FILTER_NAME = "modelunits.answer"
STREAM_FILTER_NAME = "modelunits.stream"

MAX_BODY_BYTES = MAX_BODY_MIB << 20
"""Also of an answer that is no stream: Envoy reads its tokens at its end."""

MAX_EVENT_BYTES = 1 << 20
"""Of one event of a stream: an event with log probabilities is large, the last one with tokens is small."""

JSON_CONTENT = "(?i)application/json(;.*)?"
"""As vLLM reads the header: letter case and what follows the first semicolon do not matter."""

_TOKENS = (
    ("prompt_tokens", "input_tokens"),
    ("completion_tokens", "output_tokens"),
    ("total_tokens", "total_tokens"),
)
"""Fields of `usage`, and under which name Envoy keeps them."""

STREAM_TOKENS = "stream_tokens"
"""Those of `completion_tokens` that came as a stream."""

_BUFFER = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
_JSON_TO_METADATA = "type.googleapis.com/envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata"
_SSE_TO_METADATA = "type.googleapis.com/envoy.extensions.filters.http.sse_to_metadata.v3.SseToMetadata"
_JSON_PARSER = "type.googleapis.com/envoy.extensions.content_parsers.json.v3.JsonContentParser"

_KINDS = {"value": "PROTOBUF_VALUE", "number": "NUMBER"}


def whole_body_filter() -> JsonObject:
    """Return the filter that lets a request hold more than a connection may: its body, up to the largest."""
    return {
        "name": WHOLE_FILTER_NAME,
        "typed_config": {"@type": _BUFFER, "max_request_bytes": MAX_BODY_BYTES},
    }


def body_filter() -> JsonObject:
    """Return the filter that reads a request's body whole."""
    allowed: JsonObject = {"google_re2": {}, "regex": JSON_CONTENT}
    return {
        "name": FILTER_NAME,
        "typed_config": {
            "@type": _JSON_TO_METADATA,
            "request_rules": {
                "rules": [_request_rule(field) for field in FIELDS],
                "allow_content_types_regex": allowed,
            },
        },
    }


def answer_filter() -> JsonObject:
    """Return the filter that reads the tokens of an answer that is no stream."""
    rules: JsonObject = {"rules": [_tokens_rule(field, key) for field, key in _TOKENS]}
    return {
        "name": ANSWER_FILTER_NAME,
        "typed_config": {"@type": _JSON_TO_METADATA, "response_rules": rules},
    }


def stream_filter() -> JsonObject:
    """Return the filter that reads the tokens of a stream as it passes; engines send them at its end."""
    return {
        "name": STREAM_FILTER_NAME,
        "typed_config": {
            "@type": _SSE_TO_METADATA,
            "response_rules": {
                "max_event_size": MAX_EVENT_BYTES,
                "content_parser": {
                    "name": "json",
                    "typed_config": {
                        "@type": _JSON_PARSER,
                        "rules": [
                            {"rule": _tokens_rule(field, key)}
                            for field, key in (*_TOKENS, ("completion_tokens", STREAM_TOKENS))
                        ],
                    },
                },
            },
        },
    }


def _request_rule(field: Field) -> JsonObject:
    rule: dict[str, JsonObject | list[JsonObject]] = {"selectors": [{"key": name} for name in field.path]}
    if field.kind == "object":
        # Envoy applies a written value wherever the way to the last selector leads through objects, whether
        # the last one is there or not: that tells an object from everything else, as no type of value does.
        rule["selectors"] = [*({"key": name} for name in field.path), {"key": "*"}]
        rule["on_present"] = {"metadata_namespace": NAMESPACE, "key": field.key, "value": {}}
    else:
        rule["on_present"] = {"metadata_namespace": NAMESPACE, "key": field.key, "type": _KINDS[field.kind]}
    if field.key == MODEL:
        rule["on_error"] = {"metadata_namespace": NAMESPACE, "key": NOT_JSON, "value": True}
        # Envoy looks for the route again only where something was kept: a list of models has no model.
        rule["on_missing"] = {"metadata_namespace": NAMESPACE, "key": "no_model", "value": True}
    return rule


def _tokens_rule(field: str, key: str) -> JsonObject:
    return {
        "selectors": [{"key": "usage"}, {"key": field}],
        "on_present": {"metadata_namespace": NAMESPACE, "key": key, "type": "NUMBER"},
    }
