"""Stand-ins: an engine that answers what a test wants, and services that judge as a test wants.

They are fakes because the tests here are about what passes between them; real engines are in tests/serve.
"""

import gzip
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a fake answers."""

    parts: Sequence[bytes] = (b"{}",)
    status: int = 200
    type: str = JSON
    encoding: str | None = None
    pause_seconds: float = 0
    """Before each part, and before the headers where there is one part."""


@dataclass(slots=True)
class Fake:
    """A fake service: its script, and what came in."""

    script: Script = field(default_factory=Script)
    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    broken_off: int = 0
    """Answers that nobody waited for to the end."""


def event(text: str, *, choice: int = 0, field: str = "content") -> bytes:
    """Return a chunk of a stream as vLLM writes it."""
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "ep-chat-000000",
        "choices": [{"index": choice, "delta": {field: text}, "finish_reason": None}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


def stream(*texts: str, pause_seconds: float = 0) -> Script:
    """Return the script of a stream of texts."""
    parts = [*(event(text) for text in texts), b"data: [DONE]\n\n"]
    return Script(parts=parts, type=EVENTS, pause_seconds=pause_seconds)


def answer(*contents: str) -> Script:
    """Return the script of an answer in one piece, with a choice for each content."""
    choices = [
        {"index": index, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        for index, content in enumerate(contents)
    ]
    return Script(parts=[json.dumps({"id": "chatcmpl-1", "choices": choices}).encode()])


def flags(*flagged: bool, pause_seconds: float = 0) -> Script:
    """Return the script of a moderation service."""
    results = [{"flagged": each} for each in flagged]
    return Script(parts=[json.dumps({"results": results}).encode()], pause_seconds=pause_seconds)


def says(text: str) -> Script:
    """Return the script of a guard model."""
    return Script(parts=[json.dumps({"choices": [{"message": {"content": text}}]}).encode()])


@contextmanager
def fake() -> Iterator[Fake]:
    """Run a fake service in a thread of its own."""
    made = Fake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            made.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            try:
                self._answer(made.script)
            except OSError:
                made.broken_off += 1
                self.close_connection = True

        def _answer(self, script: Script) -> None:
            parts = [gzip.compress(part) for part in script.parts] if script.encoding else script.parts
            if len(parts) == 1:
                time.sleep(script.pause_seconds)
            self.send_response(script.status)
            self.send_header("content-type", script.type)
            if script.encoding:
                self.send_header("content-encoding", script.encoding)
            if len(parts) == 1:
                self.send_header("content-length", str(len(parts[0])))
                self.end_headers()
                self.wfile.write(parts[0])
                return
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in parts:
                time.sleep(script.pause_seconds)
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of callers who leave: that is what tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
