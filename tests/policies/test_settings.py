"""What the policy pack and `modelunits check` read of a stack: levels, exemptions, the day, metric names."""

import json
from datetime import date
from pathlib import Path

import pytest

from infra.catalog.load import load_catalog
from infra.render.gateway import metrics
from policies.engine_metrics import GATEWAY_METRICS, VLLM_METRICS, VLLM_VERSION
from policies.exemptions import WrittenExemption, exemptions_of
from policies.levels import LevelsError, levels_from_config, levels_from_text
from policies.promql import metric_names
from policies.reading import at
from policies.reference import rules_page
from policies.registry import RULES
from policies.settings import SettingsError, StackSettings, stack_settings

TODAY = date(2026, 11, 21)
EXEMPTION = {
    "rule": "unit-step",
    "endpoint": "chat",
    "reason": "migration",
    "owner": "a.lee",
    "until": "2026-12-31",
}


def test_levels_are_written_as_words_or_objects() -> None:
    """Both of Pulumi's forms give a level, and `remediate` is mandatory because no rule rewrites anything."""
    document = {
        "unit-step": "advisory",
        "isolation": {"enforcementLevel": "disabled"},
        "lora-fit": "remediate",
    }

    expected = {"unit-step": "advisory", "isolation": "disabled", "lora-fit": "mandatory"}
    assert expected == levels_from_config(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON: "),
        ("[" * 100_000, "cannot be read as JSON: maximum recursion depth"),
        ('{"isolation": "mandatory", "isolation": "disabled"}', "isolation: is there twice"),
    ],
)
def test_text_that_is_no_levels_is_refused(text: str, message: str) -> None:
    """A file that is broken, or that says two things, is never taken for one of them."""
    with pytest.raises(LevelsError, match=f"^{message}"):
        levels_from_text(text)


def test_all_levels_every_rule_that_is_not_named() -> None:
    """`all` is for the rules that the document does not name."""
    levels = levels_from_config({"all": "advisory", "unit-step": "mandatory"})

    assert {rule.name for rule in RULES} == levels.keys()
    assert [name for name, level in levels.items() if level != "advisory"] == ["unit-step"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object from rule names to levels"),
        ({"unit-stpe": "advisory"}, "unit-stpe: no such rule; allowed: all, autoscaled-without-replicas"),
        ({"unit-stpe": "advisory"}, "did you mean unit-step?"),
        (
            {"unit-step": "advise"},
            "unit-step: allowed: advisory, disabled, mandatory; did you mean advisory?",
        ),
        ({"unit-step": 3}, "unit-step: allowed: advisory, disabled, mandatory"),
        ({"unit-step": {}}, "unit-step: allowed: advisory, disabled, mandatory"),
    ],
)
def test_levels_that_cannot_be_used(document: object, message: str) -> None:
    """A wrong level names the rule and what is allowed."""
    with pytest.raises(LevelsError) as refused:
        levels_from_config(document)

    assert message in str(refused.value)


OURS = {"modelunits:environment": "{}"}


def _settings(configuration: dict[str, str], folder: Path = Path("nowhere")) -> StackSettings:
    return stack_settings("dev", configuration, levels_folder=folder, today=TODAY)


def test_levels_of_a_stack_are_in_its_file(tmp_path: Path) -> None:
    """A stack's file is named after it; a stack without one has no levels of its own."""
    (tmp_path / "dev.json").write_text('{"unit-step": "advisory"}')

    assert _settings(OURS, tmp_path).levels == {"unit-step": "advisory"}
    assert stack_settings("prod", OURS, levels_folder=tmp_path, today=TODAY).levels == {}


def test_stack_of_another_program_has_no_levels(tmp_path: Path) -> None:
    """Another program's stack of the same name gets every rule at its full weight."""
    (tmp_path / "dev.json").write_text('{"all": "disabled"}')

    assert _settings({}, tmp_path).levels == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "policies/config/dev.json: cannot be read as JSON: Expecting property name"),
        ('{"unit-stpe": "advisory"}', "policies/config/dev.json: unit-stpe: no such rule"),
    ],
)
def test_levels_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A file of levels with a mistake names itself, instead of leaving rules at other levels than meant."""
    (tmp_path / "dev.json").write_text(text)

    with pytest.raises(SettingsError) as refused:
        _settings(OURS, tmp_path)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("configuration", [{}, {"modelunits:as-of": ""}, {"other:as-of": "2027-01-01"}])
def test_day_is_today_unless_written(configuration: dict[str, str]) -> None:
    """Without a day of its own a stack is judged by today's."""
    assert _settings(configuration).as_of == TODAY


