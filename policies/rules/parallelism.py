"""Parallel sizes fit the model and the machine.

Tensor parallelism divides the attention heads, shares or repeats the KV heads evenly, and stays within one
machine, whose GPUs NVLink connects. An instance over several machines has as many GPUs on each, in whole
tensor-parallel groups. Every pipeline stage has a layer. Decode has at least the tensor parallelism of
prefill unless the model keeps one latent KV for all heads (MLA); the Mooncake connector needs both equal.
Sources: llm-d docs/operations/disaggregation/vllm.md and guides/pd-disaggregation.

With a model of 64 attention heads on machines of 8 GPUs, this would **PASS**:

    prefill: {tensor_parallel: 2}
    decode:  {tensor_parallel: 8}

This would **FAIL**, twice:

    prefill: {tensor_parallel: 8}
    decode:  {tensor_parallel: 6}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import flag, items, text, text_or_none, whole
from policies.rule import Context, Finding, Resource, Rule

_AT = ("template",)


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    template = text(resource.props, "template")
    roles = {text(role, "name"): role for role in items(resource.props, "roles")}
    for name, role in roles.items():
        for complaint in _role(role):
            yield Finding(_AT, f"{template}: role {name}: {complaint}")
    if "prefill" in roles and "decode" in roles:
        connector = text_or_none(resource.props, "kv_connector") or ""
        for complaint in _pair(roles["prefill"], roles["decode"], connector):
            yield Finding(_AT, f"{template}: {complaint}")


def _role(role: object) -> Iterator[str]:
    tensor, heads = whole(role, "tensor_parallel"), whole(role, "attention_heads")
    kv_heads, per_machine = whole(role, "kv_heads"), whole(role, "gpus_per_machine")
    machine, gpus = text(role, "machine"), whole(role, "gpus")
    if tensor < 1 or heads % tensor:
        divisors = [size for size in range(1, per_machine + 1) if heads % size == 0]
        yield (f"tensor_parallel must divide {heads} attention heads: {_listed(divisors)}, got {tensor}")
    elif not flag(role, "mla") and kv_heads % tensor and tensor % kv_heads:
        yield f"tensor_parallel must divide {kv_heads} KV heads or be a multiple of them, got {tensor}"
    if tensor > per_machine:
        yield f"tensor_parallel must fit one {machine}: at most {per_machine}, got {tensor}"
    machines = whole(role, "machines_per_instance")
    if machines > 1 and gpus % machines:
        yield f"an instance must have as many GPUs on each of its {machines} machines, got {gpus} in all"
    elif machines > 1 and tensor <= per_machine and gpus // machines % tensor:
        yield (
            f"the {gpus // machines} GPUs of an instance on each of its {machines} machines must be a "
            f"multiple of tensor_parallel {tensor}: no layer is shared between machines"
        )
    pipeline, layers = whole(role, "pipeline_parallel"), whole(role, "layers")
    if pipeline > layers:
        yield f"pipeline_parallel must be at most the model's {layers} layers, got {pipeline}"


def _pair(prefill: object, decode: object, connector: str) -> Iterator[str]:
    before, after = whole(prefill, "tensor_parallel"), whole(decode, "tensor_parallel")
    if connector.startswith("Mooncake"):
        if before != after:
            yield (
                f"{connector} needs the same tensor_parallel in prefill and decode, got {before} and {after}"
            )
    elif after < before and not flag(decode, "mla"):
        yield f"role decode: tensor_parallel must be at least prefill's {before}, got {after}"


def _listed(sizes: list[int]) -> str:
    *most, last = sizes or [1]
    return f"{', '.join(map(str, most))} or {last}" if most else str(last)


RULE = Rule(
    name="parallelism",
    description="Parallel sizes divide the model's heads, fit the machine, and agree between roles.",
    severity="high",
    remediation="Correct the roles of the template, or choose another template for this model.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
