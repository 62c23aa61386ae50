"""From the catalog's facts to the plain numbers of a group: which step times, how much room, what travels."""

from collections.abc import Mapping
from dataclasses import replace

from infra.capacity.calibration import Calibration
from infra.capacity.fitted import ENCODER_FLOPS_SHARE, FITTED, NETWORK_SHARE, Constants, typical
from infra.capacity.group import Group, KvSpace, RoleEngine
from infra.capacity.memory import kv_bytes
from infra.capacity.roles import Instance, RoleStack, role_fit
from infra.capacity.step_facts import step_times
from infra.capacity.steps import Label, Provenance
from infra.catalog.curves import Curves
from infra.catalog.model import Model

_GIB = 2**30
_LABELS: tuple[Label, ...] = ("measured", "calibrated", "estimated", "extrapolated")


def group_of(
    model: Model,
    curves: Curves,
    roles: Mapping[str, RoleStack],
    *,
    adapters_rank: tuple[int, ...] = (),
    calibration: Calibration | None = None,
    constants: Constants = FITTED,
) -> Group:
    """Return a group of a template's roles that serves a model."""
    engines = {
        role: _engine(model, curves, role, stack, adapters_rank, constants, travels=len(roles) > 1)
        for role, stack in roles.items()
    }
    return Group(
        roles=engines,
        provenance=_worst(engines),
        calibration=calibration,
    )


def _engine(
    model: Model,
    curves: Curves,
    role: str,
    stack: RoleStack,
    adapters_rank: tuple[int, ...],
    constants: Constants,
    *,
    travels: bool,
) -> RoleEngine:
    instance = stack.pool.instance
    sends = travels and role == "prefill"
    kv = _kv_space(model, role, stack, adapters_rank)
    copies = 1 if model.attention.kind == "mla" else instance.tensor_parallel
    network_bytes_per_ms = NETWORK_SHARE * instance.network_gbit_per_s / 8 * 1e6
    return RoleEngine(
        steps=step_times(model, curves, stack, constants),
        count=stack.pool.count,
        ranks=instance.data_parallel,
        stages=instance.pipeline_parallel,
        max_num_seqs=stack.most_sequences,
        max_num_batched_tokens=stack.most_batched_tokens,
        kv=kv,
        encode_ms_per_token=_encode_ms_per_token(model, instance),
        constants=constants,
        transfer_ms_per_token=kv.bytes_per_token * copies / network_bytes_per_ms if sends else 0.0,
    )


def _kv_space(model: Model, role: str, stack: RoleStack, adapters_rank: tuple[int, ...]) -> KvSpace:
    """Return the room for the KV cache, by what a sequence takes at lengths before and after its window."""
    if role == "encode":
        return KvSpace(free_bytes=1.0, bytes_per_token=0.0)
    fit = role_fit(model, role, stack, 1, adapters_rank)
    taken = fit.weights_gib + fit.adapters_gib + fit.overhead_gib
    window = model.attention.window_tokens or 0

    def held(tokens: int) -> int:
        instance = stack.pool.instance
        return kv_bytes(
            model,
            tokens,
            tensor_parallel=instance.tensor_parallel,
            pipeline_parallel=instance.pipeline_parallel,
            kv_cache_dtype=instance.kv_cache_dtype,
        )

    far = 2**20
    per_token = (held(window + far) - held(window)) / far
    state = float(held(0))
    return KvSpace(
        free_bytes=max(0.0, fit.available_gib - taken) * _GIB,
        bytes_per_token=per_token,
        windowed_bytes_per_token=(held(window) - state) / window - per_token if window else 0.0,
        window_tokens=window,
        state_bytes=state,
    )


def _encode_ms_per_token(model: Model, instance: Instance) -> float:
    """Return the time to encode one token of an image: two operations for each weight and patch."""
    if model.vision is None:
        return 0.0
    patches = 4  # 2 x 2 patches make a token in every encoder listed
    weights = model.vision.weights_gib * _GIB / 2
    operations_per_ms = ENCODER_FLOPS_SHARE * instance.gpu.tflops["bf16"] * 1e9 * instance.tensor_parallel
    return 2 * weights * patches / operations_per_ms


def _worst(engines: Mapping[str, RoleEngine]) -> Provenance:
    """Return how far a group is to be trusted: as far as its least known role, and less with roles apart."""
    worst = max(
        (engine.steps.provenance for role, engine in engines.items() if role != "encode"),
        key=lambda one: _LABELS.index(one.label),
    )
    if len(engines) == 1:
        return worst
    apart = typical("roofline", "extrapolated", f"{worst.source}; no public measurements of roles apart")
    return replace(
        apart,
        ttft_error=max(apart.ttft_error, worst.ttft_error),
        tpot_error=max(apart.tpot_error, worst.tpot_error),
        tps_error=max(apart.tps_error, worst.tps_error),
    )
