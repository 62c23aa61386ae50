"""What the moderator tells Envoy: pass on, keep back, say no."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from envoy.config.core.v3.base_pb2 import (
    HeaderValue,
    HeaderValueOption,
)
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    ProcessingResponse,
)

from infra.render.gateway.errors import (
    BODY_TOO_LARGE,
    CONTENT_REFUSED,
    INVALID_BODY,
    MODERATION_UNAVAILABLE,
    CallerError,
)
from infra.render.gateway.moderation import FILTER_NAME, OWN_DETAILS

Verdict = Literal["passed", "input", "output", "failed"]

REFUSED_INPUT = replace(
    CONTENT_REFUSED,
    message="Content moderation refused this request, and no model has seen it. Change or leave out what is "
    "not allowed; sent again unchanged, it is refused again.",
)
REFUSED_ANSWER = replace(
    CONTENT_REFUSED,
    message="Content moderation refused the model's answer. Ask for something else, or in other words; "
    "asking again may be refused again.",
)
UNREADABLE_REQUEST = INVALID_BODY
HEAVY_REQUEST = replace(
    BODY_TOO_LARGE,
    message="The body is too much to judge: send at most 100,000 numbers, texts, lists and objects, and no "
    "long text of signs that stand for many letters each.",
)
UNAVAILABLE = MODERATION_UNAVAILABLE


def request_headers_passed() -> ProcessingResponse:
    """Pass the request's headers, but let the engine answer uncompressed: what is judged has to be read."""
    response = ProcessingResponse()
    response.request_headers.response.header_mutation.remove_headers.append("accept-encoding")
    return response


def request_passed() -> ProcessingResponse:
    """Pass the request as it is."""
    response = ProcessingResponse()
    response.request_body.SetInParent()
    _note(response, verdict="passed", judge=None)
    return response


def answer_headers_passed() -> ProcessingResponse:
    """Pass the answer's status and headers."""
    response = ProcessingResponse()
    response.response_headers.SetInParent()
    return response


def answer_trailers_passed() -> ProcessingResponse:
    """Pass what follows the answer's body."""
    response = ProcessingResponse()
    response.response_trailers.SetInParent()
    return response


def answer_part(body: bytes, *, end: bool) -> ProcessingResponse:
    """Release a part of the answer's body; end: nothing follows."""
    response = ProcessingResponse()
    part = response.response_body.response.body_mutation.streamed_response
    part.body = body
    part.end_of_stream = end
    return response


def refusal(error: CallerError, *, verdict: Verdict, judge: str) -> ProcessingResponse:
    """Answer with an error instead of passing anything."""
    response = ProcessingResponse()
    immediate = response.immediate_response
    immediate.status.code = error.status
    immediate.body = error.body().encode()
    immediate.details = f"{OWN_DETAILS}{verdict}"
    headers = {"content-type": "application/json"}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    immediate.headers.set_headers.extend(_headers(headers))
    _note(response, verdict=verdict, judge=judge)
    return response


def broken_off(error: CallerError, *, verdict: Verdict, judge: str) -> ProcessingResponse:
    """End a stream that has begun: an event with the error, and the mark that clients wait for."""
    events = f"data: {error.body()}\n\ndata: [DONE]\n\n"
    response = answer_part(events.encode(), end=True)
    _note(response, verdict=verdict, judge=judge)
    return response


def _headers(headers: Mapping[str, str]) -> list[HeaderValueOption]:
    return [
        HeaderValueOption(
            header=HeaderValue(key=name, raw_value=value.encode()),
            append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in headers.items()
    ]


def _note(response: ProcessingResponse, *, verdict: Verdict, judge: str | None) -> None:
    noted: dict[str, str] = {"verdict": verdict} | ({"judge": judge} if judge else {})
    response.dynamic_metadata.get_or_create_struct(FILTER_NAME).update(noted)
