"""The third gate: the rules as Pulumi policies, which judge every resource of any program."""

# ruff: noqa: N802 - gRPC names its methods

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)
from pulumi_policy import policy as sdk
from pulumi_policy.proxy import UnknownValueError

from policies.exemptions import Exemption
from policies.judge import Judgement, Violation
from policies.levels import DEFAULT_LEVEL, Levels
from policies.registry import RULES
from policies.rule import Level, Resource, Rule
from policies.wire import properties

NAME = "modelunits"
DOCUMENTATION = "docs/reference/rules.md"

_LEVELS: Mapping[int, Level] = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.REMEDIATE: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
}
_WEIGHTS = {"advisory": analyzer_pb2.ADVISORY, "mandatory": analyzer_pb2.MANDATORY}
_DESCRIPTIONS = {rule.name: rule.description for rule in RULES}


def policies_of(rules: Iterable[Rule]) -> list[sdk.Policy]:
    """Return one policy per rule, so that the engine knows its name, weight and remedy."""
    return [
        ResourceValidationPolicy(
            name=rule.name,
            description=rule.description,
            validate=_judged_elsewhere,
            enforcement_level=EnforcementLevel(DEFAULT_LEVEL),
            severity=Severity(rule.severity),
            remediation_steps=rule.remediation,
            url=f"{DOCUMENTATION}#{rule.name}",
        )
        for rule in rules
    ]


def _judged_elsewhere(_args: ResourceValidationArgs, _report: ReportViolation) -> NoReturn:
    raise NotImplementedError("rules run in RuleAnalyzer; this pack does not fit the installed pulumi-policy")


def judge_with_rules(as_of: date, exemptions: Sequence[Exemption]) -> None:
    """Make the next PolicyPack judge with our rules at once instead of the SDK's policy after policy.

    Why: the SDK reads every resource anew for each policy, shows no exemptions, and does not know which
    policies judge which types. Rules that would still reach the SDK's own analyzer fail loudly.
    """
    setattr(sdk, "_PolicyAnalyzerServicer", partial(RuleAnalyzer, as_of=as_of, exemptions=exemptions))  # noqa: B010


class RuleAnalyzer(sdk._PolicyAnalyzerServicer):
    """Answers the engine: reads each resource once and runs the rules that judge its type."""

    def __init__(self, *about_pack: object, as_of: date, exemptions: Sequence[Exemption]) -> None:
        super().__init__(*about_pack)  # type: ignore[arg-type]
        self._as_of = as_of
        self._exemptions = exemptions
        self._judgement = self._judgement_with({})

    def _judgement_with(self, levels: Levels) -> Judgement:
        return Judgement(
            as_of=self._as_of,
            levels=levels,
            exemptions=self._exemptions,
            passes_through=(UnknownValueError,),
        )

    def Configure(
        self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Take the levels that the stack gives the rules."""
        levels = {name: _LEVELS[config.enforcementLevel] for name, config in request.policyConfig.items()}
        self._judgement = self._judgement_with(levels)
        return empty_pb2.Empty()

    def Remediate(
        self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.RemediateResponse:
        """Rewrite nothing."""
        return analyzer_pb2.RemediateResponse()

    def Analyze(
        self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzeResponse:
        """Judge one resource, before anything is done to it."""
        response = analyzer_pb2.AnalyzeResponse()
        rules = self._judgement.rules_for(request.type)
        if not rules:
            return response
        resource = _resource(request)
        for rule in rules:
            try:
                response.diagnostics.extend(map(_diagnostic, self._judgement.by(rule, resource)))
            except UnknownValueError as error:
                response.diagnostics.append(_unknown(rule, error))
        return response

    def AnalyzeStack(
        self, request: analyzer_pb2.AnalyzeStackRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzeResponse:
        """Judge what is missing, when every resource is known."""
        response = analyzer_pb2.AnalyzeResponse()
        for rule in self._judgement.rules_about_all():
            judged = [one for one in request.resources if rule in self._judgement.rules_for(one.type)]
            try:
                violations = tuple(self._judgement.all_by(rule, list(map(_resource, judged))))
            except UnknownValueError as error:
                response.diagnostics.append(_unknown(rule, error))
                continue
            response.diagnostics.extend(_diagnostic(one, urn=one.urn) for one in violations)
        return response


def _resource(sent: analyzer_pb2.AnalyzeRequest | analyzer_pb2.AnalyzerResource) -> Resource:
    return Resource(type=sent.type, name=sent.name, props=properties(sent.properties), urn=sent.urn)


def _diagnostic(violation: Violation, urn: str = "") -> analyzer_pb2.AnalyzeDiagnostic:
    description = _DESCRIPTIONS[violation.rule]
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=violation.rule,
        policyPackName=NAME,
        description=description,
        message=f"{description}\n{violation}",
        enforcementLevel=_WEIGHTS[violation.level],
        urn=urn,
    )


def _unknown(rule: Rule, error: UnknownValueError) -> analyzer_pb2.AnalyzeDiagnostic:
    """Say what the SDK says where a value is not known yet: the rule runs at the update."""
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=rule.name,
        policyPackName=NAME,
        description=rule.description,
        message=f"cannot be judged during preview: {error.message}",
        enforcementLevel=analyzer_pb2.ADVISORY,
    )
