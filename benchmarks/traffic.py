"""How long it takes to size a day's log of a million requests, as CSV, JSON lines and gzipped CSV.

    .venv/bin/python benchmarks/traffic.py [--requests 1000000] [--runs 3]

The log is made from a fixed seed: busy by day, quiet at night, long prompts and short answers. Each run is a
process of its own, so that its time is what a command takes from start to end.
"""

import argparse
import gzip
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from infra.capacity.commitment import StepPrice, size_traffic
from infra.capacity.traffic import describe
from infra.cli.traffic_log import read_traffic

DAY_S = 86400
SEED = 20261121
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
BAR_S = 10.0


def main() -> None:
    """Measure and print, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_sized(options.one)))
    else:
        Console().print(_measured(options.requests, options.runs))


def requests(count: int) -> Iterator[tuple[float, int, int]]:
    """Make a day's requests in order: second, tokens in and out."""
    chance = random.Random(SEED)
    for number in range(count):
        part = (number + chance.random()) / count
        # Time between requests is as 1 + 0.8 cos(2 pi part): nine times longer at midnight than at noon.
        second = DAY_S * (part + 0.8 * math.sin(2 * math.pi * part) / (2 * math.pi))
        tokens_in = min(120_000, int(chance.lognormvariate(7.5, 1.0)) + 1)
        yield second, tokens_in, min(8000, int(chance.lognormvariate(5.0, 0.9)) + 1)


def _write(folder: Path, count: int) -> tuple[Path, ...]:
    seconds, iso, packed = folder / "day.csv", folder / "day.jsonl", folder / "day.csv.gz"
    with seconds.open("w") as csv, iso.open("w") as lines, gzip.open(packed, "wt") as gz:
        header = "arrival_s,input_tokens,output_tokens\n"
        csv.write(header)
        gz.write(header)
        for second, tokens_in, tokens_out in requests(count):
            line = f"{second:.3f},{tokens_in},{tokens_out}\n"
            csv.write(line)
            gz.write(line)
            moment = (BEGIN + timedelta(seconds=second)).isoformat()
            record = {"timestamp": moment, "prompt_tokens": tokens_in, "completion_tokens": tokens_out}
            lines.write(json.dumps(record) + "\n")
    return seconds, iso, packed


def _sized(path: Path) -> dict[str, float]:
    began = time.perf_counter()
    log = read_traffic(path)
    read = time.perf_counter()
    traffic = describe(log.requests)
    size = size_traffic(
        traffic, step_rps=1.6, step_units=2, headroom=1.2, price=StepPrice(monthly=6000, hourly=17)
    )
    done = time.perf_counter()
    return {
        "requests": traffic.requests,
        "read": read - began,
        "size": done - read,
        "peak_units": size.peak_units,
    }


def _measured(count: int, runs: int) -> Table:
    table = Table("log", "requests", "read", "size", "whole process", "bar")
    with TemporaryDirectory(prefix="modelunits-benchmark-") as scratch:
        for path in _write(Path(scratch), count):
            parts: list[dict[str, float]] = []
            whole: list[float] = []
            for _ in range(runs):
                began = time.perf_counter()
                command = [sys.executable, __file__, "--one", str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                whole.append(time.perf_counter() - began)
                parts.append(json.loads(done.stdout))
            seconds = (median(part["read"] for part in parts), median(part["size"] for part in parts))
            cells = (f"{value:.2f} s" for value in (*seconds, median(whole)))
            table.add_row(path.name, f"{parts[0]['requests']:,.0f}", *cells, f"{BAR_S:.0f} s")
    return table


if __name__ == "__main__":
    main()
