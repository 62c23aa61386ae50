"""Answers the engine's questions about resources, with rules where the SDK's analyzer has policies."""

# ruff: noqa: N802 - gRPC names its methods

from collections.abc import Callable, Mapping

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import policy as sdk
from pulumi_policy.proxy import UnknownValueError

from policies.judge import Judgement, Violation
from policies.levels import Levels
from policies.registry import RULES
from policies.rule import Level, Resource, Rule
from policies.settings import SettingsError, StackSettings
from policies.wire import properties

NAME = "modelunits"

_LEVELS: Mapping[int, Level] = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.REMEDIATE: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
}
_WEIGHTS: Mapping[Level, analyzer_pb2.EnforcementLevel.ValueType] = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "disabled": analyzer_pb2.DISABLED,
}
_DESCRIPTIONS = {rule.name: rule.description for rule in RULES}

SettingsOf = Callable[[str, Mapping[str, str]], StackSettings]
"""Reads the settings of a stack from its name and its configuration."""


class RuleAnalyzer(sdk._PolicyAnalyzerServicer):
    """Answers the engine: reads each resource once and runs the rules that judge its type."""

    def __init__(self, *about_pack: object, settings_of: SettingsOf) -> None:
        super().__init__(*about_pack)  # type: ignore[arg-type]
        self._settings_of = settings_of
        self._settings = settings_of("", {})
        self._judgement = self._judgement_with({})

    def _judgement_with(self, levels: Levels) -> Judgement:
        return Judgement(
            as_of=self._settings.as_of,
            levels=levels,
            exemptions=self._settings.exemptions,
            passes_through=(UnknownValueError,),
        )

    def ConfigureStack(
        self, request: analyzer_pb2.AnalyzerStackConfigureRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzerStackConfigureResponse:
        """Take the stack's settings. The engine asks this first of all."""
        try:
            self._settings = self._settings_of(request.stack, request.config)
        except SettingsError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        self._judgement = self._judgement_with(self._settings.levels)
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def GetAnalyzerInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzerInfo:
        """Describe the rules and their levels in the stack, which --policy-pack-config overrides."""
        info: analyzer_pb2.AnalyzerInfo = super().GetAnalyzerInfo(request, context)  # type: ignore[no-untyped-call]
        for name, level in self._settings.levels.items():
            info.initialConfig[name].enforcementLevel = _WEIGHTS[level]
        return info

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
