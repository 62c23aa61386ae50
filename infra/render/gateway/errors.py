"""Every error that the gateway itself answers, in the shape that OpenAI's clients read."""

import json
from dataclasses import dataclass

MAX_BODY_MIB = 8
"""Images come inside the JSON body, a third larger than their files: room for several photographs.

Why not more: Envoy reads bodies whole, and a list of eight million bytes of numbers takes it seconds.
"""

RETRY_AFTER_SECONDS = 5
"""When to come back to a queue or an engine: many requests end in that time."""

RETRY_AFTER_LIMIT_SECONDS = 60
"""When to come back to a limit per minute: then a new minute has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerError:
    """One way to say no: what a program reads (status, code, param) and what a person reads (message)."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry_after_seconds: int | None = None

    def body(self) -> str:
        """Return the body as JSON."""
        fields = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": fields})


INVALID = "invalid_request_error"

INVALID_KEY = CallerError(
    status=401,
    type="authentication_error",
    code="invalid_api_key",
    message="No API key, or none that is valid: send the header 'Authorization: Bearer <key>' once, with a "
    "key from `modelunits keys create`.",
)
UNSUPPORTED_API = CallerError(
    status=404,
    type=INVALID,
    code="unsupported_api",
    message="There is no such API here. There are POST /v1/chat/completions and GET /v1/models, and the same "
    "below /api/v3.",
)
MODEL_NOT_FOUND = CallerError(
    status=404,
    type=INVALID,
    code="model_not_found",
    param="model",
    message="There is no endpoint of this id that your key may call: send an id from GET /v1/models as "
    "`model`.",
)
INVALID_BODY = CallerError(
    status=400,
    type=INVALID,
    code="invalid_json",
    message="The body has to be one JSON object in UTF-8, uncompressed, with no name twice in an object and "
    "at most 100 levels, under the header 'Content-Type: application/json'.",
)
MISSING_MODEL = CallerError(
    status=400,
    type=INVALID,
    code="missing_model",
    param="model",
    message="`model` has to be a text: the id of an endpoint from GET /v1/models.",
)
BAD_REQUEST = CallerError(
    status=400,
    type=INVALID,
    code="bad_request",
    message="This is no valid HTTP request.",
)
UPGRADE_REQUIRED = CallerError(
    status=426,
    type=INVALID,
    code="unsupported_http_version",
    message="Use HTTP/1.1 or HTTP/2, without an upgrade to another protocol.",
)
BODY_TOO_LARGE = CallerError(
    status=413,
    type=INVALID,
    code="body_too_large",
    message=f"The body is larger than {MAX_BODY_MIB} MiB: send less text, fewer or smaller images, or their "
    "URLs.",
)
HEADERS_TOO_LARGE = CallerError(
    status=431,
    type=INVALID,
    code="headers_too_large",
    message="The headers are too large: at most 60 KiB and 100 headers.",
)
CONTENT_REFUSED = CallerError(
    status=403,
    type="content_policy_violation",
    code="content_policy_violation",
    message="Content moderation refused this text.",
)
RATE_LIMITED = CallerError(
    status=429,
    type="rate_limit_error",
    code="rate_limit_exceeded",
    message="The endpoint or your key is over its requests or tokens per minute: try again after the seconds "
    "in Retry-After.",
    retry_after_seconds=RETRY_AFTER_LIMIT_SECONDS,
)
QUEUE_FULL = CallerError(
    status=429,
    type="rate_limit_error",
    code="queue_full",
    message="As many requests as the limits of the endpoint or of your key allow are running and waiting: "
    "try again after the seconds in Retry-After.",
    retry_after_seconds=RETRY_AFTER_SECONDS,
)
ENDPOINT_UNAVAILABLE = CallerError(
    status=503,
    type="service_unavailable_error",
    code="endpoint_unavailable",
    message="The endpoint cannot be reached; it may be starting. Try again after the seconds in Retry-After.",
    retry_after_seconds=RETRY_AFTER_SECONDS,
)
MODERATION_UNAVAILABLE = CallerError(
    status=503,
    type="service_unavailable_error",
    code="moderation_unavailable",
    message="Content moderation does not answer, and nothing passes without it. Try again after the seconds "
    "in Retry-After.",
    retry_after_seconds=RETRY_AFTER_SECONDS,
)
ANSWER_TOO_LARGE = CallerError(
    status=502,
    type="server_error",
    code="answer_too_large",
    message="The answer is larger than the gateway holds: ask for fewer choices, or for a stream.",
)
UNREADABLE_REQUEST = CallerError(
    status=422,
    type=INVALID,
    code="unreadable_request",
    message="The endpoint does not understand the body: leave out what is null, give messages and tools "
    "every field that OpenAI's API asks for, and send no numbers that are too large.",
)
REQUEST_TIMEOUT = CallerError(
    status=408,
    type=INVALID,
    code="request_timeout",
    message="The request did not arrive in time.",
)
ENDPOINT_TIMEOUT = CallerError(
    status=504,
    type="timeout_error",
    code="endpoint_timeout",
    message="The endpoint did not finish in the time that a request may take: ask for fewer tokens.",
)
UPSTREAM_FAILED = CallerError(
    status=502,
    type="server_error",
    code="endpoint_failed",
    message="The endpoint broke off before it answered. The request may have run: try again.",
)
OVERLOADED = CallerError(
    status=503,
    type="service_unavailable_error",
    code="gateway_overloaded",
    message="The gateway is short of memory. Try again after the seconds in Retry-After.",
    retry_after_seconds=RETRY_AFTER_SECONDS,
)

ERRORS = (
    BAD_REQUEST,
    INVALID_BODY,
    MISSING_MODEL,
    INVALID_KEY,
    CONTENT_REFUSED,
    UNSUPPORTED_API,
    MODEL_NOT_FOUND,
    REQUEST_TIMEOUT,
    BODY_TOO_LARGE,
    UNREADABLE_REQUEST,
    UPGRADE_REQUIRED,
    RATE_LIMITED,
    QUEUE_FULL,
    HEADERS_TOO_LARGE,
    UPSTREAM_FAILED,
    ANSWER_TOO_LARGE,
    ENDPOINT_UNAVAILABLE,
    MODERATION_UNAVAILABLE,
    OVERLOADED,
    ENDPOINT_TIMEOUT,
)
"""All but those of parameters and features, which `refusals` lists."""
