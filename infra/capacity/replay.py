"""Replay a benchmark run on one rank, request by request: what a measured mean is made of.

Why beside the closed form: a benchmark starts all its requests at once. That first wave waits far longer
than any later request, and with ten requests for each place in flight it makes up a tenth of the mean. This
is what steady-state estimates of TTFT miss.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import ceil

from infra.capacity.batching import fixed_ms, frontend_ms, virtual_ranks
from infra.capacity.group import RoleEngine
from infra.capacity.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a run."""

    new_tokens: int
    past_tokens: int
    output_tokens: int
    after_ms: float | None = None
    """When it is sent; None: as soon as an earlier one is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the client of a run saw; milliseconds, in the order of the requests."""

    ttft_ms: tuple[float, ...]
    tpot_ms: tuple[float, ...]
    duration_ms: float
    output_tokens: int

    @property
    def ttft_mean_ms(self) -> float:
        """Return the mean time to first token."""
        return sum(self.ttft_ms) / len(self.ttft_ms)

    @property
    def tpot_mean_ms(self) -> float:
        """Return the mean over requests of their mean time per token."""
        return sum(self.tpot_ms) / len(self.tpot_ms)

    @property
    def output_tps(self) -> float:
        """Return output tokens per second over the whole run."""
        return self.output_tokens / self.duration_ms * 1000


@dataclass(slots=True)
class _State:
    now_ms: float = 0.0
    frontend_ms: float = 0.0
    steps: int = 0
    held_bytes: float = 0.0
    context_tokens: float = 0.0
    decoding: int = 0
    arriving: list[tuple[float, int]] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    prefilling: deque[list[int]] = field(default_factory=deque)
    """Number, tokens left, tokens done."""
    ends: list[tuple[int, int]] = field(default_factory=list)


def closed_loop(load: Load, requests: int, shortest: float = 1.0) -> tuple[Request, ...]:
    """Return requests for a closed loop, whose lengths lie evenly between a share of the load's and all.

    Lengths go through their range in the steps of the golden ratio: even, unordered, and always the same.
    """
    golden = 0.6180339887498949
    spread = [((number * golden) % 1.0, (number * golden * golden * 5) % 1.0) for number in range(requests)]
    return tuple(
        Request(
            new_tokens=max(1, round(load.new_tokens * (shortest + (1 - shortest) * one))),
            past_tokens=load.cached_tokens,
            output_tokens=max(2, round(load.output_tokens * (shortest + (1 - shortest) * other))),
        )
        for one, other in spread
    )


def replay(engine: RoleEngine, requests: tuple[Request, ...], concurrency: int) -> Replayed:
    """Return what clients see of one engine, that many requests being in flight at most.

    A run on several ranks or stages is replayed on one of them, with its share of the concurrency.
    """
    ranks = virtual_ranks(engine)
    run = _Run(engine, requests, max(1, ceil(concurrency / ranks)))
    run.play()
    return Replayed(
        ttft_ms=tuple(run.ttft_ms),
        tpot_ms=tuple(run.tpot_ms),
        duration_ms=run.state.now_ms / ranks,
        output_tokens=sum(one.output_tokens for one in requests),
    )


