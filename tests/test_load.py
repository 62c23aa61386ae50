"""Loading: what people write becomes values, with the place of each."""

import os
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from infra.spec.endpoint import Endpoint, FineTune, Hourly, Purchase
from infra.spec.environment import MachinePrice, zone
from infra.spec.load import Loaded, load_stack, stack_names
from infra.spec.quantities import Duration, MemoryGib, write_duration, write_memory
from infra.spec.scalars import Surprise, read_plain
from infra.spec.stack import Position, Stack

ROOT = Path(__file__).parent.parent
ENVIRONMENT = """\
config:
  modelunits:environment:
    nodes: existing
    machines: {h20-8: {max: 4, memory: 1.5TiB}}
    teams: {search: {quota: {h20-8: 32}}}
"""
CHAT = """\
model: qwen3-32b
team: search
template: h20-single
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one stack, `dev`, that has no endpoints."""
    (tmp_path / "Pulumi.yaml").write_text("name: units\n")
    (tmp_path / "stacks/dev").mkdir(parents=True)
    (tmp_path / "stacks/prod").mkdir()
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text(ENVIRONMENT)
    return tmp_path


def _write(project: Path, name: str, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    (project / "stacks" / f"{name}.yaml").write_bytes(data)


def _stack(project: Path) -> Stack:
    loaded = load_stack(project, "dev")
    assert loaded.problems == ()
    assert loaded.stack is not None
    return loaded.stack


def _chat(project: Path, text: str) -> Endpoint:
    _write(project, "dev/chat", text)
    return _stack(project).endpoints[0].value


def _said(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in loaded.problems]


def test_a_stack_holds_project_environment_templates_and_endpoints(project: Path) -> None:
    """Everything that was written for a stack is there, by name."""
    _write(project, "dev/chat", CHAT)

    stack = _stack(project)

    assert (stack.project, stack.name, [e.name for e in stack.endpoints]) == ("units", "dev", ["chat"])
    assert stack.environment.value.machines["h20-8"].memory == 1536
    assert zone(stack.environment.value).key == "UTC"


@pytest.mark.parametrize("name", stack_names(ROOT))
def test_the_stacks_of_this_repository_load(name: str) -> None:
    """The stacks that come with Model Units have no problem."""
    assert load_stack(ROOT, name).problems == ()


def test_stacks_are_those_with_an_environment_file(project: Path) -> None:
    """A stack is known by its Pulumi file."""
    (project / "stacks/Pulumi.Bad Name.yaml").write_text("")

    assert stack_names(project) == ("dev",)


def test_quantities_dates_and_both_forms_of_a_model_are_read(project: Path) -> None:
    """Shorthand becomes numbers and dates; a fine-tune may stand for a model's name."""
    chat = _chat(
        project,
        """\
        model: {name: tuned, base: qwen3-32b, weights: "hf://acme/tuned@1f3c"}
        team: search
        template: h20-single
        units:
          purchases: [{id: one, units: 4, start: 2026-11-01, months: 3}]
          hourly: {max: 8}
        sleep_after: 1.5h
        headroom: 2
        engine_args: {max-model-len: 32768, enforce-eager: true, seed: "7", swap-space: 0.5}
        """,
    )

    assert FineTune(name="tuned", base="qwen3-32b", weights="hf://acme/tuned@1f3c") == chat.model
    assert (Purchase(id="one", units=4, start=date(2026, 11, 1), months=3),) == chat.units.purchases
    assert Hourly(min=0, max=8) == chat.units.hourly
    assert timedelta(minutes=90) == chat.sleep_after
    assert chat.engine_args == {"max-model-len": 32768, "enforce-eager": True, "seed": "7", "swap-space": 0.5}


def test_values_cannot_be_changed_and_can_be_hashed(project: Path) -> None:
    """A loaded endpoint is a value: it can be a key of a mapping."""
    chat = _chat(project, CHAT + "engine_args: {seed: 7}\n")

    assert {chat} == {Endpoint.model_validate(chat.model_dump())}
    with pytest.raises(TypeError):
        chat.engine_args["seed"] = 8  # type: ignore[index]


def test_prices_are_found_by_machine(project: Path) -> None:
    """An environment's price of a machine is its own; of others there is none."""
    prices = "    prices: {currency: EUR, h20-8: {hourly: 34.5, monthly: 15000}}\n"
    (project / "stacks/Pulumi.dev.yaml").write_text(ENVIRONMENT + prices)

    found = _stack(project).environment.value.prices

    assert MachinePrice(hourly=34.5, monthly=15000) == found.of("h20-8")
    assert found.of("h100-8") is None


def test_every_value_knows_where_it_was_written(project: Path) -> None:
    """A value's place is its own line and column; that of a value left out is its nearest ancestor's."""
    _write(project, "dev/chat", CHAT + "units:\n  hourly: {min: 0, max: 8}\n")

    source = _stack(project).endpoints[0].source

    file = "stacks/dev/chat.yaml"
    assert Position(file, 5, 25) == source.locate(("units", "hourly", "max"))
    assert Position(file, 5, 3) == source.locate(("units", "reserved"))
    assert Position(file, 1, 1) == source.locate(("tier",))


def test_an_endpoint_extends_another_field_by_field(project: Path) -> None:
    """A field replaces that whole field of the base; inherited ones keep their own places."""
    _write(project, "prod/chat", CHAT + "tier: fast\nunits: {reserved: 4, hourly: {max: 8}}\n")
    _write(project, "dev/chat", "extends: prod/chat\nunits: {reserved: 2}\n")

    chat = _stack(project).endpoints[0]

    assert (
        chat.value.model,
        chat.value.tier,
        chat.value.units.reserved,
        chat.value.units.hourly,
    ) == ("qwen3-32b", "fast", 2, None)
    assert Position("stacks/prod/chat.yaml", 4, 7) == chat.source.locate(("tier",))
    assert Position("stacks/dev/chat.yaml", 2, 8) == chat.source.locate(("units", "hourly"))


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        ("tier: fast", "slo: {ttft_ms: 900, tpot_ms: 20}", {"slo"}),
        ("slo: {ttft_ms: 900, tpot_ms: 20}", "tier: fast", {"tier"}),
        ("units: {reserved: 4, hourly: {max: 8}}", "throughput: {max: 9}", {"reserved", "throughput"}),
        ("throughput: {max: 9}", "units: {hourly: {max: 8}}", {"hourly"}),
        ("throughput: {max: 9}", "units: {reserved: 4}", {"reserved", "throughput"}),
        (
            "units: {hourly: {max: 8}}",
            "throughput: {max: 9}\nunits: {reserved: 4}",
            {"reserved", "throughput"},
        ),
        ("tier: fast", "tier: null", set()),
        ("sleep_after: 30m", "sleep_after: ~", set()),
    ],
)
def test_a_field_also_replaces_what_it_is_written_instead_of(
    project: Path, base: str, own: str, expected: set[str]
) -> None:
    """An slo replaces an inherited tier, throughput inherited hourly units, and null anything."""
    _write(project, "prod/chat", CHAT + base + "\n")

    chat = _chat(project, f"extends: prod/chat\n{own}\n")

    written = {
        "tier": chat.tier,
        "slo": chat.slo,
        "throughput": chat.throughput,
        "reserved": chat.units.reserved,
        "hourly": chat.units.hourly,
        "sleep_after": chat.sleep_after,
    }
    assert expected == {name for name, value in written.items() if value is not None}


