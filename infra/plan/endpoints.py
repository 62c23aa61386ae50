"""One endpoint of the plan: a line per question that the other files of this folder answer."""

from collections.abc import Iterable, Iterator
from datetime import date
from math import ceil

from infra import names
from infra.plan import model as plan
from infra.plan.cost import endpoint_cost
from infra.plan.engine_arg_facts import added, engine_arg_facts
from infra.plan.engine_args import max_lora_rank, role_args
from infra.plan.gateway import base_url, judge_kinds
from infra.plan.memory import role_memory
from infra.plan.packing import instances_per_machine, machines_per_instance
from infra.plan.purchases import purchase
from infra.plan.resolve import Resolved
from infra.plan.scaling import scaling
from infra.plan.units import replicas, step_units, throughput, units
from infra.spec.endpoint import Endpoint
from infra.spec.environment import zone
from infra.spec.stack import Stack
from infra.spec.template import Template

REQUEST_TIMEOUT_SECONDS = 3600
"""Of a chat request; longer ones belong to batches."""

CACHE_SPARE = 1.25
CACHE_FLOOR_GIB = 10
"""Weights while they are fetched, and beside them tokenizers, adapters and compiled kernels."""


def endpoint_plan(resolved: Resolved, stack: Stack, as_of: date) -> plan.EndpointPlan:
    """Return an endpoint with every blank filled."""
    spec, template, performance = resolved.endpoint, resolved.template, resolved.performance
    environment = stack.environment.value
    step = step_units(template)
    tps_per_step = performance.tps * template.groups_per_step
    bought = tuple(purchase(order, as_of, zone(environment)) for order in spec.units.purchases)
    asked = throughput(spec.throughput, tps_per_step) if spec.throughput else None
    how_many = units(spec.units, bought, asked, step)
    roles = tuple(_roles(resolved, stack, how_many, step))
    when = scaling(spec, template, performance, how_many, step)
    router_image = _router_image(template, roles)
    upstream = _upstream(
        resolved.name, names.namespace(stack.name, spec.team), routed=router_image is not None
    )
    steps_at_peak = (when.reserved_groups + when.max_groups) / template.groups_per_step
    return plan.EndpointPlan(
        name=resolved.name,
        id=names.endpoint_id(stack.project, stack.name, resolved.name),
        file=resolved.file,
        team=spec.team,
        namespace=names.namespace(stack.name, spec.team),
        model=resolved.model_name,
        base_model=resolved.model.name,
        weights=resolved.weights,
        weights_gib=resolved.model.weights_gib,
        template=resolved.template_name,
        shape=template.shape,
        engine_version=template.engine.version,
        image=template.engine.image,
        router_image=router_image,
        kv_connector=template.kv_transfer.connector if template.kv_transfer else None,
        ec_connector=template.ec_transfer.connector if template.ec_transfer else None,
        tier=plan.Tier(
            name=resolved.tier,
            ttft_ms=performance.ttft_ms,
            tpot_ms=performance.tpot_ms,
            concurrency_per_group=performance.concurrency,
            tps_per_step=tps_per_step,
            tps_per_unit=tps_per_step / step,
            label=performance.label,
            source=performance.source,
        ),
        step=step,
        groups_per_step=template.groups_per_step,
        units=how_many,
        throughput=asked,
        purchases=bought,
        roles=roles,
        scaling=when,
        cost=endpoint_cost(
            zip(roles, resolved.machines.values(), strict=True),
            environment.prices.currency,
            tps_per_step * steps_at_peak,
        ),
        adapters=_adapters(spec),
        features=tuple(name for name, wanted in spec.features if wanted),
        unsupported_features=template.unsupported_features,
        moderation=plan.Moderation(
            enabled=spec.moderation.enabled,
            reason=spec.moderation.reason,
            confirmed_by=spec.moderation.confirmed_by,
            judges=judge_kinds(environment),
            media=resolved.model.multimodal,
        ),
        limits=plan.Limits(
            requests_per_minute=spec.limits.requests_per_minute,
            tokens_per_minute=spec.limits.tokens_per_minute,
            concurrency=spec.limits.concurrency,
            queue=spec.limits.queue,
            per_key=plan.KeyLimits(
                requests_per_minute=spec.limits.per_key.requests_per_minute,
                tokens_per_minute=spec.limits.per_key.tokens_per_minute,
                concurrency=spec.limits.per_key.concurrency,
                queue=spec.limits.per_key.queue,
            ),
        ),
        engine_args=engine_arg_facts(
            {f"roles.{role}.args": template.roles[role].args for role in resolved.machines}
            | {"engine_args": spec.engine_args},
            resolved.flags,
            resolved.model.max_context,
        ),
        url=base_url(stack.name, environment.gateway) if environment.gateway else f"http://{upstream}/v1",
        upstream=upstream,
        request_timeout_seconds=REQUEST_TIMEOUT_SECONDS,
        startup_timeout_seconds=int(template.startup_timeout.total_seconds()),
        drain_timeout_seconds=int(template.drain_timeout.total_seconds()),
        weights_cache_gib=template.weights_cache
        or ceil(resolved.model.weights_gib * CACHE_SPARE) + CACHE_FLOOR_GIB,
    )


