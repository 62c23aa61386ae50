"""A fake engine: answers chats as vLLM would, does what the last message says, and remembers what came in.

It is a fake because the tests here are about what reaches an engine; real engines are in tests/serve.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

INPUT_TOKENS, OUTPUT_TOKENS = 7, 5
PARTED = (
    {"choices": [{"delta": {"content": 'é "choices":[] "usage":{} \n\n'}}], "usage": {"prompt_tokens": 7}},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}},
)
"""A stream whose text looks like the event without choices that follows it."""

LARGEST_BODY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that reached the engine."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class FakeEngine:
    """What one fake engine has seen, and what goes on in it."""

    port: int = 0
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    aborted: int = 0
    terse: bool = False
    """Whether every answer is the same few bytes, whatever was asked."""
    failures: int = 0
    """How many more requests are answered 503, as by a router without engines."""

    kill: Callable[[], None] = lambda: None
    """Drops every connection at once and listens no more."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                seen = await _request(reader)
                self.seen.append(seen)
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                try:
                    await self._answer(seen, reader, writer)
                finally:
                    self.running -= 1
        writer.close()

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.terse:
            return await _send(writer, 200, "{}")
        chat = _chat(seen.body)
        if self.failures:
            self.failures -= 1
            return await _send(writer, 503, "{}")
        match str(_last_message(chat)).split():
            case ["wait", seconds]:
                await asyncio.sleep(float(seconds))
            case ["say", size]:
                return await _send(writer, 200, json.dumps({"text": "x" * int(size)}))
            case ["fail", status]:
                return await _send(writer, int(status), json.dumps({"error": {"message": "fake"}}))
            case ["plain", status]:
                return await _send(writer, int(status), "Error at http://10.0.0.7:8000", "text/plain")
            case ["break"]:
                writer.close()
                raise ConnectionResetError
            case ["stream", chunks, pause_seconds]:
                return await self._stream(writer, int(chunks), float(pause_seconds))
            case ["flood"]:
                return await self._stream(writer, 10**9, 0, words="word " * 400)
            case ["parts", size]:
                return await self._parts(writer, int(size))
            case ["prefill", seconds, "stream", chunks, pause_seconds]:
                return await self._stream(writer, int(chunks), float(pause_seconds), float(seconds))
        if chat.get("stream") is True:
            return await self._stream(writer, 3, 0)
        usage = _usage()
        return await _send(
            writer, 200, json.dumps({"choices": [{"message": {"content": str(self.port)}}], "usage": usage})
        )

    async def _stream(
        self,
        writer: asyncio.StreamWriter,
        chunks: int,
        pause_seconds: float,
        prefill_seconds: float = 0,
        words: str = "",
    ) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head)
        try:
            await asyncio.sleep(prefill_seconds)
            for number in range(chunks):
                await _event(writer, {"choices": [{"delta": {"content": f"{number} {words}"}}]})
                await asyncio.sleep(pause_seconds)
            await _event(writer, {"choices": [], "usage": _usage()})
        except ConnectionError:
            self.aborted += 1
            raise
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    async def _parts(self, writer: asyncio.StreamWriter, size: int) -> None:
        """Stream events cut into parts of a size, wherever that is."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n")
        text = "".join(f"data: {event}\n\n" for event in (*map(json.dumps, PARTED), "[DONE]")).encode()
        for start in range(0, len(text), size):
            part = text[start : start + size]
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@contextmanager
def fake_engine(port: int = 0) -> Iterator[FakeEngine]:
    """Run a fake engine in a thread of its own."""
    engine = FakeEngine()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with _listening(engine, port):
            ready.set()
            await stop.wait()

    def work() -> None:
        loop.run_until_complete(run())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    engine.kill = lambda: loop.call_soon_threadsafe(stop.set)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    assert ready.wait(10), "the fake engine did not start"

    try:
        yield engine
    finally:
        if thread.is_alive():
            engine.kill()
        thread.join(10)


@asynccontextmanager
async def _listening(engine: FakeEngine, port: int) -> AsyncIterator[None]:
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await engine.serve(reader, writer)
        finally:
            writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    engine.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join([chunk async for chunk in _chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, path=path, headers=headers, body=body)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readline()).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()


def _chat(body: bytes) -> dict[str, object]:
    try:
        chat = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return chat if isinstance(chat, dict) else {}


def _last_message(chat: dict[str, object]) -> object:
    messages = chat.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        return messages[-1].get("content", "")
    return ""


def _usage() -> dict[str, int]:
    total = INPUT_TOKENS + OUTPUT_TOKENS
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": total}


async def _event(writer: asyncio.StreamWriter, event: dict[str, object]) -> None:
    text = f"data: {json.dumps(event)}\n\n".encode()
    writer.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
    await writer.drain()


async def _send(
    writer: asyncio.StreamWriter, status: int, body: str, content_type: str = "application/json"
) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write((head + body).encode())
    await writer.drain()