def test_aliases_and_merge_keys_work_as_yaml_says(project: Path) -> None:
    """Written keys win over merged ones, and of merged mappings the first wins; places are the real ones."""
    text = """\
adapters:
  - &tone {name: tone, source: "s3://loras/tone", rank: 16}
  - {name: calm, <<: *tone}
  - <<: [{rank: 8}, *tone]
    name: loud
"""
    _write(project, "dev/chat", CHAT + text)

    chat = _stack(project).endpoints[0]

    found = [(adapter.name, adapter.source, adapter.rank) for adapter in chat.value.adapters]
    source = "s3://loras/tone"
    assert [("tone", source, 16), ("calm", source, 16), ("loud", source, 8)] == found
    assert Position("stacks/dev/chat.yaml", 5, 57) == chat.source.locate(("adapters", 1, "rank"))


def test_an_alias_is_placed_where_it_stands(project: Path) -> None:
    """A problem with an aliased value points to the alias, which its reader is looking at."""
    _write(project, "dev/chat", CHAT + "tier: &word fast\nheadroom: *word\n")

    assert _said(load_stack(project, "dev")) == [
        "stacks/dev/chat.yaml:5:11: headroom: must be a number, got 'fast' [schema]"
    ]


def test_a_document_may_be_marked_and_begin_with_a_byte_order_mark(project: Path) -> None:
    """`---`, `...`, Windows line ends and a UTF-8 byte order mark change nothing, places included."""
    _write(project, "dev/chat", b"\xef\xbb\xbf---\r\n" + CHAT.replace("\n", "\r\n").encode() + b"...\r\n")

    assert Position("stacks/dev/chat.yaml", 3, 7) == _stack(project).endpoints[0].source.locate(("team",))


