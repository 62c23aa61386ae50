"""The JSON Schemas that editors read: generated, complete, and of one mind with the models."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from jsonschema import Draft7Validator
from pydantic import ValidationError
from typer.testing import CliRunner

from infra.spec.base import PATTERN_WORDS, Spec
from infra.spec.base import Path as Path_
from infra.spec.document import Json, value_at
from infra.spec.endpoint import Endpoint
from infra.spec.environment import ENVIRONMENT, Environment
from infra.spec.quantities import DURATION, MEMORY
from infra.spec.schemas import SCHEMAS, schema_texts
from infra.spec.template import Template

ROOT = Path(__file__).parent.parent
FILES = sorted((*ROOT.glob("stacks/**/*.yaml"), *ROOT.glob("templates/*.yaml")))
HEADER = "# yaml-language-server: $schema="


def _kind(file: Path) -> str:
    if file.parent.name == "templates":
        return "template"
    return "environment" if file.name.startswith("Pulumi.") else "endpoint"


class _Json(yaml.SafeLoader):
    """YAML as an editor reads it: dates stay text."""


_Json.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _errors(kind: str, text: str) -> list[str]:
    validator = Draft7Validator(SCHEMAS[kind](), format_checker=Draft7Validator.FORMAT_CHECKER)
    tree = yaml.load(text, Loader=_Json)
    return [error.message for error in validator.iter_errors(tree)]


@pytest.mark.parametrize("name", schema_texts())
def test_committed_schemas_are_the_generated_ones(name: str) -> None:
    """A change of a model changes its schema in the same commit; `make schemas` writes it."""
    assert schema_texts()[name] == (ROOT / "schemas" / name).read_text(encoding="utf-8")


def test_the_command_writes_what_is_stale_and_only_that(tmp_path: Path) -> None:
    """`modelunits schemas` writes files; with --check it fails where one is stale, and writes nothing."""
    from infra.cli.schemas import schemas

    app = typer.Typer()
    app.command()(schemas)
    (tmp_path / "Pulumi.yaml").touch()
    root = ["--root", str(tmp_path)]

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*root, *arguments])
        return result.exit_code, result.output

    stale = "modelunits: schemas/endpoint.json is stale; run `make schemas`\n"
    written = "".join(f"wrote schemas/{name}\n" for name in schema_texts())
    assert (1, stale) == run("--check")
    assert (0, written) == run()
    assert run("--check") == (0, "")
    assert schema_texts() == {file.name: file.read_text() for file in (tmp_path / "schemas").iterdir()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name: str) -> None:
    """Each is valid by its own draft, and says what it is of."""
    schema = SCHEMAS[name]()

    Draft7Validator.check_schema(schema)
    assert f"Model Units {name}" == schema["title"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_names_its_schema_and_follows_it(file: Path) -> None:
    """An editor finds the schema from the file's first line, and has nothing to complain of."""
    text = file.read_text(encoding="utf-8")
    first = text.splitlines()[0]

    assert first.startswith(HEADER)
    assert ROOT / "schemas" / f"{_kind(file)}.json" == (file.parent / first.removeprefix(HEADER)).resolve()
    assert _errors(_kind(file), text) == []


