"""Whether a role's GPUs hold the model: the calculator's answer for what the engine is told."""

from collections.abc import Mapping

from infra.capacity.roles import role_fit, role_stack
from infra.catalog.model import Model
from infra.plan.machines import Machine
from infra.plan.model import Memory
from infra.spec.endpoint import EngineArg
from infra.spec.template import Role, RoleName

GPU_MEMORY_UTILIZATION = 0.92
"""The default of vLLM 0.32.0: `vllm serve --help=gpu-memory-utilization`."""


def role_memory(
    *,
    role_name: RoleName,
    role: Role,
    machine: Machine,
    model: Model,
    concurrency_per_group: int,
    adapters_rank: tuple[int, ...],
    added: Mapping[str, EngineArg],
) -> Memory:
    """Return what a role needs of each GPU at the tier's concurrency, and what there is."""
    stack = role_stack(
        machine,
        machine.gpu,
        {"gpu-memory-utilization": GPU_MEMORY_UTILIZATION, **added},
        count=role.count,
        tensor_parallel=role.tensor_parallel,
        pipeline_parallel=role.pipeline_parallel,
        data_parallel=role.data_parallel,
    )
    fit = role_fit(model, role_name, stack, concurrency_per_group, adapters_rank)
    return Memory(
        weights_gib=round(fit.weights_gib, 2),
        kv_gib=round(fit.kv_gib, 2),
        adapters_gib=round(fit.adapters_gib, 2),
        overhead_gib=round(fit.overhead_gib, 2),
        needed_gib=round(fit.needed_gib, 2),
        available_gib=round(fit.available_gib, 2),
    )
