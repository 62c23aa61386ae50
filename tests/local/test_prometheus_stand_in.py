"""The stand-in for Prometheus answers from its table, asked directly or as a proxy."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.prometheus_stand_in import Handler, Table

RUNNING = "vllm:num_requests_running"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve a table with one value."""
    Handler.table = Table(tmp_path / "series.json")
    Handler.table.set("chat", RUNNING, 5.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def _query(url: str, query: str, proxy: str | None = None) -> object:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
    with opener.open(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=30) as answer:
        result = json.load(answer)
    return result["data"]["result"][0]["value"][1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f'sum({RUNNING}{{namespace="local-search",modelunits_endpoint="chat"}}) or vector(0)', "5.0"),
        (f'sum(rate({RUNNING}{{modelunits_endpoint="other"}}[1m])) or vector(0)', "0.0"),
        (f'sum(50 - {RUNNING}{{modelunits_endpoint="chat"}}) or vector(0)', "5.0"),
        ('sum(vllm:num_requests_waiting{modelunits_endpoint="chat"})', "0.0"),
        (f"sum({RUNNING})", "0.0"),
        ("vector(1)", "0.0"),
    ],
)
def test_the_value_of_the_first_metric_for_the_endpoint_is_answered(
    address: str, query: str, expected: str
) -> None:
    """Anything else is 0; nothing is computed, so what is set for held requests is how many are held."""
    assert expected == _query(f"http://{address}", query)


def test_asked_as_a_proxy_it_answers_for_any_address(address: str) -> None:
    """So the manifests keep the address of the real Prometheus."""
    query = f'sum({RUNNING}{{modelunits_endpoint="chat"}})'
    told = _query("http://prometheus-operated.monitoring:9090", query, proxy=f"http://{address}")
    assert told == "5.0"


def test_values_are_set_with_put_and_outlive_a_restart(address: str, tmp_path: Path) -> None:
    """The file is read at the start."""
    url = f"http://{address}/series/coder/{RUNNING}"
    urllib.request.urlopen(urllib.request.Request(url, data=b"3", method="PUT"), timeout=30).close()
    assert {f"chat/{RUNNING}": 5.0, f"coder/{RUNNING}": 3.0} == Table(tmp_path / "series.json").values()


@pytest.mark.parametrize(("path", "body"), [("/series/chat", b"3"), ("/series/chat/x", b"many")])
def test_a_put_that_cannot_be_read_says_how(address: str, path: str, body: bytes) -> None:
    """Status 400 and the form that is right."""
    request = urllib.request.Request(f"http://{address}{path}", data=body, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=30)
    how = {"error": "PUT /series/<endpoint>/<metric> with a number as the body"}
    assert (400, how) == (raised.value.code, json.load(raised.value))
