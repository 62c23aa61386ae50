"""Whatever happens to a file, the outcome is a plan or located problems, never another exception."""

import random
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from infra.catalog.load import load_catalog
from infra.plan.make import make_plan
from infra.problems import Problem
from infra.spec.load import load_stack

ROOT = Path(__file__).parent.parent
CATALOG = load_catalog()
AS_OF = date(2026, 11, 15)
PROJECT = (
    "Pulumi.yaml",
    "stacks/Pulumi.prod.yaml",
    "stacks/dev/chat.yaml",
    "stacks/prod/agent.yaml",
    "stacks/prod/chat.yaml",
    "stacks/prod/support.yaml",
    "templates/h100-single.yaml",
    "templates/h20-h200-pd.yaml",
    "templates/h20-single.yaml",
)
"""A part of this repository that uses every kind of file and most fields."""

MODELS = ("gpt-oss-20b", "qwen3-32b", "qwen3-32b-fp8", "qwen3-235b-a22b-fp8")
OTHER_MODELS = re.compile(
    rf"^  (?!(?:{'|'.join(map(re.escape, MODELS))}):)[\w.-]+:\n(?:    .*\n)+", re.MULTILINE
)
"""Their figures are most of a template, and of the time that it takes to read one."""

LINE_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
BYTES = b"\x00\x07\t\r\n\x80\xc3\xff\xfe'\"#&*!|>%@`{}[],:?-~<=. 0aZ"
TOKENS = (
    *(
        "yes",
        "no",
        "012",
        "0o14",
        "12:30",
        "1_000",
        ".inf",
        ".nan",
        "-0",
        "1e9",
        "9" * 30,
        "1" * 5000,
        "~",
        "",
    ),
    *(
        "2026-02-30",
        "2026-11-01",
        "0001-01-01",
        "9999-12-31",
        "30m",
        "1.5TiB",
        "999999999d",
        "0s",
        "-1",
        "0.1",
    ),
    *(
        "&a",
        "*a",
        "<<: *a",
        "<<: {a: 1}",
        "!!python/object:os.system",
        "!x",
        "---",
        "...",
        "%YAML 1.2",
        "? ",
        "- ",
    ),
    *(
        "[" * 40,
        "{" * 40,
        '"\\ud800"',
        '"\\u0000"',
        "\u2028",
        "\ufeff",
        "\U0001f600",
        "é",
        "extends: dev/chat\n",
    ),
    *(
        "extends: prod/support\n",
        "model: x\n",
        "tier: fast\n",
        "units: {reserved: 100000}\n",
        "a: {b: {c: 1}}\n",
    ),
)
VALUES = (
    *(
        None,
        True,
        -1,
        0,
        1,
        7,
        100_000,
        2**40,
        0.5,
        1e-9,
        1e300,
        "",
        "a",
        "x" * 64,
        "Two Words",
        "fast",
        "balanced",
    ),
    *(
        "h20-8",
        "h20-single",
        "h20-h200-pd",
        "qwen3-32b",
        "search",
        "30m",
        "2TiB",
        "dev/chat",
        "serve",
        "single",
    ),
    *(
        date(1, 1, 1),
        date(9999, 12, 31),
        date(2026, 11, 1),
        [],
        {},
        [1],
        ["a", "a"],
        {"a": 1},
        {"min": 9, "max": 3},
    ),
)

Mutation = Callable[[random.Random, bytes], bytes]


def _changed_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.choice(BYTES)]) + data[at + rng.randrange(2) :]


def _moved_part(rng: random.Random, data: bytes) -> bytes:
    start, end, to = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return rng.choice(
        (data[:start] + data[end:], data[:end] + data[start:], data[:to] + data[start:end] + data[to:])
    )


def _token(rng: random.Random, data: bytes) -> bytes:
    places = [match.start() for match in re.finditer(rb"\b|$", data)]
    at = rng.choice(places)
    return data[:at] + rng.choice(TOKENS).encode() + data[rng.choice((at, min(at + 4, len(data)))) :]