def _roles(resolved: Resolved, stack: Stack, bought: plan.Units, step: int) -> Iterator[plan.RolePlan]:
    template, adapters = resolved.template, _adapters(resolved.endpoint)
    attention = resolved.model.attention
    for name, machine in resolved.machines.items():
        role = template.roles[name]
        gpus = role.tensor_parallel * role.pipeline_parallel * role.data_parallel
        machines = machines_per_instance(gpus, machine.gpus)
        flags = added(role.args, resolved.endpoint.engine_args, flags=resolved.flags)
        yield plan.RolePlan(
            name=name,
            machine=machine.name,
            gpu=machine.gpu.name,
            gpus=gpus,
            gpus_per_machine=machine.gpus,
            machines_per_instance=machines,
            instances_per_machine=instances_per_machine(gpus, machine.gpus),
            count=role.count,
            tensor_parallel=role.tensor_parallel,
            pipeline_parallel=role.pipeline_parallel,
            data_parallel=role.data_parallel,
            layers=resolved.model.layers,
            attention_heads=attention.heads,
            kv_heads=attention.kv_heads,
            mla=attention.kind == "mla",
            vcpus_per_machine=machine.vcpus,
            memory_gib_per_machine=machine.memory_gib,
            replicas=replicas(bought, step, template.groups_per_step, role.count),
            memory=role_memory(
                role_name=name,
                role=role,
                machine=machine,
                model=resolved.model,
                concurrency_per_group=resolved.performance.concurrency,
                adapters_rank=(max_lora_rank(adapters, resolved.flags),) * len(adapters) if adapters else (),
                added=flags,
            ),
            args=role_args(
                role_name=name,
                role=role,
                template=template,
                endpoint_id=names.endpoint_id(stack.project, stack.name, resolved.name),
                weights=resolved.weights,
                adapters=adapters,
                machines_per_instance=machines,
                added=flags,
                flags=resolved.flags,
            ),
        )


def _adapters(endpoint: Endpoint) -> tuple[plan.Adapter, ...]:
    return tuple(plan.Adapter(name=a.name, source=a.source, rank=a.rank) for a in endpoint.adapters)


def _router_image(template: Template, roles: Iterable[plan.RolePlan]) -> str | None:
    """Return what leads requests through roles, or to one of several engines; None: one engine takes all.

    Why not the Service alone: it balances connections, and knows neither queues nor cached prefixes.
    """
    if template.router:
        return template.router.image
    return names.ROUTER_IMAGE if sum(role.replicas.max for role in roles) > 1 else None


def _upstream(endpoint: str, namespace: str, *, routed: bool) -> str:
    entry = "router" if routed else "serve"
    return f"{names.service_name(endpoint, entry)}.{namespace}.svc:{names.ENGINE_PORT}"
