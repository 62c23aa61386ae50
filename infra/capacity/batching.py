"""Continuous batching with chunked prefill, in closed form.

A step takes one token of every running sequence and fills up to `max_num_batched_tokens` with prompts, so
each prompt delays everyone else's next token. Little's law ties the rest: requests in flight = rate x time.
"""

from dataclasses import dataclass
from math import ceil, exp

from infra.capacity.fitted import Constants
from infra.capacity.group import RoleEngine
from infra.capacity.load import Load
from infra.capacity.queueing import Queue
from infra.capacity.state import State, States

_ROUNDS = 12
_CLOSE = 1e-4
"""The fixed point is found when a round moves it by less than this share, or after so many rounds."""
_FULL = 0.999
"""From this share of the room on, memory is what more requests would need."""


def together(engine: RoleEngine, load: Load, factor: float) -> States:
    """Return the states of a group whose engines both read prompts and write answers.

    `factor` is by how much adapters slow each step down.
    """
    batches = virtual_ranks(engine)
    space = room(engine, load)
    step = _Step(engine, load, factor)
    later = max(1, load.output_tokens - 1)
    arriving = arriving_ms(engine.constants, load.input_tokens)

    def at(concurrency: float) -> State:
        here = concurrency / batches
        running = min(here, space)
        waiting_steps, mean, own_ms, rest_ms = 1.0, _Mean(0.0, 0.0, 0.0, 0.0), 0.0, 0.0
        for _ in range(_ROUNDS):
            decoding = max(1.0, running * later / (later + waiting_steps))
            # A request is held up by the prompts of the others.
            mean = step.mean(decoding, max(0.0, running - 1) / (later + waiting_steps))
            own_ms = step.chunks * step.mixed_ms(decoding, (1 + mean.prompts) / step.chunks)
            # A client of a closed loop sends when a step ends: it waits for the rest of the next one.
            rest_ms = max(0.0, mean.ms - arriving)
            before, waiting_steps = waiting_steps, max(1.0, (rest_ms + own_ms) / mean.ms)
            if abs(waiting_steps - before) < _CLOSE * (later + before):
                break
        unhindered = arriving + mean.residual_ms + own_ms
        # Little's law: whoever neither runs nor arrives waits in front, for room or for prompts to be read.
        rate = min(running / (rest_ms + own_ms + later * mean.ms), step.most(running) / mean.ms)
        ttft = max(arriving + rest_ms + own_ms, here / rate - later * mean.ms)
        return State(
            ttft_ms=ttft,
            tpot_ms=mean.ms,
            rate_per_ms=batches * here / (ttft + later * mean.ms),
            running=running * batches,
            bottleneck="serve",
            limit="memory" if here >= space * _FULL else "compute" if mean.mixed_share > 0.5 else "bandwidth",
            unhindered_ms=unhindered,
            residual_ms=mean.residual_ms,
            queues=(
                Queue(service_ms=step.prompt_ms(running), servers=batches),
                Queue(service_ms=unhindered + later * mean.ms, servers=batches * space),
            ),
        )

    return at


def virtual_ranks(engine: RoleEngine) -> int:
    """Return the batches that run side by side in a group: each pipeline stage is busy with another one."""
    return engine.count * engine.ranks * engine.stages


def room(engine: RoleEngine, load: Load) -> float:
    """Return how many sequences one batch may have: max-num-seqs or the KV cache, whichever is less."""
    held = min(engine.max_num_seqs, engine.kv.sequences(load.context_tokens))
    return max(1.0, held / engine.stages)


def arriving_ms(constants: Constants, input_tokens: int) -> float:
    """Return the time between client and engine, and of the process that tokenizes."""
    return constants.client_ms + frontend_ms(constants, input_tokens)


def frontend_ms(constants: Constants, input_tokens: int) -> float:
    """Return the time of the one process that takes requests in."""
    return constants.frontend_ms + constants.frontend_ms_per_token * input_tokens


def plain_step_ms(engine: RoleEngine, load: Load, decoding: float, factor: float) -> float:
    """Return the time of a step that writes one token of each answer and reads no prompt."""
    attention = engine.steps.decode_attention_ms(decoding, load.context_tokens)
    return factor * (engine.steps.dense_ms(decoding, mixed=False) + attention) + fixed_ms(engine, decoding)


def prompt_attention_ms(engine: RoleEngine, load: Load) -> float:
    """Return the attention of one whole prompt, chunk after chunk."""
    done, total = 0, 0.0
    while done < load.new_tokens:
        chunk = min(engine.max_num_batched_tokens, load.new_tokens - done)
        total += engine.steps.prefill_attention_ms(chunk, load.cached_tokens + done)
        done += chunk
    return total


def fixed_ms(engine: RoleEngine, decoding: float) -> float:
    """Return what a step takes beside its kernels; each hop between pipeline stages as much again."""
    return engine.constants.step_ms * engine.stages + engine.constants.sequence_ms * decoding


@dataclass(frozen=True, slots=True)
class _Mean:
    """The mean step of a batch."""

    ms: float
    prompts: float
    mixed_share: float
    """Of the time, what goes into steps with prompts."""
    residual_ms: float
    """Mean time until the step ends into which a request arrives that comes at random."""


class _Step:
    """The steps of one batch under one load."""

    def __init__(self, engine: RoleEngine, load: Load, factor: float) -> None:
        self.engine, self.load, self.factor = engine, load, factor
        self.attention_ms = prompt_attention_ms(engine, load)
        self.chunks = ceil(load.new_tokens / engine.max_num_batched_tokens)

    def mixed_ms(self, decoding: float, prompts: float) -> float:
        """Return the time of a step with that many prompts; what does not fit waits for the next."""
        engine, load = self.engine, self.load
        prompts = min(prompts, self.most(decoding))
        dense = engine.steps.dense_ms(prompts * load.new_tokens + decoding, mixed=True)
        answers = engine.steps.decode_attention_ms(decoding, load.context_tokens)
        kernels = dense + prompts * self.attention_ms + answers
        return self.factor * kernels + fixed_ms(engine, decoding)

    def mean(self, decoding: float, prompts: float) -> _Mean:
        """Return the mean step when each brings that many prompts; as many as fit, where that is fewer."""
        most = self.most(decoding)
        prompts = min(prompts, most)
        mixed = max(1e-9, min(1.0, max(prompts / most, 1 - exp(-prompts))))
        plain_ms = plain_step_ms(self.engine, self.load, decoding, self.factor)
        mixed_ms = self.mixed_ms(decoding, prompts / mixed)
        ms = (1 - mixed) * plain_ms + mixed * mixed_ms
        residual = ((1 - mixed) * plain_ms**2 + mixed * mixed_ms**2) / (2 * ms)
        return _Mean(ms, prompts, mixed * mixed_ms / ms, residual)

    def prompt_ms(self, decoding: float) -> float:
        """Return the time of a full step that falls to each prompt."""
        most = self.most(decoding)
        return self.mixed_ms(decoding, most) / most

    def most(self, decoding: float) -> float:
        """Return the prompts, or the part of one, that fit into a step."""
        return max(1.0, self.engine.max_num_batched_tokens - decoding) / self.load.new_tokens
