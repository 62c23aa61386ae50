"""Hold a role of a template, with its engine arguments, against the memory of its GPUs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from infra.capacity.memory import MemoryFit, default_max_num_seqs, memory_fit
from infra.catalog.model import Gpu, Model, Precision

PROMPTS_IN_PREFILL = 4
"""Prompts whose KV cache a prefill instance holds at once: computed, waiting, and two on their way."""

# Formats into which vLLM converts weights while it loads them; others must be published that way.
_ONLINE_QUANTIZATION: dict[str, Precision] = {
    "fp8": "fp8",
    "fp8_per_block": "fp8",
    "fp8_per_channel": "fp8",
    "fp8_per_tensor": "fp8",
}

# As vLLM's human_readable_int reads sizes: 32k is 32000, 32K is 32768.
_SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


class Server(Protocol):
    """A machine of the catalog, or one of an environment's own."""

    @property
    def gpus(self) -> int:
        """GPUs of one machine."""

    @property
    def network_gbit_per_s(self) -> float:
        """Its network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The hardware of one engine instance."""

    gpu: Gpu
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    network_gbit_per_s: float = 100.0
    """Its share of the machine's network."""
    kv_cache_dtype: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The instances of one role in a group."""

    count: int
    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStack:
    """The instances of a role in one group, and the arguments that decide their memory."""

    pool: Pool
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory_utilization: float = 0.9
    precision: Precision | None = None
    """Of the weights as they are held, where it is not the published one."""
    max_num_batched_tokens: int | None = None
    expert_parallel: bool = False
    """Whether experts are spread whole over the GPUs."""

    @property
    def most_sequences(self) -> int:
        """Return how many sequences one data-parallel rank runs at once."""
        return self.max_num_seqs or default_max_num_seqs(self.pool.instance.gpu)

    @property
    def most_batched_tokens(self) -> int:
        """Return the tokens of one step of a rank; default: `get_batch_defaults`, as for sequences."""
        return self.max_num_batched_tokens or (
            8192 if default_max_num_seqs(self.pool.instance.gpu) == 1024 else 2048
        )


def role_stack(
    machine: Server,
    gpu: Gpu,
    args: Mapping[str, object],
    *,
    count: int = 1,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    data_parallel: int = 1,
) -> RoleStack:
    """Return a role as its template and engine arguments describe it; exact argument names, no dashes."""
    gpus = tensor_parallel * pipeline_parallel * data_parallel
    utilization = args.get("gpu-memory-utilization")
    return RoleStack(
        pool=Pool(
            count=count,
            instance=Instance(
                gpu=gpu,
                tensor_parallel=tensor_parallel,
                pipeline_parallel=pipeline_parallel,
                data_parallel=data_parallel,
                network_gbit_per_s=machine.network_gbit_per_s * min(1.0, gpus / machine.gpus),
                kv_cache_dtype=str(args.get("kv-cache-dtype", "auto")),
            ),
        ),
        max_model_len=read_size(args.get("max-model-len")),
        max_num_seqs=read_size(args.get("max-num-seqs")),
        gpu_memory_utilization=float(utilization) if isinstance(utilization, int | float) else 0.9,
        precision=_ONLINE_QUANTIZATION.get(str(args.get("quantization"))),
        max_num_batched_tokens=read_size(args.get("max-num-batched-tokens")),
        expert_parallel="enable-expert-parallel" in args,
    )


def role_fit(
    model: Model, role: str, stack: RoleStack, concurrency: int, adapters_rank: Sequence[int] = ()
) -> MemoryFit:
    """Return the memory of a role's instances while a group holds that many requests."""
    instance = stack.pool.instance
    return memory_fit(
        model,
        instance.gpu,
        role=role,
        tensor_parallel=instance.tensor_parallel,
        pipeline_parallel=instance.pipeline_parallel,
        data_parallel=instance.data_parallel,
        sequences=PROMPTS_IN_PREFILL if role == "prefill" else ceil(concurrency / stack.pool.count),
        longest_sequence_tokens=stack.max_model_len or model.max_context,
        gpu_memory_utilization=stack.gpu_memory_utilization,
        adapters_rank=adapters_rank,
        precision=stack.precision,
        kv_cache_dtype=instance.kv_cache_dtype,
        max_num_seqs=stack.max_num_seqs,
    )


def most_sequences(roles: Mapping[str, RoleStack]) -> int:
    """Return how many answers the engines of a group may write at once: max-num-seqs of each rank."""
    stack = roles["decode"] if "decode" in roles else roles["serve"]
    instance = stack.pool.instance
    return stack.pool.count * instance.data_parallel * stack.most_sequences


def read_size(value: object) -> int | None:
    """Read a size as vLLM does; None where it says auto, or nothing that counts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value > 0 else None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgKMG]?)", value) if isinstance(value, str) else None
    return int(float(match[1]) * _SUFFIXES[match[2]]) if match else None
