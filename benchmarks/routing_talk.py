"""One conversation: each turn repeats all before it, as chat programs do."""

import json
import random
import time
from collections.abc import Mapping

import httpx
from routing_ways import Shared

from infra.local.serve.tiny_vocabulary import spoken

TEAM_WORDS = 300
"""What all conversations of a team begin with; a word is a token of the tiny model."""
TURN_WORDS = 150
TURNS = 5
ANSWER_TOKENS = 8
READS_SECONDS = 0.2
"""At most between an answer and the next turn."""


def talk(way: Shared, model: str, team: str, person: random.Random) -> list[float]:
    """Hold one conversation; return how long each turn took to its first token, in ms."""
    messages = [{"role": "system", "content": team}]
    waits = []
    with httpx.Client(timeout=300, trust_env=False) as client:
        for _ in range(TURNS):
            time.sleep(person.uniform(0, READS_SECONDS))
            messages.append({"role": "user", "content": words(person, TURN_WORDS)})
            body = {"model": model, "messages": messages, "max_tokens": ANSWER_TOKENS, "stream": True}
            wait_ms, answer = _answered(client, person.choice(way.urls), body)
            waits.append(wait_ms)
            messages.append({"role": "assistant", "content": answer})
    return waits


def _answered(client: httpx.Client, url: str, body: Mapping[str, object]) -> tuple[float, str]:
    begin, first, said = time.perf_counter(), 0.0, []
    with client.stream("POST", url, json=body) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line.removeprefix("data: "))["choices"]:
                    if text := choice["delta"].get("content"):
                        first = first or time.perf_counter()
                        said.append(text)
    return 1000 * (first - begin), "".join(said)


def words(source: random.Random, count: int) -> str:
    """Return a text of so many tokens."""
    return "".join(source.choices(list(spoken()), k=count)).replace("Ġ", " ").strip()
