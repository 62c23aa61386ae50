"""What the gateway adds to an answer, beside nothing in between, bare Envoy, vllm-router and LiteLLM.

    .venv/bin/python benchmarks/gateway.py            # about ten minutes
    .venv/bin/python benchmarks/gateway.py --quick    # about two: one short round of 1 and 32 connections

Every program runs on one thread, before a backend that answers after a fixed time; each round loads every way
once, so that a busy machine disturbs all alike, and figures are medians over rounds.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from gateway_load import Measured, load
from gateway_policy import our_gateway
from gateway_ways import Way, backend, bare_envoy, chat, litellm, router, wait_until_served
from rich.console import Console
from rich.table import Table

from infra.local import ports
from infra.local.envoy import envoy_program
from infra.local.progress import Progress
from infra.render.gateway.place import Address

CONNECTIONS = (1, 32, 256)
BODY_BYTES = (1_000, 200_000)


WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of load."""

    body_bytes: int
    connections: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one load")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of the backend")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--connections", type=int, nargs="*", help="default: 1 32 256")
    parser.add_argument("--body-bytes", type=int, nargs="*", default=BODY_BYTES)
    parser.add_argument("--only", nargs="*", default=(), help="gateway, vllm-router, LiteLLM; default: all")
    options = parser.parse_args()
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    connections = options.connections or (CONNECTIONS[:2] if options.quick else CONNECTIONS)
    with TemporaryDirectory() as temporary, ExitStack() as running:
        folder = Path(temporary)
        makers = _makers(folder, options.latency_ms, only=options.only)
        ways = tuple(way for make in makers for way in running.enter_context(make()))
        for way in ways:
            wait_until_served(way)
        cases = [
            Case(body_bytes=size, connections=count) for size in options.body_bytes for count in connections
        ]
        Console(width=WIDTH).print(_table(cases, ways, _measured(folder, ways, cases, rounds, seconds)))


def _makers(
    folder: Path, latency_ms: float, *, only: Sequence[str]
) -> Iterator[Callable[[], AbstractContextManager[Sequence[Way]]]]:
    """Yield what starts each program, in the order of the table."""
    front, routed, router_metrics, proxied, behind = ports.quiet(5)
    engine = Address(host="127.0.0.1", port=behind)
    yield partial(backend, folder, engine.port, latency_ms)
    yield partial(bare_envoy, envoy_program(Progress()), folder, front, engine)
    others = {
        "gateway": partial(our_gateway, folder, engine),
        "vllm-router": partial(router, folder, routed, router_metrics, engine),
        "LiteLLM": partial(litellm, folder, proxied, engine),
    }
    yield from (make for name, make in others.items() if not only or name in only)


def _measured(
    folder: Path, ways: Sequence[Way], cases: Sequence[Case], rounds: int, seconds: int
) -> dict[tuple[Case, str], list[Measured]]:
    found: dict[tuple[Case, str], list[Measured]] = {}
    progress = Progress()
    wrk = load(folder, progress)
    for round_number in range(rounds):
        with progress.step(f"round {round_number + 1} of {rounds}") as step:
            for case in cases:
                for way in ways:
                    step.say(f"{case.connections} connections, {case.body_bytes} bytes, {way.name}")
                    body = folder / f"{way.name}-{case.body_bytes}.json"
                    body.write_text(json.dumps(chat(way.model, case.body_bytes)))
                    headers = {"Content-Type": "application/json", **way.headers}
                    measured = wrk.measure(
                        way.url,
                        headers=headers,
                        body=body,
                        connections=case.connections,
                        seconds=seconds,
                        between=way.processes,
                    )
                    found.setdefault((case, way.name), []).append(measured)
    return found


def _table(
    cases: Sequence[Case], ways: Sequence[Way], measured: dict[tuple[Case, str], list[Measured]]
) -> Table:
    table = Table(
        *(
            "body",
            "connections",
            "way",
            "p50 ms",
            "p99 ms",
            "requests/s",
            "of direct",
            "of bare",
            "CPU µs",
            "broken",
        ),
    )
    for case in cases:
        rates = {
            way.name: median(one.requests_per_second for one in measured[case, way.name]) for way in ways
        }
        for way in ways:
            runs = measured[case, way.name]
            table.add_row(
                f"{case.body_bytes // 1000} KB",
                str(case.connections),
                way.name,
                _ms(one.p50_ms for one in runs),
                _ms(one.p99_ms for one in runs),
                f"{rates[way.name]:,.0f}",
                f"{rates[way.name] / rates['direct']:.3f}",
                f"{rates[way.name] / rates['bare Envoy']:.3f}",
                f"{median(one.cpu_us_per_request for one in runs):,.0f}",
                str(sum(one.broken for one in runs) or ""),
            )
        table.add_section()
    return table


def _ms(values: Iterable[float]) -> str:
    """Return a median; a dash where nothing was answered in time."""
    found = median(values)
    return f"{found:.2f}" if found else "-"


if __name__ == "__main__":
    main()