def _properties(
    schema: object, definitions: dict[str, object], path: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every property of a schema, with the keys of what it refers to."""
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            target = definitions.get(str(value.get("$ref", "")).removeprefix("#/$defs/"), {})
            assert isinstance(target, dict)
            yield f"{path}.{name}", target | value
        for name, value in schema.get("$defs", {}).items():
            yield from _properties(value, definitions, name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_says_what_it_means(name: str) -> None:
    """An editor has something to show over every key."""
    schema = SCHEMAS[name]()
    found = dict(_properties(schema, dict(schema["$defs"]), name))  # type: ignore[call-overload]

    assert len(found) > 20
    assert [path for path, value in found.items() if not value.get("description")] == []


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        for value in schema.values():
            yield from _patterns(value)
    if isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)


def test_every_pattern_has_words() -> None:
    """Nobody has to read a regular expression to learn what a name may be."""
    schemas = [schema() for schema in SCHEMAS.values()]
    said_elsewhere = {DURATION, MEMORY, "^modelunits:"}

    assert set(PATTERN_WORDS) == set(_patterns(schemas)) - said_elsewhere


MODELS: dict[str, type[Spec]] = {"endpoint": Endpoint, "template": Template, "environment": Environment}
SAMPLES = {
    "endpoint": """\
model: {name: support-ft, base: qwen3-32b, weights: "s3://models/support-ft"}
team: search
template: h20-single
tier: fast
units: {reserved: 4, hourly: {min: 0, max: 8}}
sleep_after: 30m
headroom: 1.2
adapters: [{name: tone, source: "s3://loras/tone", rank: 16}]
features: {structured_output: false}
moderation: {enabled: false, reason: internal evaluation, confirmed_by: a.lee}
limits: {concurrency: 64, queue: 10, per_key: {requests_per_minute: 6}}
engine_args: {max-model-len: 32768}
""",
    "template": """\
description: Prefill on H20, decode on H200.
shape: prefill-decode
engine: {name: vllm, version: 0.32.0, image: "vllm/vllm-openai:v0.32.0"}
roles:
  prefill: {machine: h20-8, count: 3, tensor_parallel: 2}
  decode: {machine: h200-8, args: {max-num-seqs: 256}}
kv_transfer: {connector: NixlConnector}
router: {image: "vllm/vllm-router:v0.1.17"}
startup_timeout: 90m
unsupported_features: [responses_api]
default_tier: balanced
performance:
  qwen3-32b:
    balanced: {ttft_ms: 1600, tpot_ms: 35, concurrency: 48, tps: 11800, label: estimated, source: fit}
""",
    "environment": """\
config:
  modelunits:environment:
    cluster: {context: prod-gpu}
    nodes: karpenter
    time_zone: Asia/Shanghai
    machines: {h20-8: {node_class: {group: g, kind: K, name: n}, instance_types: [a], reserved: 4, max: 20}}
    teams: {search: {quota: {h20-8: 24}}}
    prices: {currency: USD, h20-8: {hourly: 34.0, monthly: 15000}}
    gateway:
      {image: "r:1", host: llm.example.com, tls: {issuer: {name: n}}}
    moderation:
      {words: [bad], patterns: [worse], url: "http://moderator:9000", guard: {endpoint: guard}, timeout: 5s}
    exemptions: [{rule: a, endpoint: b, reason: long enough, owner: a.lee, until: 2026-12-31}]
""",
}
REPLACEMENTS: tuple[Json, ...] = (
    None,
    True,
    -1,
    0,
    2.5,
    10**9,
    "",
    "Two Words",
    "plain",
    [],
    [1],
    {},
    {"a": 1},
)
NOT_IN_SCHEMAS = {
    ("default_tier",): "which tiers there are is written elsewhere in the file",
    ("performance", "qwen3-32b"): "which tier is the default is written elsewhere in the file",
    ("performance", "qwen3-32b", "balanced"): "the same",
    ("machines", "h20-8", "max"): "a schema does not compare it with reserved",
    ("time_zone",): "time zones are too many to list",
}
"""What only the loader judges, and why."""


def _places(tree: Json, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    if isinstance(tree, (dict, list)):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from _places(tree[key], (*path, key))  # type: ignore[index, call-overload]


def _with(tree: Json, path: Path_, value: Json) -> Json:
    """Return a tree with the value at a path replaced."""
    if not path:
        return value
    changed = copy.copy(tree)
    changed[path[0]] = _with(changed[path[0]], path[1:], value)  # type: ignore[index, call-overload]
    return changed


def _variants(tree: Json) -> Iterator[tuple[Path_, Json]]:
    """Yield a tree with each of its values replaced, each key left out, each mapping with a key too many."""
    for path in _places(tree):
        here = value_at(tree, path)
        for value in REPLACEMENTS:
            yield path, _with(tree, path, value)
        if isinstance(here, dict):
            yield path, _with(tree, path, here | {"surplus key": 1})
            for key in here:
                yield (*path, key), _with(tree, path, {k: v for k, v in here.items() if k != key})


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schemas_and_models_agree(kind: str) -> None:
    """What an editor marks is what the loader refuses, for every value of a file replaced or left out."""
    validator = Draft7Validator(SCHEMAS[kind](), format_checker=Draft7Validator.FORMAT_CHECKER)
    tree = yaml.load(SAMPLES[kind], Loader=_Json)
    inside = ("config", ENVIRONMENT) if kind == "environment" else ()
    differences = []
    count = 0
    for path, variant in _variants(value_at(tree, inside)):
        count += 1
        by_schema = validator.is_valid(_with(tree, inside, variant))
        by_model = _is_valid(MODELS[kind], variant)
        if by_schema != by_model and path not in NOT_IN_SCHEMAS:
            differences.append((path, value_at(variant, path), f"schema {by_schema}, model {by_model}"))

    assert count > 400
    assert differences == []


def _is_valid(model: type[Spec], tree: Json) -> bool:
    try:
        model.model_validate_json(json.dumps(tree))
    except ValidationError:
        return False
    return True
