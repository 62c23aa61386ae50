"""Every role's model fits in its GPUs' memory.

Weights, the KV cache that the tier's concurrency needs and the engine's overhead are counted per GPU, from
the catalog's facts, and held against what vLLM may use of the GPU.

A template that gives qwen3-32b (61 GiB of weights in bf16) one H20 with 96 GiB would **PASS**.
One that gives it one L40S with 48 GiB would **FAIL**.
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import items, number, text
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    template, model = text(resource.props, "template"), text(resource.props, "model")
    for role in items(resource.props, "roles"):
        needed, available = number(role, "memory", "needed_gib"), number(role, "memory", "available_gib")
        if needed > available:
            weights, kv = number(role, "memory", "weights_gib"), number(role, "memory", "kv_gib")
            yield Finding(
                ("template",),
                f"{template} cannot hold {model}: role {text(role, 'name')} needs {needed:.1f} GiB on each "
                f"GPU of {text(role, 'machine')} (weights {weights:.1f}, KV cache {kv:.1f}, "
                f"the rest {needed - weights - kv:.1f}) and has {available:.1f}",
            )


RULE = Rule(
    name="memory-fit",
    description="Weights, KV cache and overhead of every role fit in its GPUs' memory.",
    severity="critical",
    remediation="Choose a template with more or larger GPUs per instance, or a quantised model.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
