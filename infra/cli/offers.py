"""From a template's file, the catalog's facts and a market's prices to what the calculator takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.capacity.calibration import Calibration
from infra.capacity.facts import group_of
from infra.capacity.roles import RoleStack, role_stack
from infra.capacity.serving import misfits
from infra.capacity.sizing import TIERS, Known, Offer, Promise
from infra.capacity.tables import reference_load
from infra.catalog.curves import load_curves
from infra.catalog.model import Model
from infra.cli.market import Market, PricedMachine
from infra.plan.memory import GPU_MEMORY_UTILIZATION
from infra.plan.packing import instances_per_machine, machines_per_instance
from infra.plan.units import step_units
from infra.spec.base import CATALOG_NAME
from infra.spec.files import Files
from infra.spec.template import ROLES_OF_SHAPE, Template
from infra.spec.validate import validate

ADAPTER_RANK = 16
"""Of adapters that are only counted: vLLM's default of max-lora-rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A template for a model, as far as it can serve it."""

    template: str
    roles: Mapping[str, RoleStack]
    offer: Offer | None
    """None where it cannot serve the model."""
    reasons: tuple[str, ...]
    """Why it cannot."""


def template_names(files: Files) -> tuple[str, ...]:
    """Return the names of a project's templates."""
    return files.named("templates", CATALOG_NAME)


def read_template(files: Files, name: str) -> Template | None:
    """Return a template; None after its problems went to those of the files."""
    document = files.document(f"templates/{name}.yaml")
    if document is None:
        return None
    value, problems = validate(Template, document)
    files.problems.update(problems)
    return value


def candidate(
    name: str,
    template: Template,
    model: Model,
    market: Market,
    adapters: int = 0,
    project: Files | None = None,
) -> Candidate:
    """Return what a template offers for a model, or why it cannot serve it.

    Measured runs of the project count where it is given; what is wrong with them goes to its problems.
    """
    absent = sorted({role.machine for role in template.roles.values()} - set(market.machines))
    if absent:
        return Candidate(
            template=name, roles={}, offer=None, reasons=(f"{market.name} has no {' and no '.join(absent)}",)
        )
    roles = role_stacks(template, market)
    reasons = misfits(model, roles, (ADAPTER_RANK,) * adapters)
    measured = calibration_of(project, template, model, roles) if project and not reasons else None
    offer = None if reasons else _offer(template, model, roles, market, adapters, measured)
    return Candidate(template=name, roles=roles, offer=offer, reasons=reasons)


def role_stacks(template: Template, market: Market) -> Mapping[str, RoleStack]:
    """Return a template's roles, as the calculator takes them; every machine must be the market's."""
    found = {}
    for name in ROLES_OF_SHAPE[template.shape]:
        role = template.roles[name]
        machine = market.machines[role.machine]
        found[str(name)] = role_stack(
            machine,
            machine.gpu,
            {"gpu-memory-utilization": GPU_MEMORY_UTILIZATION, **role.args},
            count=role.count,
            tensor_parallel=role.tensor_parallel,
            pipeline_parallel=role.pipeline_parallel,
            data_parallel=role.data_parallel,
        )
    return found


def calibration_of(
    project: Files, template: Template, model: Model, roles: Mapping[str, RoleStack]
) -> Calibration | None:
    """Return what a project's measured runs say of a group; None where there are none, or none that count."""
    if not project.folder(f"calibrations/{model.name}"):
        return None
    from infra.calibration.files import calibration_at, read_calibration  # noqa: PLC0415 - slow, seldom needed
    from infra.calibration.target import Target  # noqa: PLC0415

    group = group_of(model, load_curves(model.name), roles)
    target = Target(
        name=model.name, model=model, engine_version=template.engine.version, roles=roles, group=group
    )
    found = read_calibration(project, target)
    return calibration_at(found.points, target.predict) if found else None


def _offer(
    template: Template,
    model: Model,
    roles: Mapping[str, RoleStack],
    market: Market,
    adapters: int,
    measured: Calibration | None,
) -> Offer:
    placed = [
        (
            market.machines[role.machine],
            role.tensor_parallel * role.pipeline_parallel * role.data_parallel,
            template.groups_per_step * role.count,
        )
        for role in template.roles.values()
    ]
    rows = template.performance.get(model.name, {})
    return Offer(
        group=group_of(
            model,
            load_curves(model.name),
            roles,
            adapters_rank=(ADAPTER_RANK,) * adapters,
            calibration=measured,
        ),
        groups_per_step=template.groups_per_step,
        units_per_step=step_units(template),
        gpus_per_step=sum(gpus * count for _, gpus, count in placed),
        machines_per_step={
            name: sum(_machines(one, gpus) * count for one, gpus, count in placed if one.name == name)
            for name in dict.fromkeys(machine.name for machine, _, _ in placed)
        },
        image_tokens=reference_load(model, roles).image_tokens,
        hourly_per_step=_price((_paid(one, gpus) * count, one.hourly) for one, gpus, count in placed),
        monthly_per_step=_price((_paid(one, gpus) * count, one.monthly) for one, gpus, count in placed),
        tiers={
            **TIERS,
            **{
                tier: Promise(ttft_ms=row.ttft_ms, tpot_ms=row.tpot_ms)
                for tier, row in rows.items()
                if tier not in TIERS
            },
        },
        known={
            tier: Known(
                concurrency=row.concurrency,
                ttft_ms=row.ttft_ms,
                tpot_ms=row.tpot_ms,
                total_tps=row.tps,
                label=row.label,
                source=row.source,
                load=reference_load(model, roles),
            )
            for tier, row in rows.items()
            if row.label in ("measured", "calibrated")
        },
    )


def _machines(machine: PricedMachine, gpus: int) -> float:
    """Return the machines that an instance takes: GPUs that are too few for another one go with it."""
    each = instances_per_machine(gpus, machine.gpus)
    return 1 / each if each else machines_per_instance(gpus, machine.gpus)


def _paid(machine: PricedMachine, gpus: int) -> float:
    """Return the machines that an instance is billed: as the plan's `endpoint_cost` does it."""
    spans = gpus > machine.gpus
    return machines_per_instance(gpus, machine.gpus) if spans else gpus / machine.gpus


def _price(parts: Iterable[tuple[float, float | None]]) -> float | None:
    """Return the sum of amounts times prices; None where one has no price."""
    found = tuple(parts)
    return None if any(price is None for _, price in found) else sum(n * (price or 0.0) for n, price in found)
