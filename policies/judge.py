"""Runs the rules over resources: the same verdicts in `modelunits check`, the program and the policy pack."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from traceback import extract_tb
from typing import Literal

from infra.names import ENDPOINT
from policies.exemptions import Exemption, exemption_for, terms
from policies.levels import DEFAULT_LEVEL, Levels
from policies.objects import endpoint_of, kind, object_name
from policies.reading import UnreadableError, text_or_none
from policies.registry import RULES
from policies.rule import Context, Finding, Path, Resource, Rule

_COMPONENTS = "modelunits:index:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One finding with its weight."""

    rule: str
    level: Literal["advisory", "mandatory"]
    resource_type: str
    resource_name: str
    urn: str
    """Empty where nothing has been registered with Pulumi."""
    endpoint: str | None
    file: str | None
    """The endpoint's file, where the resource is the endpoint itself."""
    path: Path
    """In the endpoint's file; without an endpoint, in the environment."""
    message: str
    exempted_by: Exemption | None = None

    @property
    def is_about_component(self) -> bool:
        """Say whether the path leads to what is wrong, and not just to what it was made from."""
        return self.resource_type.startswith(_COMPONENTS)

    def __str__(self) -> str:
        # What is said about a Kubernetes object names the object already.
        if not self.is_about_component:
            return self.message
        component = self.resource_type.removeprefix(_COMPONENTS).lower()
        where = f" ({self.file})" if self.file else ""
        return f"{component} {self.resource_name}{where}: {self.message}"


def judge(
    resources: Iterable[Resource],
    *,
    as_of: date,
    levels: Levels,
    exemptions: Sequence[Exemption] = (),
    rules: Sequence[Rule] = RULES,
) -> tuple[Violation, ...]:
    """Judge everything that one run registers, in its order."""
    everything = tuple(resources)
    run = Judgement(as_of=as_of, levels=levels, exemptions=exemptions, rules=rules)
    found = [violation for resource in everything for violation in run.of(resource)]
    return (*found, *run.of_all(everything))


class Judgement:
    """The judgement of one run: of resources as they come, and at the end of all together."""

    def __init__(
        self,
        *,
        as_of: date,
        levels: Levels,
        exemptions: Sequence[Exemption] = (),
        rules: Sequence[Rule] = RULES,
        passes_through: tuple[type[Exception], ...] = (),
    ) -> None:
        self._context = Context(as_of=as_of, rules=tuple(rule.name for rule in RULES))
        self._rules = tuple(rule for rule in rules if levels.get(rule.name, DEFAULT_LEVEL) != "disabled")
        self._levels = levels
        self._exemptions = exemptions
        self._passes_through = passes_through
        self._related: dict[tuple[str, str], dict[str, Resource]] = defaultdict(dict)
        self._rules_by_type: dict[str, tuple[Rule, ...]] = {}

    def rules_for(self, resource_type: str) -> tuple[Rule, ...]:
        """Return the rules that judge resources of a type."""
        if resource_type not in self._rules_by_type:
            self._rules_by_type[resource_type] = tuple(
                rule
                for rule in self._rules
                if any(fnmatchcase(resource_type, pattern) for pattern in rule.applies_to)
            )
        return self._rules_by_type[resource_type]

    def of(self, resource: Resource) -> Iterator[Violation]:
        """Judge a resource by itself and by those before it."""
        for rule in self.rules_for(resource.type):
            yield from self.by(rule, resource)

    def by(self, rule: Rule, resource: Resource) -> Iterator[Violation]:
        """Judge a resource by one rule; where the rule fails, so does the resource."""
        try:
            findings = tuple(rule.check(resource, self._with_related(rule, resource)))
        except self._passes_through:
            raise
        except UnreadableError as error:
            yield self._violation(rule, resource, Finding((), f"cannot be judged: {error}"))
            return
        except Exception as error:
            yield _failure(rule, resource, error)
            return
        for finding in findings:
            yield self._violation(rule, resource, finding)

    def rules_about_all(self) -> tuple[Rule, ...]:
        """Return the rules that judge what only shows when every resource is known."""
        return tuple(rule for rule in self._rules if rule.check_all is not None)

    def of_all(self, resources: Sequence[Resource]) -> Iterator[Violation]:
        """Judge what only shows when every resource is known."""
        for rule in self.rules_about_all():
            yield from self.all_by(rule, [one for one in resources if rule in self.rules_for(one.type)])

    def all_by(self, rule: Rule, resources: Sequence[Resource]) -> Iterator[Violation]:
        """Judge all resources of a rule's types together."""
        if rule.check_all is None or not resources:
            return
        try:
            findings = tuple(rule.check_all(resources, self._context))
        except self._passes_through:
            raise
        except Exception as error:
            yield _failure(rule, resources[0], error)
            return
        for resource, finding in findings:
            yield self._violation(rule, resource, finding)

    def _with_related(self, rule: Rule, resource: Resource) -> Context:
        key = rule.relation(resource)
        if key is None:
            return self._context
        related = self._related[rule.name, key]
        # A resource that is replaced is judged twice, and is no other than itself.
        earlier = tuple(other for identity, other in related.items() if identity != resource.identity)
        related[resource.identity] = resource
        return replace(self._context, earlier=earlier)

    def _violation(self, rule: Rule, resource: Resource, finding: Finding) -> Violation:
        is_component = resource.type.startswith(_COMPONENTS)
        endpoint = _endpoint(resource)
        exemption = exemption_for(rule.name, endpoint, self._exemptions) if endpoint else None
        level: Literal["advisory", "mandatory"] = finding.level
        if self._levels.get(rule.name, DEFAULT_LEVEL) == "advisory":
            level = "advisory"
        message = f"{_prefix(resource)}{finding}"
        holds = exemption is not None and self._context.as_of <= exemption.until
        if exemption is not None and holds:
            level = "advisory"
            message += f" (exempted {terms(exemption)})"
        elif exemption is not None:
            message += f" (its exemption lapsed: {terms(exemption)})"
        return Violation(
            rule=rule.name,
            level=level,
            resource_type=resource.type,
            resource_name=resource.name,
            urn=resource.urn,
            endpoint=endpoint,
            file=_file(resource),
            path=finding.path if is_component else rule.written_in,
            message=message,
            exempted_by=exemption if holds else None,
        )


def _endpoint(resource: Resource) -> str | None:
    if resource.type == ENDPOINT:
        return text_or_none(resource.props, "name") or resource.name
    return None if resource.type.startswith(_COMPONENTS) else endpoint_of(resource)


def _file(resource: Resource) -> str | None:
    return text_or_none(resource.props, "file") if resource.type == ENDPOINT else None


def _prefix(resource: Resource) -> str:
    """Name a Kubernetes object; a component is named by the file that says it."""
    return "" if resource.type.startswith(_COMPONENTS) else f"{kind(resource)} {object_name(resource)}: "


def _failure(rule: Rule, resource: Resource, error: Exception) -> Violation:
    """Say that a rule failed, and where; not the exception's words, which may hold a secret value."""
    frames = extract_tb(error.__traceback__)
    where = f"{FilePath(frames[-1].filename).name}:{frames[-1].lineno}"
    return Violation(
        rule=rule.name,
        level="mandatory",
        resource_type=resource.type,
        resource_name=resource.name,
        urn=resource.urn,
        endpoint=None,
        file=_file(resource),
        path=(),
        message=f"{_prefix(resource)}the rule itself failed "
        f"({type(error).__name__} at {where}): nothing passes until it is mended or disabled",
    )
