"""What the limiter is told with each request, and what it says: run, wait, come back later."""

from collections.abc import Mapping
from dataclasses import dataclass

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from infra.concurrency.turns import Caller, Limit
from infra.render.gateway import concurrency as told
from infra.render.gateway.errors import QUEUE_FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose turn Envoy asks for, and how long the request may wait for it."""

    caller: Caller
    limit: Limit
    wait_seconds: int


def asked(headers: Mapping[str, str]) -> Asked:
    """Read what comes with a call; KeyError or ValueError where it is not there."""
    return Asked(
        caller=Caller(endpoint=headers[told.ENDPOINT_HEADER], key=headers[told.KEY_HEADER]),
        limit=Limit(concurrency=int(headers[told.CONCURRENCY_HEADER]), queue=int(headers[told.QUEUE_HEADER])),
        wait_seconds=int(headers[told.WAIT_HEADER]),
    )


def more_time(wait_seconds: int) -> ProcessingResponse:
    """Have Envoy wait longer than for a processor that hangs; it lets that be said once."""
    response = ProcessingResponse()
    response.override_message_timeout.seconds = wait_seconds + told.MARGIN_SECONDS
    return response


def run() -> ProcessingResponse:
    """Pass the request on as it is."""
    response = ProcessingResponse()
    response.request_headers.SetInParent()
    return response


def refused() -> ProcessingResponse:
    """Refuse the request; Envoy's table of answers puts the error's body and headers into it."""
    response = ProcessingResponse()
    response.immediate_response.status.code = QUEUE_FULL.status
    response.immediate_response.details = told.REFUSED_DETAILS
    return response