class _Run:
    """The scheduler of one rank, as vLLM's: running sequences first, then prompts in the order they came."""

    def __init__(self, engine: RoleEngine, requests: tuple[Request, ...], concurrency: int) -> None:
        self.engine, self.requests = engine, requests
        self.slots = max(1, min(concurrency, engine.max_num_seqs // engine.stages))
        self.state = _State()
        self.sent_ms = [0.0] * len(requests)
        self.first_ms = [0.0] * len(requests)
        self.ttft_ms = [0.0] * len(requests)
        self.tpot_ms = [0.0] * len(requests)
        self.unsent: Iterator[int] = iter(range(len(requests)))
        for number, request in enumerate(requests):
            if request.after_ms is not None:
                self._send(number, request.after_ms)
        if requests[0].after_ms is None:
            for _ in range(min(concurrency, len(requests))):
                self._send(next(self.unsent), 0.0)

    def play(self) -> None:
        """Step until every request is answered."""
        answered, state = 0, self.state
        while answered < len(self.requests):
            while state.arriving and state.arriving[0][0] <= state.now_ms:
                state.waiting.append(heappop(state.arriving)[1])
            tokens, attention_ms, read = self._schedule()
            if not tokens and not state.decoding:
                state.now_ms = state.arriving[0][0]
                continue
            steps = 1 if tokens else self._steps_alone()
            state.now_ms += steps * self._step_ms(tokens, attention_ms, steps)
            state.steps += steps
            state.context_tokens += steps * state.decoding
            answered += self._end()
            self._begin(read)

    def _send(self, number: int, at_ms: float) -> None:
        """Put a request on its way through the one process that reads them."""
        request, state = self.requests[number], self.state
        tokens = request.new_tokens + request.past_tokens
        self.sent_ms[number] = at_ms
        constants = self.engine.constants
        state.frontend_ms = max(state.frontend_ms, at_ms) + frontend_ms(constants, tokens)
        heappush(state.arriving, (state.frontend_ms + constants.client_ms, number))

    def _bytes(self, number: int) -> float:
        """Return the KV cache that a request holds half-way through its answer."""
        request = self.requests[number]
        tokens = request.past_tokens + request.new_tokens + request.output_tokens / 2
        return self.engine.kv.sequence_bytes(tokens)

    def _schedule(self) -> tuple[int, float, list[int]]:
        """Fill a step with prompts; return their tokens, the time of their attention, and which are read."""
        state, tokens, attention_ms, read = self.state, 0, 0.0, list[int]()
        free = self.engine.max_num_batched_tokens - state.decoding
        while free > 0:
            if not state.prefilling:
                if not state.waiting or state.decoding + len(read) >= self.slots:
                    break
                number = state.waiting[0]
                needed = self._bytes(number)
                if (
                    state.held_bytes
                    and state.held_bytes + needed > self.engine.kv.free_bytes / self.engine.stages
                ):
                    break
                state.waiting.popleft()
                state.held_bytes += needed
                state.prefilling.append([number, self.requests[number].new_tokens, 0])
            number, left, done = state.prefilling[0]
            chunk = min(left, free)
            past = self.requests[number].past_tokens + done
            attention_ms += self.engine.steps.prefill_attention_ms(chunk, past)
            tokens, free = tokens + chunk, free - chunk
            if chunk == left:
                state.prefilling.popleft()
                read.append(number)
            else:
                state.prefilling[0] = [number, left - chunk, done + chunk]
        return tokens, attention_ms, read

    def _steps_alone(self) -> int:
        """Return the steps until an answer ends or, if that is sooner, a request comes."""
        state = self.state
        until_end = state.ends[0][0] - state.steps
        if not state.arriving:
            return until_end
        wait_ms = state.arriving[0][0] - state.now_ms
        return min(until_end, max(1, ceil(wait_ms / self._step_ms(0, 0.0, until_end))))

    def _step_ms(self, tokens: int, attention_ms: float, steps: int) -> float:
        state, times = self.state, self.engine.steps
        total = fixed_ms(self.engine, state.decoding) + attention_ms
        total += times.dense_ms(tokens + state.decoding, mixed=tokens > 0)
        if state.decoding:
            context = state.context_tokens / state.decoding + steps / 2
            total += times.decode_attention_ms(state.decoding, context)
        return total

    def _end(self) -> int:
        """End the answers that are complete, and send the next requests of a closed loop."""
        state, ended = self.state, 0
        while state.ends and state.ends[0][0] <= state.steps:
            number = heappop(state.ends)[1]
            request = self.requests[number]
            ended += 1
            state.decoding -= 1
            state.context_tokens -= request.past_tokens + request.new_tokens + request.output_tokens
            state.held_bytes -= self._bytes(number)
            taken_ms = state.now_ms - self.first_ms[number]
            self.tpot_ms[number] = taken_ms / max(1, request.output_tokens - 1)
            if request.after_ms is None and (following := next(self.unsent, None)) is not None:
                self._send(following, state.now_ms)
        return ended

    def _begin(self, read: Iterable[int]) -> None:
        """Begin the answers of the prompts that were read."""
        state = self.state
        for number in read:
            request = self.requests[number]
            self.first_ms[number] = state.now_ms
            self.ttft_ms[number] = state.now_ms - self.sent_ms[number]
            state.decoding += 1
            state.context_tokens += request.past_tokens + request.new_tokens + 1
            heappush(state.ends, (state.steps + max(1, request.output_tokens - 1), number))
