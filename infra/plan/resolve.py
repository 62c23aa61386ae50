"""The names in an endpoint's file become the things they stand for; what cannot be found is a problem."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.catalog.model import Catalog, EngineFlags, Model
from infra.plan.machines import Machine
from infra.problems import Problem, allowed
from infra.spec.endpoint import Endpoint, FineTune
from infra.spec.stack import Stack, Written
from infra.spec.template import ROLES_OF_SHAPE, Performance, RoleName, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An endpoint with everything that its file names."""

    name: str
    file: str
    endpoint: Endpoint
    template_name: str
    template: Template
    model_name: str
    model: Model
    weights: str
    tier: str
    performance: Performance
    machines: Mapping[RoleName, Machine]
    """By role, in the order in which a request meets them."""
    flags: EngineFlags


def resolve(
    written: Written[Endpoint], stack: Stack, machines: Mapping[str, Machine], catalog: Catalog
) -> Resolved | tuple[Problem, ...]:
    """Return an endpoint with its template, model, tier and machines, or every name that leads nowhere.

    An endpoint on a machine that the environment lists but cannot use has nothing more to be said of it.
    """
    endpoint, environment = written.value, stack.environment.value
    template = stack.templates.get(endpoint.template)
    base = endpoint.model.base if isinstance(endpoint.model, FineTune) else endpoint.model
    model = catalog.models.get(base)
    problems = [*_unknown(written, "team", endpoint.team, environment.teams)]
    problems += _unknown(written, "template", endpoint.template, stack.templates)
    problems += _unknown_model(written, base, catalog)
    if template is not None:
        problems += _machine_problems(written, template, stack, catalog)
        problems += _template_problems(template, catalog)
    if template is None or model is None:
        return tuple(problems)
    tier = _tier(written, template.value, base)
    if isinstance(tier, Problem):
        problems.append(tier)
    roles = ROLES_OF_SHAPE[template.value.shape]
    usable = all(template.value.roles[role].machine in machines for role in roles)
    if isinstance(tier, Problem) or problems or not usable:
        return tuple(problems)
    return Resolved(
        name=written.name,
        file=written.source.root.file,
        endpoint=endpoint,
        template_name=endpoint.template,
        template=template.value,
        model_name=endpoint.model.name if isinstance(endpoint.model, FineTune) else base,
        model=model,
        weights=endpoint.model.weights if isinstance(endpoint.model, FineTune) else f"hf://{model.hf_id}",
        tier=tier,
        performance=template.value.performance[base][tier],
        machines={role: machines[template.value.roles[role].machine] for role in roles},
        flags=catalog.engines[template.value.engine.version],
    )


def _unknown(
    written: Written[Endpoint], field: str, name: str, known: Mapping[str, object]
) -> Iterator[Problem]:
    if name not in known:
        message = f"{field}: no {field} {name}; {allowed(known, name)}"
        yield written.source.problem((field,), message, f"unknown-{field}")


def _unknown_model(written: Written[Endpoint], base: str, catalog: Catalog) -> Iterator[Problem]:
    if base not in catalog.models:
        path = ("model", "base") if isinstance(written.value.model, FineTune) else ("model",)
        meant = _in_catalog(base, catalog)
        message = f"{'.'.join(path)}: no model {base} in the catalog; {allowed(catalog.models, meant)}"
        yield written.source.problem(path, message, "unknown-model")


def _in_catalog(name: str, catalog: Catalog) -> str:
    """Return what the catalog may call a model that is called otherwise elsewhere, as on Hugging Face."""
    there = {model.hf_id.casefold(): known for known, model in catalog.models.items()}
    return there.get(name.casefold(), name.rpartition("/")[2].casefold())


def _machine_problems(
    written: Written[Endpoint], template: Written[Template], stack: Stack, catalog: Catalog
) -> Iterator[Problem]:
    """Yield the machines that a stack lacks.

    Why in the endpoint's file where the catalog knows them: a template that is right, in the wrong stack.
    """
    machines = stack.environment.value.machines
    for role, facts in template.value.roles.items():
        if facts.machine in machines:
            continue
        lacks = f"stack {stack.name} has no machine {facts.machine}"
        if facts.machine in catalog.machines:
            fitting = [
                name
                for name, other in stack.templates.items()
                if all(one.machine in machines for one in other.value.roles.values())
            ]
            message = (
                f"template: {lacks}, which role {role} of {written.value.template} needs; {allowed(fitting)}"
            )
            yield written.source.problem(("template",), message, "unknown-machine")
        else:
            message = f"roles.{role}.machine: {lacks}; {allowed(machines, facts.machine)}"
            yield template.source.problem(("roles", role, "machine"), message, "unknown-machine")


def _template_problems(template: Written[Template], catalog: Catalog) -> Iterator[Problem]:
    """Yield what a template names and nobody knows; the template's file is where to mend it."""
    version = template.value.engine.version
    flags = catalog.engines.get(version)
    if flags is None:
        message = f"engine.version: no list of flags for vllm {version}; {allowed(catalog.engines, version)}"
        yield template.source.problem(("engine", "version"), message, "unknown-engine")
        return
    for field, transfer, known_connectors in (
        ("kv_transfer", template.value.kv_transfer, flags.kv_connectors),
        ("ec_transfer", template.value.ec_transfer, flags.ec_connectors),
    ):
        if transfer is not None and transfer.connector not in known_connectors:
            message = f"{field}.connector: vllm {version} has no connector {transfer.connector}; "
            message += allowed(known_connectors, transfer.connector)
            yield template.source.problem((field, "connector"), message, "unknown-connector")


def _tier(written: Written[Endpoint], template: Template, base: str) -> str | Problem:
    """Return the tier that is written, the largest that keeps the written promise, or the default."""
    endpoint, source = written.value, written.source
    tiers = template.performance.get(base)
    if tiers is None:
        message = f"template: {endpoint.template} has no performance of {base}, so no units can be counted; "
        message += f"its models are {allowed(template.performance).removeprefix('allowed: ')}"
        return source.problem(("template",), message, "unknown-performance")
    if endpoint.slo is not None:
        slo = endpoint.slo
        kept = [
            (promise.concurrency, promise.tps, name)
            for name, promise in tiers.items()
            if promise.ttft_ms <= slo.ttft_ms and promise.tpot_ms <= slo.tpot_ms
        ]
        if kept:
            return max(kept)[-1]
        offers = "; ".join(f"{name} {p.ttft_ms:g} and {p.tpot_ms:g}" for name, p in sorted(tiers.items()))
        message = (
            f"slo: no tier of {endpoint.template} keeps ttft_ms {slo.ttft_ms:g} and tpot_ms {slo.tpot_ms:g} "
        )
        return source.problem(("slo",), f"{message}for {base}: {offers}", "slo")
    tier = endpoint.tier or template.default_tier
    if tier in tiers:
        return tier
    message = f"tier: {endpoint.template} has no tier {tier} for {base}; {allowed(tiers, tier)}"
    return source.problem(("tier",), message, "unknown-tier")
