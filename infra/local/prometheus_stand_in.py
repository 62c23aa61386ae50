"""A stand-in for Prometheus on the local cluster: it answers queries from a table that people and tests set.

It evaluates nothing. A query gets the value set for the first metric it names, for the endpoint in its
matchers, or 0. KEDA reaches it as its HTTP proxy, so that the manifests keep the address of the real one.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

ENDPOINT_MATCHER = "modelunits_endpoint"

_METRIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")
_ENDPOINT = re.compile(ENDPOINT_MATCHER + r'\s*=\s*"([^"]*)"')


class Table:
    """Values by endpoint and metric, kept in a file so that a restart keeps the load."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, Lock()
        self._values: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}

    def values(self) -> dict[str, float]:
        """Return every value by `endpoint/metric`."""
        with self._lock:
            return dict(self._values)

    def set(self, endpoint: str, metric: str, value: float) -> None:
        """Set one value."""
        with self._lock:
            self._values[f"{endpoint}/{metric}"] = value
            unfinished = self._file.with_suffix(".new")
            unfinished.write_text(json.dumps(self._values))
            unfinished.replace(self._file)

    def answer(self, query: str) -> float:
        """Return the value that a query asks for."""
        selector = _METRIC.search(query)
        endpoint = _ENDPOINT.search(selector.group(2)) if selector else None
        if selector is None or endpoint is None:
            return 0.0
        return self.values().get(f"{endpoint.group(1)}/{selector.group(1)}", 0.0)


class Handler(BaseHTTPRequestHandler):
    """GET and POST /api/v1/query; PUT /series/<endpoint>/<metric> with a number; GET /series."""

    table: Table
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a query in the address, or show the table."""
        path, query = self._asked()
        if path == "/series":
            self._send(self.table.values())
        elif path.endswith("/api/v1/query"):
            self._send(_vector(self.table.answer(query.get("query", [""])[0])))
        else:
            self._send({"stand-in": __doc__})

    def do_POST(self) -> None:
        """Answer a query in the body."""
        form = parse_qs(self._body())
        self._send(_vector(self.table.answer(form.get("query", [""])[0])))

    def do_PUT(self) -> None:
        """Set a value."""
        asked = re.fullmatch(r"/series/([^/]+)/([^/]+)", self._asked()[0])
        try:
            value = float(self._body())
        except ValueError:
            asked = None
        if asked is None:
            self._send({"error": "PUT /series/<endpoint>/<metric> with a number as the body"}, status=400)
            return
        self.table.set(asked.group(1), asked.group(2), value)
        self._send(self.table.values())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        """Say nothing: KEDA asks every few seconds."""

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        asked = urlsplit(self.path)  # with the whole address when asked as a proxy
        return asked.path, parse_qs(asked.query)

    def _body(self) -> str:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def _send(self, answer: object, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _vector(value: float) -> dict[str, object]:
    """Write one value as Prometheus writes an instant vector; the date is fixed, nobody reads it."""
    return {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, repr(value)]}]},
    }


def serve(port: int, file: Path) -> None:
    """Serve on loopback until stopped."""
    Handler.table = Table(file)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
