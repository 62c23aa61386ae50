"""A fake engine: it answers chats with numbers of tokens and exports vLLM's metrics, but holds no model."""

import json
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TTFT_SECONDS = 0.02
TPOT_SECONDS = 0.004
TOKENS_IN = 9
TOKENS_OUT = 6
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0)


@dataclass(slots=True)
class Histogram:
    """Counts values as Prometheus does."""

    name: str
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

    def lines(self, labels: str) -> Iterator[str]:
        """Write it as Prometheus reads it."""
        so_far = 0
        for bound, count in zip((*BUCKETS, "+Inf"), self.counts, strict=True):
            so_far += count
            yield f'{self.name}_bucket{{{labels},le="{bound}"}} {so_far}'
        yield f"{self.name}_sum{{{labels}}} {self.total}"
        yield f"{self.name}_count{{{labels}}} {so_far}"


@dataclass(slots=True)
class Engine:
    """The counters of one fake engine; its times are what a test wants to be seen."""

    ttft_seconds: float = TTFT_SECONDS
    tpot_seconds: float = TPOT_SECONDS
    waiting: int = 0
    finished: int = 0
    port: int = 0
    histograms: tuple[Histogram, ...] = field(
        default_factory=lambda: tuple(
            Histogram(f"vllm:{name}_seconds")
            for name in ("time_to_first_token", "inter_token_latency", "request_queue_time")
        )
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def finish(self) -> None:
        """Count a request that is over."""
        with self.lock:
            ttft, tpot, queue = self.histograms
            ttft.observe(self.ttft_seconds)
            queue.observe(0.0)
            for _ in range(TOKENS_OUT - 1):
                tpot.observe(self.tpot_seconds)
            self.finished += 1

    def metrics(self) -> str:
        """Write every series as Prometheus reads it."""
        labels = 'engine="0",model_name="fake"'
        with self.lock:
            lines = [
                f"vllm:num_requests_running{{{labels}}} 1",
                f"vllm:num_requests_waiting{{{labels}}} {self.waiting}",
                f"vllm:kv_cache_usage_perc{{{labels}}} 0.25",
                f"vllm:num_preemptions_total{{{labels}}} 0",
                f"vllm:prompt_tokens_total{{{labels}}} {self.finished * TOKENS_IN}",
                f"vllm:generation_tokens_total{{{labels}}} {self.finished * TOKENS_OUT}",
                f'vllm:request_success_total{{{labels},finished_reason="stop"}} {self.finished}',
            ]
            for histogram in self.histograms:
                lines += histogram.lines(labels)
        return "\n".join(lines) + "\n"


@contextmanager
def engine_at(port: int = 0) -> Iterator[Engine]:
    """Serve a fake engine on loopback."""
    engine = Engine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send("text/plain; version=0.0.4", engine.metrics())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            engine.finish()
            if body.get("stream"):
                self._send("text/event-stream", *(f"data: {event}\n\n" for event in _events()))
            else:
                answer = {"object": "chat.completion", "choices": [_choice("message")], "usage": _usage()}
                self._send("application/json", json.dumps(answer))

        def _send(self, kind: str, *parts: str) -> None:
            content = [part.encode() for part in parts]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(sum(map(len, content))))
            self.end_headers()
            for part in content:
                self.wfile.write(part)
                time.sleep(TPOT_SECONDS)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    engine.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()


def _events() -> Iterator[str]:
    yield json.dumps({"object": "chat.completion.chunk", "choices": [_choice("delta")]})
    yield json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": _usage()})
    yield "[DONE]"


def _choice(key: str) -> dict[str, object]:
    return {"index": 0, key: {"role": "assistant", "content": "six tokens"}, "finish_reason": "stop"}


def _usage() -> dict[str, int]:
    return {
        "prompt_tokens": TOKENS_IN,
        "completion_tokens": TOKENS_OUT,
        "total_tokens": TOKENS_IN + TOKENS_OUT,
    }
