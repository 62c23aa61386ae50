"""The policy pack, as a process and from inside."""

import json
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.protobuf import empty_pb2
from pack_process import PACK, registered, request, serving, urn
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, UNKNOWN_STRING_VALUE
from rule_cases import Case, cases

from infra.names import ENDPOINT
from policies import pack
from policies.analyzer import NAME, RuleAnalyzer
from policies.registry import RULES
from policies.rule import Rule
from policies.settings import stack_settings

TODAY = date(2026, 11, 21)
NO_CONTEXT = cast("grpc.ServicerContext", None)
NAMESPACE = "kubernetes:core/v1:Namespace"
UNITS = {"reserved": 3, "hourly_min": 0, "hourly_max": 8, "min": 3, "max": 11}
MESSAGE = (
    "Units are bought and scaled in whole steps of the template.\n"
    "endpoint chat: units.reserved: must be a multiple of the step 4 (nearest: 0 or 4), got 3"
)


def _endpoint(**changed: object) -> analyzer_pb2.AnalyzeRequest:
    """Return an endpoint whose reserved units are off the step, and nothing else."""
    properties = {
        "name": "chat",
        "template": "h20-single",
        "model": "qwen3-32b",
        "step": 4,
        "units": UNITS,
        "throughput": None,
        "purchases": [],
        "sleep_after_seconds": None,
        "roles": [],
        "features": [],
        "unsupported_features": [],
        "moderation": {"enabled": True, "judges": ["url"]},
        "adapters": [],
        "engine_args": [],
        **changed,
    }
    return request(ENDPOINT, "chat", properties)


def _analyzer(as_of: date = TODAY, levels_folder: Path = PACK / "config") -> RuleAnalyzer:
    settings_of = partial(stack_settings, levels_folder=levels_folder, today=as_of)
    policies = pack.policies_of(RULES)
    return RuleAnalyzer(NAME, "0.0.1", policies, EnforcementLevel.ADVISORY, settings_of=settings_of)


def _stack(configuration: Mapping[str, str]) -> analyzer_pb2.AnalyzerStackConfigureRequest:
    return analyzer_pb2.AnalyzerStackConfigureRequest(
        project="modelunits", stack="dev", config=dict(configuration)
    )


def _levels(**levels: int) -> analyzer_pb2.ConfigureAnalyzerRequest:
    return analyzer_pb2.ConfigureAnalyzerRequest(
        policyConfig={
            name.replace("_", "-"): analyzer_pb2.PolicyConfig(enforcementLevel=level)  # type: ignore[arg-type]
            for name, level in levels.items()
        }
    )


def _said(response: analyzer_pb2.AnalyzeResponse) -> list[tuple[str, int, str]]:
    return [(one.policyName, one.enforcementLevel, one.message) for one in response.diagnostics]


def test_process_answers_the_engine() -> None:
    """The pack starts, names every rule, and judges with the stack's day and exemptions."""
    exemption = {
        "rule": "unit-step",
        "endpoint": "chat",
        "reason": "migration",
        "owner": "a.lee",
        "until": "2026-12-31",
    }
    environment = json.dumps({"exemptions": [exemption]})
    configuration = {"modelunits:environment": environment, "modelunits:as-of": "2026-12-31"}
    with serving() as engine:
        engine.ConfigureStack(_stack(configuration), timeout=60)
        info = engine.GetAnalyzerInfo(empty_pb2.Empty(), timeout=60)
        engine.Configure(_levels(unit_step=analyzer_pb2.MANDATORY), timeout=60)
        exempted = engine.Analyze(_endpoint(), timeout=60)
        remediated = engine.Remediate(_endpoint(), timeout=60)
        engine.ConfigureStack(_stack({**configuration, "modelunits:as-of": "2027-01-01"}), timeout=60)
        lapsed = engine.Analyze(_endpoint(), timeout=60)

    assert [rule.name for rule in RULES] == [policy.name for policy in info.policies]
    assert {analyzer_pb2.MANDATORY} == {policy.enforcementLevel for policy in info.policies}
    assert all(policy.remediation_steps and policy.url and policy.severity for policy in info.policies)
    terms = "until 2026-12-31 by a.lee: migration)"
    assert [("unit-step", analyzer_pb2.ADVISORY, f"{MESSAGE} (exempted {terms}")] == _said(exempted)
    assert [("unit-step", analyzer_pb2.MANDATORY, f"{MESSAGE} (its exemption lapsed: {terms}")] == _said(
        lapsed
    )
    assert analyzer_pb2.RemediateResponse() == remediated


