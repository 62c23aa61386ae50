"""How much of their prompts engines need not read, and how evenly they work, by how requests are shared.

    .venv/bin/python benchmarks/routing.py    # about five minutes: two engines, real vLLM on CPU

Conversations run at once, and each turn repeats all before it. Those of one team begin with the same text.
Each way of sharing has texts of its own and takes its turn in every round: a busy machine disturbs all alike.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
from gateway_policy import plan
from gateway_ways import CHAT, Way, started, wait_until_served
from rich.console import Console
from rich.table import Table
from routing_talk import TEAM_WORDS, talk, words
from routing_ways import LOOPBACK, Shared, envoy, our_router

from infra.local import ports
from infra.local.progress import Progress
from infra.local.serve.engines import EngineFiles, stand_in
from infra.local.serve.model_cache import model_folder
from infra.local.vllm_environment import vllm_python
from infra.plan.model import EndpointPlan

BLOCK_TOKENS = 32
"""What is cached at once: the smallest block on CPUs; GPUs have 16."""
WIDTH = 110

HEAVIER = {"hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 4, "num_attention_heads": 4}
"""Makes of the tiny model one that reads a prompt longer than it writes an answer, as models on GPUs do."""

COUNTS = {
    "asked": "vllm:prefix_cache_queries_total",
    "cached": "vllm:prefix_cache_hits_total",
    "answered": "vllm:request_success_total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one way brought in one round."""

    first_token_ms: tuple[float, ...]
    engines: tuple[Mapping[str, float], ...]
    """What each counted."""

    def sum(self, count: str) -> float:
        """Return a count of all engines."""
        return sum(engine[count] for engine in self.engines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", type=int, default=2)
    parser.add_argument("--conversations", type=int, default=8, help="at once, of each way and round")
    parser.add_argument("--teams", type=int, default=4, help="whose conversations begin with the same text")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    endpoint = next(each for each in plan()[0].endpoints if each.shape == "single")
    with TemporaryDirectory() as temporary, ExitStack() as running:
        folder = Path(temporary)
        engines = tuple(
            running.enter_context(_engine(endpoint, port, folder)) for port in ports.quiet(options.engines)
        )
        makers = (
            envoy(folder, "round robin", "ROUND_ROBIN", engines),
            envoy(folder, "least load", "LEAST_REQUEST", engines),
            our_router(folder, "our router", endpoint, engines),
        )
        ways = [running.enter_context(maker) for maker in makers]
        second = running.enter_context(our_router(folder, "", endpoint, engines))
        ways.append(Shared(name="two of our routers", urls=(*ways[-1].urls, *second.urls)))
        for url in (
            *(f"http://{LOOPBACK}:{port}{CHAT}" for port in engines),
            *chain(*(w.urls for w in ways)),
        ):
            wait_until_served(Way(name=url, url=url, model=endpoint.id))
        found: dict[str, list[Measured]] = {}
        with Progress().step("measure") as step:
            for round_number in range(options.rounds):
                for way in ways:
                    step.say(f"round {round_number + 1} of {options.rounds}, {way.name}")
                    source = random.Random(f"{way.name} {round_number}")
                    people = (options.conversations, options.teams)
                    measured = _round(way, endpoint.id, engines, source, *people)
                    found.setdefault(way.name, []).append(measured)
        Console(width=WIDTH).print(_table(found))


@contextmanager
def _engine(endpoint: EndpointPlan, port: int, folder: Path) -> Iterator[int]:
    """Run one engine as `modelunits local serve` does, with small blocks; give its port."""
    files = EngineFiles(
        vllm=vllm_python(Progress()).with_name("vllm"),
        router=None,
        model=model_folder(),
        adapters={},
        transfer=folder,
        temporary=folder,
    )
    (process,) = stand_in(replace(endpoint, adapters=()), [port], files).processes
    own = (f"--hf-overrides={json.dumps(HEAVIER)}", "--load-format=dummy", f"--block-size={BLOCK_TOKENS}")
    command = (*process.command, *own)
    with started(command, folder, f"engine-{port}", process.environment):
        yield port


def _round(
    way: Shared, model: str, engines: Sequence[int], texts: random.Random, conversations: int, teams: int
) -> Measured:
    before = [_counts(port) for port in engines]
    begins = [words(texts, TEAM_WORDS) for _ in range(teams)]
    seeds = [texts.random() for _ in range(conversations)]
    with ThreadPoolExecutor(conversations) as people:
        talks = people.map(
            lambda person: talk(way, model, begins[person % teams], random.Random(seeds[person])),
            range(conversations),
        )
        first_token_ms = tuple(chain.from_iterable(talks))
    counted = zip(before, (_counts(port) for port in engines), strict=True)
    return Measured(
        first_token_ms=first_token_ms,
        engines=tuple({name: now[name] - then[name] for name in COUNTS} for then, now in counted),
    )


def _counts(port: int) -> dict[str, float]:
    text = httpx.get(f"http://{LOOPBACK}:{port}/metrics", trust_env=False).text
    return {
        name: sum(float(number) for number in re.findall(rf"^{series}\{{.*\}} (\S+)$", text, re.MULTILINE))
        for name, series in COUNTS.items()
    }


def _table(found: Mapping[str, Sequence[Measured]]) -> Table:
    table = Table("shared by", "found in cache", "tokens read", "first token, p50", "p90", "busiest engine")
    base = next(iter(found.values()))
    base_ms, base_read = _first_token_ms(base), _read(base)
    for name, rounds in found.items():
        ms = _first_token_ms(rounds)
        busiest = median(
            max(engine["answered"] for engine in one.engines) / one.sum("answered") for one in rounds
        )
        table.add_row(
            name,
            f"{median(one.sum('cached') / one.sum('asked') for one in rounds):.1%}",
            f"{_read(rounds) / base_read:.2f}",
            f"{ms[len(ms) // 2] / base_ms[len(base_ms) // 2]:.2f}",
            f"{ms[len(ms) * 9 // 10] / base_ms[len(base_ms) * 9 // 10]:.2f}",
            f"{busiest:.0%}",
        )
    table.caption = (
        f"tokens and times as parts of those of the first row: {base_read / len(base):,.0f} tokens a round,"
        f" {base_ms[len(base_ms) // 2]:.0f} ms and {base_ms[len(base_ms) * 9 // 10]:.0f} ms"
    )
    return table


def _read(rounds: Sequence[Measured]) -> float:
    return sum(one.sum("asked") - one.sum("cached") for one in rounds)


def _first_token_ms(rounds: Sequence[Measured]) -> list[float]:
    return sorted(chain.from_iterable(one.first_token_ms for one in rounds))


if __name__ == "__main__":
    main()
