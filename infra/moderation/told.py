"""What Envoy tells the moderator, without the message that it came in: that has a copy of the body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from envoy.service.ext_proc.v3.external_processor_pb2 import (
    HttpBody,
    HttpHeaders,
    ProcessingRequest,
)

from infra.moderation.room import MESSAGE_BYTES_MAX

Kind = Literal["request headers", "request body", "answer headers", "answer body", "answer trailers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message."""

    kind: Kind
    end: bool = True
    """Nothing follows of the request or the answer."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """How large the body of these headers is, at most: Envoy holds it to what it says of itself."""
        said = self.headers.get("content-length", "")
        return int(said) if said.isdecimal() else MESSAGE_BYTES_MAX


def told(message: ProcessingRequest) -> Told:
    """Return what a message says."""
    match message.WhichOneof("request"):
        case "request_headers":
            return _headers("request headers", message.request_headers)
        case "request_body":
            return _body("request body", message.request_body)
        case "response_headers":
            return _headers("answer headers", message.response_headers)
        case "response_body":
            return _body("answer body", message.response_body)
        case "response_trailers":
            return Told(kind="answer trailers")
        case other:
            raise ValueError(f"Envoy sends {other}")


def _headers(kind: Kind, sent: HttpHeaders) -> Told:
    named = {header.key: header.raw_value.decode("latin-1") for header in sent.headers.headers}
    return Told(kind=kind, end=sent.end_of_stream, headers=named)


def _body(kind: Kind, sent: HttpBody) -> Told:
    return Told(kind=kind, end=sent.end_of_stream, body=sent.body)