def test_process_refuses_settings_that_it_cannot_read() -> None:
    """A day that is none stops the deployment instead of being judged by another day."""
    with serving() as engine, pytest.raises(grpc.RpcError) as refused:
        engine.ConfigureStack(_stack({"modelunits:as-of": "soon"}), timeout=60)

    error = cast("grpc.Call", refused.value)
    assert grpc.StatusCode.INVALID_ARGUMENT == error.code()
    assert error.details() == "modelunits:as-of: must be a day such as 2026-12-31, got soon"


def test_levels_are_those_of_the_stacks_file(tmp_path: Path) -> None:
    """The engine is told the levels that `modelunits check` reads, and may be told others."""
    (tmp_path / "dev.json").write_text('{"unit-step": "advisory", "isolation": "disabled"}')
    analyzer = _analyzer(levels_folder=tmp_path)
    analyzer.ConfigureStack(_stack({"modelunits:environment": "{}"}), NO_CONTEXT)

    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty(), NO_CONTEXT)
    by_file = _said(analyzer.Analyze(_endpoint(), NO_CONTEXT))
    analyzer.Configure(_levels(unit_step=analyzer_pb2.MANDATORY), NO_CONTEXT)
    by_engine = _said(analyzer.Analyze(_endpoint(), NO_CONTEXT))

    expected = {"unit-step": analyzer_pb2.ADVISORY, "isolation": analyzer_pb2.DISABLED}
    assert expected == {name: config.enforcementLevel for name, config in info.initialConfig.items()}
    assert [("unit-step", analyzer_pb2.ADVISORY, MESSAGE)] == by_file
    assert [("unit-step", analyzer_pb2.MANDATORY, MESSAGE)] == by_engine


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_pack_says_what_the_judge_says(rule: Rule) -> None:
    """Over the wire every case has the same messages as in `modelunits check`."""
    for case in (case for case in cases() if case.rule is rule):
        assert sorted(case.says) == sorted(_over_the_wire(case)), case.title


def _over_the_wire(case: Case) -> list[str]:
    analyzer = _analyzer(case.as_of)
    others = {rule.name.replace("-", "_"): analyzer_pb2.DISABLED for rule in RULES if rule is not case.rule}
    analyzer.Configure(_levels(**others), NO_CONTEXT)
    said = [
        one
        for resource in case.resources
        for one in _said(analyzer.Analyze(request(resource.type, resource.name, resource.props), NO_CONTEXT))
    ]
    everything = [registered(resource.type, resource.name, resource.props) for resource in case.resources]
    said += _said(analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=everything), NO_CONTEXT))
    return [message.removeprefix(f"{case.rule.description}\n") for _, _, message in said]


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        (analyzer_pb2.ADVISORY, analyzer_pb2.ADVISORY),
        (analyzer_pb2.MANDATORY, analyzer_pb2.MANDATORY),
        (analyzer_pb2.REMEDIATE, analyzer_pb2.MANDATORY),
    ],
)
def test_levels_weigh_violations(given: int, weight: int) -> None:
    """A rule weighs what the engine says; there is nothing to remediate, so that is mandatory."""
    analyzer = _analyzer()
    analyzer.Configure(_levels(unit_step=given), NO_CONTEXT)

    assert [("unit-step", weight, MESSAGE)] == _said(analyzer.Analyze(_endpoint(), NO_CONTEXT))


def test_disabled_rule_is_silent() -> None:
    """A disabled rule judges nothing."""
    analyzer = _analyzer()
    analyzer.Configure(_levels(unit_step=analyzer_pb2.DISABLED), NO_CONTEXT)

    assert _said(analyzer.Analyze(_endpoint(), None)) == []  # type: ignore[arg-type]