def test_what_is_invalid_leaves_the_rest_usable(project: Path) -> None:
    """One endpoint's problems do not hide the others from the plan."""
    _write(project, "dev/bad", "model: 3\n")
    _write(project, "dev/chat", CHAT)

    loaded = load_stack(project, "dev")

    assert loaded.stack is not None
    assert [endpoint.name for endpoint in loaded.stack.endpoints] == ["chat"]


def test_a_document_that_only_lacks_its_base_is_left_out(project: Path) -> None:
    """An endpoint whose base is missing is never planned from its own fields alone."""
    _write(project, "dev/chat", CHAT + "extends: prod/gone\n")

    loaded = load_stack(project, "dev")

    assert loaded.stack is not None
    assert loaded.stack.endpoints == ()


@pytest.mark.parametrize("name", ["dve", "", "../dev", "dev\n", "a/b", "\udcff"])
def test_an_unknown_stack_is_a_problem(project: Path, name: str) -> None:
    """A stack that does not exist is said so, with those that do."""
    (said,) = _said(load_stack(project, name))

    assert "no such stack; allowed: dev" in said
    assert said.isprintable()


def test_there_may_be_no_endpoints_and_no_templates(project: Path) -> None:
    """A stack from which the last endpoint was removed still loads: its resources must go."""
    (project / "stacks/dev").rmdir()

    assert _stack(project).endpoints == ()


def test_a_project_file_is_needed(project: Path) -> None:
    """Without Pulumi.yaml there is no project, and no stack."""
    (project / "Pulumi.yaml").unlink()

    loaded = load_stack(project, "dev")

    assert loaded.stack is None
    assert _said(loaded) == ["Pulumi.yaml:1:1: cannot be read: No such file or directory [file]"]


def test_what_is_no_readable_file_is_a_problem(project: Path) -> None:
    """Folders, pipes, loops and links to nothing are named; none is waited for."""
    folder = project / "stacks/dev"
    (folder / "folder.yaml").mkdir()
    (folder / "gone.yaml").symlink_to("nowhere")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(folder / "pipe.yaml")

    assert _said(load_stack(project, "dev")) == [
        "stacks/dev/folder.yaml:1:1: is not a file [file]",
        "stacks/dev/gone.yaml:1:1: cannot be read: No such file or directory [file]",
        "stacks/dev/loop.yaml:1:1: cannot be read: Too many levels of symbolic links [file]",
        "stacks/dev/pipe.yaml:1:1: is not a file [file]",
    ]


def test_a_folder_that_cannot_be_listed_is_a_problem(project: Path) -> None:
    """A file in place of a folder is said so."""
    (project / "templates").write_text("")

    assert _said(load_stack(project, "dev")) == ["templates:1:1: cannot be read: Not a directory [file]"]


@pytest.mark.skipif(sys.platform == "darwin", reason="file names there are always Unicode")
def test_a_file_name_of_any_bytes_can_be_printed(project: Path) -> None:
    """A file name that is no text, or that would break the line, is shown escaped."""
    for name in (b"\xff.yaml", b"two\nlines.yaml"):
        (project / "stacks/dev" / os.fsdecode(name)).touch()

    said = _said(load_stack(project, "dev"))

    assert len(said) == 2
    assert all(line.isprintable() for line in said)


