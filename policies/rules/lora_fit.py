"""LoRA adapters fit the engine and its memory.

vLLM serves adapters up to rank 512, and only up to the --max-lora-rank it was started with. The slots that
it sets aside for them, every adapter at the largest rank, take GPU memory from the KV cache, so they have
to fit beside the model in every role.

With `max-lora-rank: 64` in the template, this would **PASS**:

    adapters: [{name: tone, source: "s3://loras/tone", rank: 16}]

This would **FAIL**:

    adapters: [{name: tone, source: "s3://loras/tone", rank: 128}]
"""

from collections.abc import Iterator, Sequence

from infra.names import ENDPOINT
from policies.reading import at, items, items_or_none, number, text, whole
from policies.rule import Context, Finding, Resource, Rule

_MAX_RANK = 512
"""The largest choice of --max-lora-rank in vLLM 0.32.0."""


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    adapters, roles = items(resource.props, "adapters"), items(resource.props, "roles")
    if not adapters:
        return
    most = min([_MAX_RANK, *(rank for role in roles for rank in _max_rank(items_or_none(role, "args")))])
    for index, adapter in enumerate(adapters):
        rank = whole(adapter, "rank")
        if rank > most:
            yield Finding(
                ("adapters", index, "rank"),
                f"must be at most {most}, the largest that the engine is started for, got {rank}",
            )
    for role in roles:
        spare = number(role, "memory", "available_gib") - number(role, "memory", "needed_gib")
        taken = number(role, "memory", "adapters_gib")
        if spare < 0 <= spare + taken:
            yield Finding(
                ("adapters",),
                f"must take at most {spare + taken:.1f} GiB on each GPU of role {text(role, 'name')}, "
                f"got {taken:.1f}: serve fewer adapters, or of lower rank",
            )


def _max_rank(args: Sequence[object]) -> Iterator[int]:
    """Read --max-lora-rank from a vLLM argument list, in either way of writing it."""
    for index, argument in enumerate(args):
        flag, _, value = str(argument).partition("=")
        if flag == "--max-lora-rank":
            written = value or str(at(args, index + 1))
            if written.isdecimal():
                yield int(written)


RULE = Rule(
    name="lora-fit",
    description="LoRA adapters are within the engine's rank limit and fit in GPU memory.",
    severity="medium",
    remediation="Serve fewer adapters or of lower rank, or raise max-lora-rank in the template.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
