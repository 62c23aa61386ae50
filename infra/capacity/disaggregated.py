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
from infra.capacity.solving import crossing
from infra.capacity.state import State, States

POOL_BUSY_SHARE = 0.9
"""Load up to which a pool's line stays short; no public rows tell it, so it is chosen."""
_CLOSE = 1e-4
_ROUNDS = 6


def apart(group: Group, load: Load, factor: float) -> States:
    """Return the states of a group whose prompts and answers, and maybe images, have engines of their own.

    The first token comes from the decode engine, after the prompt's KV cache has reached it.
    """
    decode = group.roles["decode"]
    batches, space = virtual_ranks(decode), room(decode, load)
    later = max(1, load.output_tokens - 1)
    pools = _pools(group, load, factor)
    lines_of_pools = tuple(pools.values())
    full_ms = plain_step_ms(decode, load, space, factor)
    limits = {role: POOL_BUSY_SHARE * queue.servers / queue.service_ms for role, queue in pools.items()}
    limits["decode"] = batches * space / (later * full_ms)
    most = min(limits.values())
    bottleneck = min(limits, key=lambda role: limits[role])
    before_decode = sum(queue.service_ms for queue in lines_of_pools)
    before_decode += group.roles["prefill"].transfer_ms_per_token * load.input_tokens
    before_decode += arriving_ms(decode.constants, load.input_tokens)

    def times(rate: float) -> tuple[float, float, float]:
        """Return the step, the time to first token without lines, and the time in lines."""
        step = full_ms
        for _ in range(_ROUNDS):
            before, here = step, min(space, max(1.0, rate * later * step / batches))
            step = plain_step_ms(decode, load, here, factor)
            if abs(step - before) < _CLOSE * step:
                break
        # The rest of one step on average, and a whole one.
        return step, before_decode + 1.5 * step, waits(lines_of_pools, rate).mean_ms

    def at(concurrency: float) -> State:
        def in_flight(rate: float) -> float:
            step, unhindered, lines = times(rate)
            return rate * (unhindered + lines + later * step) - concurrency

        rate = crossing(in_flight, 0.0, most, _CLOSE)
        step, unhindered, lines = times(rate)
        # Requests beyond what the slowest role can take wait in front of it.
        ttft = max(unhindered + lines, concurrency / rate - later * step)
        running = min(batches * space, rate * later * step)
        full = running >= batches * space * 0.999
        return State(
            ttft_ms=ttft,
            tpot_ms=step,
            rate_per_ms=concurrency / (ttft + later * step),
            running=running,
            bottleneck=bottleneck,
            limit="compute" if bottleneck != "decode" else "memory" if full else "bandwidth",
            unhindered_ms=unhindered,
            residual_ms=step / 2,
            queues=(*lines_of_pools, Queue(service_ms=later * step, servers=batches * space)),
        )

    return at


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
