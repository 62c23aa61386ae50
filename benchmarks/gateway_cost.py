"""Where the gateway's time goes: Envoy's instructions for a request, without one part after the other.

    .venv/bin/python benchmarks/gateway_cost.py     # about ten minutes; needs valgrind on the path

Callgrind counts instructions outside the kernel: a busy machine changes nothing about them. What the kernel
does for a request is the same for all of these.
"""

import argparse
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from gateway_policy import gateway_without
from gateway_ways import Way, backend, bare_envoy, chat, wait_until_served
from gateway_without import parts
from rich.console import Console
from rich.table import Table

from infra.local import ports
from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.render.gateway.place import Address

WARM_UP_REQUESTS = 30
TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--body-bytes", type=int, nargs="*", default=[1_000, 200_000])
    options = parser.parse_args()
    table = Table("way", *(f"{size // 1000} KB, thousands" for size in options.body_bytes))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (behind,) = ports.quiet(1)
        engine = Address(host="127.0.0.1", port=behind)
        with backend(folder, engine.port, 0.0):
            for make in _ways(folder, engine):
                with make() as (way,):
                    wait_until_served(way)
                    counts = [_count(way, size, options.requests, folder) for size in options.body_bytes]
                table.add_row(way.name, *(f"{count / 1000:,.0f}" for count in counts))
    Console(width=110).print(table)


def _ways(folder: Path, engine: Address) -> Iterator[Callable[[], AbstractContextManager[Sequence[Way]]]]:
    """Yield what starts each program under callgrind, one at a time."""
    tool = (
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={folder}/counted.%p",
    )
    (front,) = ports.quiet(1)
    yield partial(bare_envoy, envoy_program(Progress()), folder, front, engine, under=tool)
    yield partial(gateway_without, folder, engine, "gateway, keys", lambda files: files, under=tool)
    for part, change in parts().items():
        yield partial(gateway_without, folder, engine, f"without {part}", change, under=tool)


def _count(way: Way, size_bytes: int, requests: int, folder: Path) -> float:
    """Return the instructions of one request."""
    (process,) = way.processes
    body = json.dumps(chat(way.model, size_bytes))
    headers = {"Content-Type": "application/json", **way.headers}

    def send(count: int) -> None:
        for _ in range(count):
            client.post(way.url, content=body, headers=headers).raise_for_status()

    with httpx.Client(timeout=120, trust_env=False) as client:
        send(WARM_UP_REQUESTS)
        _control("--zero", process)
        send(requests)
        _control("--dump", process)
    newest = max(folder.glob(f"counted.{process}.*"), key=lambda file: file.stat().st_mtime_ns)
    found = TOTALS.search(newest.read_text())
    assert found is not None, newest
    return int(found[1]) / requests


def _control(what: str, process: int) -> None:
    subprocess.run(["callgrind_control", what, str(process)], check=True, capture_output=True)


if __name__ == "__main__":
    main()
