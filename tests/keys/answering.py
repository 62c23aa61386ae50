"""A server that answers paths with texts, in the place of a gateway's metrics or of an API server."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@contextmanager
def answering(answers: Mapping[str, str]) -> Iterator[str]:
    """Serve answers by path, JSON or text as they look, and 404 for the rest; give the address.

    A path with `?watch` at its end is for questions that watch.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            watches = "?watch" if "watch=" in asked.query else ""
            text = answers.get(unquote(asked.path) + watches)
            body = (text or "no such path").encode()
            self.send_response(404 if text is None else 200)
            kind = "application/json" if body.startswith(b"{") else "text/plain; charset=UTF-8"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def kubeconfig(file: Path, server: str) -> Path:
    """Write a kubeconfig for a server that asks nobody who they are."""
    context = {"name": "trial", "context": {"cluster": "trial", "user": "trial"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "trial",
        "clusters": [{"name": "trial", "cluster": {"server": server}}],
        "users": [{"name": "trial", "user": {}}],
        "contexts": [context],
    }
    file.write_text(json.dumps(config))
    return file


def listed(kind: str, data: Mapping[str, str]) -> str:
    """Return what an API server answers to a list of the one object."""
    item = {"metadata": {"name": "one"}, "data": data}
    return json.dumps(
        {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {"resourceVersion": "1"}, "items": [item]}
    )


def secret(content: str | bytes) -> str:
    """Return what an API server answers to a list of the Secret with this for keys."""
    raw = content.encode() if isinstance(content, str) else content
    return listed("Secret", {"keys.json": base64.b64encode(raw).decode()})