def test_a_large_file_is_refused_before_it_is_parsed(project: Path) -> None:
    """More than a megabyte is no spec, whatever it holds."""
    _write(project, "dev/chat", b"{" * (10 * 1024 * 1024))

    assert _said(load_stack(project, "dev")) == [
        "stacks/dev/chat.yaml:1:1: is 10,485,760 bytes long; at most 1,048,576 are read [file]"
    ]


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("[", "stacks/dev/chat.yaml:1:33: nested more than 32 levels deep [yaml]"),
        ("{a: ", "stacks/dev/chat.yaml:1:129: nested more than 32 levels deep [yaml]"),
        ("? ", "stacks/dev/chat.yaml:1:65: nested more than 32 levels deep [yaml]"),
        ("- ", "stacks/dev/chat.yaml:1:65: nested more than 32 levels deep [yaml]"),
    ],
)
def test_a_megabyte_of_brackets_is_a_located_problem(project: Path, opened: str, expected: str) -> None:
    """Nesting without end is refused at its 33rd level, without recursion."""
    _write(project, "dev/chat", opened * (1024 * 1024 // len(opened)))

    assert [expected] == _said(load_stack(project, "dev"))


@pytest.mark.parametrize(
    "text",
    [
        f"<<: [{'{},' * 300_000}]",
        f"a: &a {{{','.join(f'k{number}: 1' for number in range(9000))}}}\nb: {{<<: [{'*a,' * 9000}]}}\n",
        f"[{'[],' * 300_000}]",
        "a: 1\n" * 200_000,
        "?\n" * 500_000,
        f"{{{','.join(f'mode{number}: 1' for number in range(60_000))}}}",
    ],
    ids=["empty merges", "large merges", "lists", "duplicate keys", "empty keys", "unknown keys"],
)
def test_a_file_of_too_many_values_is_one_problem(project: Path, text: str) -> None:
    """Work ends with the 20,000th value, whatever kind of value it is."""
    _write(project, "dev/chat", text)

    (problem,) = load_stack(project, "dev").problems

    assert problem.message.startswith("holds more than 20,000 values")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("9" * 18, 10**18 - 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-1.", -1.0),
        ("1.5e+3", 1500.0),
        ("fast", "fast"),
        ("y", "y"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("1a", "1a"),
        ("2026-11-01", "2026-11-01"),
    ],
)
def test_plain_scalars_mean_what_all_versions_of_yaml_say(text: str, expected: object) -> None:
    """Where YAML 1.1 and 1.2 agree, a scalar is read; the kind of number counts too."""
    value = read_plain(text)

    assert (type(expected), expected) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "NO", "On", "off"),
        *("012", "-00", "0o14", "0b1", "0xFF", "1_000", "9" * 19),
        *("12:30", "1:2.5", "1e3", ".5E2", "1.0e+999", ".inf", "-.INF", ".NaN"),
        "",
    ],
)
def test_plain_scalars_that_surprise_are_refused(text: str) -> None:
    """Where programs disagree, or JSON has no such number, nothing is guessed."""
    assert isinstance(read_plain(text), Surprise)


@given(st.integers(1, 365 * 86400))
def test_durations_survive_being_written(seconds: int) -> None:
    """Written and read again, a duration is the same."""
    written = write_duration(timedelta(seconds=seconds))

    assert timedelta(seconds=seconds) == TypeAdapter(Duration).validate_python(written)


@given(st.integers(1, 2**30))
def test_amounts_of_memory_survive_being_written(mebibytes: int) -> None:
    """Written and read again, an amount of memory is the same."""
    gib = mebibytes / 1024

    assert gib == TypeAdapter(MemoryGib).validate_python(write_memory(gib))


@pytest.mark.parametrize("name", stack_names(ROOT))
def test_specs_survive_being_written(name: str) -> None:
    """Every spec of this repository, written as JSON and read again, is the same."""
    stack = load_stack(ROOT, name).stack
    assert stack is not None

    for written in (stack.environment, *stack.templates.values(), *stack.endpoints):
        assert written.value == type(written.value).model_validate_json(written.value.model_dump_json())


def test_a_thousand_files_load_in_the_order_of_their_names(project: Path) -> None:
    """Neither the order of the disk nor the number of files changes the outcome."""
    names = [f"e{number:04}" for number in range(1000)]
    for name in reversed(names):
        _write(project, f"dev/{name}", "extends: prod/base\n")
    _write(project, "prod/base", CHAT)

    assert names == [endpoint.name for endpoint in _stack(project).endpoints]