def test_day_may_be_written() -> None:
    """A stack may be judged by another day."""
    assert date(2027, 1, 1) == _settings({"modelunits:as-of": "2027-01-01"}).as_of


def test_day_that_is_none_is_refused() -> None:
    """A word in the place of a day is not read as today."""
    with pytest.raises(SettingsError, match=r"must be a day such as 2026-12-31, got soon"):
        _settings({"modelunits:as-of": "soon"})


@pytest.mark.parametrize("environment", ["[]", "{}", "7", "no JSON {"])
def test_environment_without_exemptions(environment: str) -> None:
    """The program says what is wrong with an environment; the pack only finds no exemptions in it."""
    assert _settings({"modelunits:environment": environment}).exemptions == ()


def test_exemptions_are_those_of_the_environment() -> None:
    """Pulumi hands the environment over as JSON, in which a day may have become a timestamp."""
    written = {"exemptions": [{**EXEMPTION, "until": "2026-12-31T00:00:00Z"}]}

    (exemption,) = _settings({"modelunits:environment": json.dumps(written)}).exemptions

    assert WrittenExemption(**{**EXEMPTION, "until": date(2026, 12, 31)}) == exemption  # type: ignore[arg-type]


@pytest.mark.parametrize("key", EXEMPTION)
@pytest.mark.parametrize("value", [None, "", 7])
def test_incomplete_exemption_exempts_nothing(key: str, value: object) -> None:
    """Without rule, endpoint, reason, owner or end there is no exemption."""
    complete = WrittenExemption(**{**EXEMPTION, "until": date(2026, 12, 31)})  # type: ignore[arg-type]

    assert [complete] == list(exemptions_of({"exemptions": [EXEMPTION, {**EXEMPTION, key: value}]}))


def test_metrics_are_those_of_the_catalog() -> None:
    """The pack's own list of metric names equals the catalog's for the pinned engine.

    Regenerate policies/metrics.json from infra/catalog/engines/ when this fails.
    """
    engine = next(engine for engine in load_catalog().engines.values() if engine.version == VLLM_VERSION)

    assert set(engine.metrics) == VLLM_METRICS


def test_metrics_of_the_gateway_are_those_that_it_reports() -> None:
    """Every metric that our files name for dashboards and scalers is in the pack's list."""
    named = {
        value for value in vars(metrics).values() if isinstance(value, str) and value.startswith("envoy_")
    }

    assert named
    assert named <= GATEWAY_METRICS


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("up", ["up"]),
        ('sum by (pod) (rate(a:b_total{x="c", y=~"d{2}"}[5m] offset 1h)) > bool 1e3', ["a:b_total"]),
        ("sum(a) by (le) + on (pod) group_left (node) b or vector(0)", ["a", "b"]),
        ("a # and b\n and c unless d", ["a", "c", "d"]),
        ('label_replace(a, "b", "$1", "c", `d(.*)`)', ["a"]),
        ('{__name__="a", job="b"} / 0x1F', ["a"]),
        ("max_over_time(a[30m:1m] @ end()) ^ Inf", ["a"]),
        ("", []),
    ],
)
def test_metric_names_of_a_query(query: str, names: list[str]) -> None:
    """Functions, keywords, labels, strings, units and comments are no metrics."""
    assert names == list(metric_names(query))


def test_reference_has_every_rule() -> None:
    """Each rule has a row and a section with its docstring, what it judges and the remedy."""
    page = rules_page()

    for rule in RULES:
        assert f"| [{rule.name}](#{rule.name}) | {rule.description} | {rule.severity} |\n" in page
        assert f"## {rule.name}\n\n{rule.doc.strip()}\n\n**Judges:** " in page
        assert f"**Remedy:** {rule.remediation}\n" in page


@pytest.mark.parametrize(
    ("path", "found"), [((), {"a": [1]}), (("a", 0), 1), (("a", 1), None), (("a", "b"), None), ((0,), None)]
)
def test_reading_beside_the_data_finds_nothing(path: tuple[str | int, ...], found: object) -> None:
    """A path that leads nowhere is None, whatever stands there."""
    assert found == at({"a": [1]}, *path)