def test_resource_of_no_rule_is_not_even_read() -> None:
    """What no rule judges, such as a Secret, passes without a look at its properties."""
    unread = analyzer_pb2.AnalyzeRequest(type="kubernetes:core/v1:Secret", name="keys")
    unread.properties.update({SPECIAL_SIG_KEY: "no such signature"})

    assert _said(_analyzer().Analyze(unread, NO_CONTEXT)) == []


def test_secret_values_are_judged_and_assets_are_not() -> None:
    """A secret is what is in it; an asset is nothing that a rule could judge."""
    secret = {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": 4}
    asset = {SPECIAL_SIG_KEY: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}

    response = _analyzer().Analyze(_endpoint(step=secret, sleep_after_seconds=asset), NO_CONTEXT)

    assert [("unit-step", analyzer_pb2.MANDATORY, MESSAGE)] == _said(response)


def test_unknown_value_is_advice_until_the_update() -> None:
    """A rule that meets a value unknown at preview says so as advice; rules that do not meet it judge."""
    response = _analyzer().Analyze(
        _endpoint(step=UNKNOWN_NUMBER_VALUE, moderation={"enabled": False}), NO_CONTEXT
    )

    said = _said(response)
    assert (
        "unit-step",
        analyzer_pb2.ADVISORY,
        "cannot be judged during preview: number value at .step can't be known during preview",
    ) in said
    assert [name for name, weight, _ in said if weight == analyzer_pb2.MANDATORY] == [
        "moderation-confirmed"
    ] * 2


def test_missing_policy_is_found_with_its_namespace() -> None:
    """What is missing is said at the end, about the resource that lacks it."""
    properties = {"metadata": {"name": "prod-search", "labels": {"modelunits.dev/team": "search"}}}
    everything = [
        registered(NAMESPACE, "prod-search", properties),
        registered("aws:s3/bucket:Bucket", "other", {"name": UNKNOWN_STRING_VALUE}),
    ]

    response = _analyzer().AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=everything), NO_CONTEXT)

    assert [urn(NAMESPACE, "prod-search")] == [one.urn for one in response.diagnostics]
    assert [one.enforcementLevel for one in response.diagnostics] == [analyzer_pb2.MANDATORY]


def test_unknown_value_among_all_resources_is_advice() -> None:
    """A name that is not known yet hides whether anything is missing."""
    properties = {"metadata": {"name": UNKNOWN_STRING_VALUE, "labels": {"modelunits.dev/team": "search"}}}
    everything = [registered(NAMESPACE, "prod-search", properties)]

    response = _analyzer().AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=everything), NO_CONTEXT)

    assert [(name, weight) for name, weight, _ in _said(response)] == [("isolation", analyzer_pb2.ADVISORY)]


def test_sdk_cannot_run_the_rules_by_itself() -> None:
    """Where the SDK no longer asks our analyzer, every policy fails instead of passing everything."""
    policy = pack.policies_of(RULES)[0]

    with pytest.raises(NotImplementedError, match="does not fit the installed pulumi-policy"):
        policy.validate(None, None)  # type: ignore[attr-defined]


def test_next_pack_judges_with_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """PolicyPack makes our analyzer, with the day and the exemptions of the stack."""
    monkeypatch.setattr(sdk, "_PolicyAnalyzerServicer", sdk._PolicyAnalyzerServicer)

    pack.judge_with_rules(partial(stack_settings, levels_folder=PACK, today=TODAY))
    made = sdk._PolicyAnalyzerServicer(NAME, "0.0.1", pack.policies_of(RULES), EnforcementLevel.ADVISORY)

    assert isinstance(made, RuleAnalyzer)


def test_pack_describes_itself() -> None:
    """The engine finds the runtime and a version beside the pack."""
    import yaml

    described = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())

    assert {"description", "version", "runtime"} == described.keys()
    assert Path("../.venv") == Path(described["runtime"]["options"]["virtualenv"])