def _shuffled_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    line = rng.randrange(len(lines))
    indent = b" " * rng.randrange(5)
    return b"".join(
        rng.choice(
            (
                [*lines[:line], *lines[line + 1 :]],
                [*lines[: line + 1], *lines[line:]],
                [*lines[:line], indent + lines[line].lstrip(), *lines[line + 1 :]],
                sorted(lines, key=lambda _: rng.random()),
            )
        )
    )


def _other_value(rng: random.Random, data: bytes) -> bytes:
    """Change the tree instead of the text: a value, a key, or a key too many or too few."""
    try:
        tree = yaml.load(data, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, UnicodeError):
        return data
    places = [
        (tree, key)
        for tree in _containers(tree)
        for key in (tree if isinstance(tree, dict) else range(len(tree)))
    ]
    if not places:
        return data
    container, key = rng.choice(places)
    match rng.randrange(4):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[rng.choice(VALUES[11:26])] = container.pop(key)
        case 2 if isinstance(container, list):
            container.append(container[key])
        case _:
            container[key] = rng.choice(VALUES)
    style = rng.choice((True, False, None))
    return yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=style).encode()


def _containers(tree: object) -> list[dict | list]:
    if not isinstance(tree, (dict, list)):
        return []
    children = tree.values() if isinstance(tree, dict) else tree
    return [*([tree] if tree else []), *(found for child in children for found in _containers(child))]


MUTATIONS: tuple[Mutation, ...] = (
    *(_changed_byte, _moved_part, _token, _shuffled_lines),
    *(_other_value, _other_value, _other_value, _other_value),
)
"""Half of all mutations change the tree: they reach the plan more often."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of a part of this repository."""
    root = tmp_path_factory.mktemp("project")
    for file in PROJECT:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / file).read_text()
        (root / file).write_text(OTHER_MODELS.sub("", text) if file.startswith("templates/") else text)
    return root


def _mistakes_in(root: Path, problem: Problem) -> str | None:
    """Return what is wrong with a problem, or None: it is one line, and its place exists."""
    if not problem.message or not str(problem).isprintable():
        return "is not one printable line"
    lines = LINE_BREAK.split((root / problem.file).read_bytes().decode("utf-8-sig", "replace"))
    if not 1 <= problem.line <= len(lines) + 1:
        return f"there are {len(lines)} lines"
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    return None if 1 <= problem.column <= len(line) + 1 else f"the line has {len(line)} characters"


def _outcome(root: Path) -> str:
    loaded = load_stack(root, "prod")
    problems = loaded.problems
    planned = None
    if loaded.stack is not None:
        planned = make_plan(loaded.stack, CATALOG, AS_OF)
        problems += planned.problems
    for problem in problems:
        assert _mistakes_in(root, problem) is None, f"{problem}: {_mistakes_in(root, problem)}"
    assert problems or planned is not None
    return "problems" if problems else "plan"


def _fuzz(root: Path, seeds: range) -> dict[str, int]:
    """Mutate one file for each seed; return how often there was a plan, and how often problems."""
    counts = {"plan": 0, "problems": 0}
    for seed in seeds:
        rng = random.Random(seed)
        file = root / rng.choice(PROJECT)
        valid = file.read_bytes()
        data = valid
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = rng.choice(MUTATIONS)(rng, data)
        file.write_bytes(data)
        try:
            counts[_outcome(root)] += 1
        except Exception as error:
            error.add_note(f"seed {seed}, {file.relative_to(root)}:\n{data!r}")
            raise
        finally:
            file.write_bytes(valid)
    return counts


def test_a_sample_of_mutations_gives_a_plan_or_located_problems(project: Path) -> None:
    """300 mutations, on every run of the checks."""
    counts = _fuzz(project, range(300))

    assert sum(counts.values()) == 300
    assert min(counts.values()) > 30


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_ten_thousand_mutations_give_a_plan_or_located_problems(project: Path, chunk: int) -> None:
    """10,000 mutations in twenty parts, which can run beside each other."""
    counts = _fuzz(project, range(1000 + 500 * chunk, 1500 + 500 * chunk))

    assert sum(counts.values()) == 500
