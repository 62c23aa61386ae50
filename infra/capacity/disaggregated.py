"""Roles apart: each has its engines, the slowest sets the rate, and the KV cache travels between them."""

from infra.capacity.batching import (
    arriving_ms,
    fixed_ms,
    plain_step_ms,
    prompt_attention_ms,
    room,
    virtual_ranks,
)
from infra.capacity.group import Group, RoleEngine
from infra.capacity.load import Load
from infra.capacity.queueing import Queue, waits
from infra.capacity.state import State

POOL_BUSY_SHARE = 0.9
"""Load up to which a pool's line stays short; no public rows tell it, so it is chosen."""
_ROUNDS = 30


def apart(group: Group, load: Load, concurrency: float, factor: float) -> State:
    """Return a group whose prompts and answers, and maybe images, have engines of their own.

    The first token comes from the decode engine, after the prompt's KV cache has reached it.
    """
    decode = group.roles["decode"]
    batches = virtual_ranks(decode)
    space = room(decode, load)
    pools = _pools(group, load, factor)
    transfer = group.roles["prefill"].transfer_ms_per_token * load.input_tokens
    limits = {role: POOL_BUSY_SHARE * queue.servers / queue.service_ms for role, queue in pools.items()}
    service = (
        arriving_ms(decode.constants, load.input_tokens)
        + sum(queue.service_ms for queue in pools.values())
        + transfer
    )
    here, step, unhindered, ttft, rate = 1.0, 0.0, 0.0, 0.0, 0.0
    for _ in range(_ROUNDS):
        step = plain_step_ms(decode, load, max(1.0, here), factor)
        unhindered = service + 1.5 * step  # the rest of one step on average, and a whole one
        slots = batches * space / (load.output_tokens * step)
        most = min(*limits.values(), slots)
        lines = waits(tuple(pools.values()), min(rate, most)).mean_ms
        free = concurrency / (unhindered + lines + (load.output_tokens - 1) * step)
        rate = min(free, most)
        here = min(space, rate * load.output_tokens * step / batches)
    # Requests beyond what the slowest role can take wait in front of it.
    ttft = max(unhindered + lines, concurrency / rate - (load.output_tokens - 1) * step)
    use = {role: rate / limit for role, limit in limits.items()} | {"decode": rate / slots}
    bottleneck = max(use, key=lambda role: use[role])
    full = here >= space * 0.999
    return State(
        ttft_ms=ttft,
        tpot_ms=step,
        rate_per_ms=rate,
        running=here * batches,
        bottleneck=bottleneck,
        limit="compute" if bottleneck != "decode" else "memory" if full else "bandwidth",
        unhindered_ms=unhindered,
        residual_ms=step / 2,
        queues=(
            *pools.values(),
            Queue(service_ms=load.output_tokens * step, servers=batches * space),
        ),
    )


def _pools(group: Group, load: Load, factor: float) -> dict[str, Queue]:
    """Return the lines in front of decode."""
    prefill = group.roles["prefill"]
    pools = {}
    prompt = factor * _prompt_ms(prefill, load)
    if "encode" in group.roles:
        encode = group.roles["encode"]
        image = encode.encode_ms_per_token * load.image_tokens
        if image:
            pools["encode"] = Queue(service_ms=image, servers=encode.count)
    else:
        prompt += prefill.encode_ms_per_token * load.image_tokens
    pools["prefill"] = Queue(service_ms=prompt, servers=virtual_ranks(prefill))
    return pools


def _prompt_ms(prefill: RoleEngine, load: Load) -> float:
    """Return the time in which one batch reads a prompt, in as many steps as it takes."""
    budget = prefill.max_num_batched_tokens
    whole, rest = divmod(load.new_tokens, budget)
    dense = whole * prefill.steps.dense_ms(budget, mixed=True)
    dense += prefill.steps.dense_ms(rest, mixed=True) if rest else 0.0
    steps = whole + (1 if rest else 0)
    return dense + prompt_attention_ms(prefill, load) + steps * fixed_ms(prefill, 1)
