"""Requests byte by byte, as no honest client sends them."""

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass

from real_gateway import LOCAL

ANSWER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, as far as it is HTTP."""

    status: int
    text: str


def send(port: int, request: bytes) -> Answer:
    """Send bytes on a connection of their own and read the first answer; status 0 where none comes."""
    received = b""
    with socket.create_connection((LOCAL, port), timeout=ANSWER_SECONDS) as connection:
        # Where the gateway has answered and closed before all is sent, its answer may still be there.
        with contextlib.suppress(OSError):
            connection.sendall(request)
        with contextlib.suppress(OSError):
            while not _whole(received) and (chunk := connection.recv(1 << 16)):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first = head.split(b"\r\n")[0].split(b" ")
    status = int(first[1]) if len(first) > 1 and first[1].isdigit() else 0
    return Answer(status=status, text=body.decode("utf-8", "replace"))


def _whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def chat_request(
    body: bytes,
    *,
    key: str,
    start: bytes = b"POST /v1/chat/completions HTTP/1.1",
    content_type: bytes | None = b"application/json",
    headers: tuple[bytes, ...] = (),
    length: bool = True,
) -> bytes:
    """Return a chat request, whole or with a part that is not what it should be."""
    lines = [start, b"Host: gateway", b"Authorization: Bearer " + key.encode()]
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type)
    if length:
        lines.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join((*lines, *headers, b"Connection: close", b"", body))


def chunked(body: bytes, size: int) -> bytes:
    """Return a body in chunks."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def burst(port: int, request: bytes, count: int, *, seconds: float = 60) -> list[bytes]:
    """Send one request on many connections at once; return the head of each answer, empty where none came."""

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection(LOCAL, port)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), seconds)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return b""
        finally:
            writer.close()

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(count)))

    return asyncio.run(all_of_them())


def status_of(head: bytes) -> int:
    """Return the status of an answer's head, 0 where there is none."""
    return int(head.split(b" ", 2)[1]) if head else 0
