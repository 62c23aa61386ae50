"""The engines of a stack: started when the waker says so, and ended."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from subprocess import Popen

from infra.local import health, processes
from infra.local.processes import Process
from infra.local.progress import Progress, elapsed
from infra.local.serve.engines import StandIn
from infra.local.serve.place import ServeFolder
from infra.local.serve.waker import NO_TRAFFIC, Decision, Seen, State, Traffic

AFTER_FAILURE_SECONDS = 30.0
"""Before an engine is started again that could not start."""


@dataclass(slots=True)
class _Engine:
    """The engines of one endpoint, as they are."""

    stand_in: StandIn
    needed: bool
    """Whether it is always awake."""
    state: State = State.ASLEEP
    children: dict[str, Popen[bytes]] = field(default_factory=dict)
    since: float = 0.0
    busy_at: float = 0.0
    not_before: float = 0.0
    waits_for_memory: bool = False


class Engines:
    """The endpoints whose engines run on this machine."""

    def __init__(
        self,
        stand_ins: Iterable[StandIn],
        folder: ServeFolder,
        progress: Progress,
        *,
        needed: Iterable[str],
    ) -> None:
        always = set(needed)
        self._engines = {
            one.endpoint.name: _Engine(one, needed=one.endpoint.name in always)
            for one in stand_ins
            if one.processes
        }
        self._folder, self._progress = folder, progress

    @property
    def queues(self) -> Mapping[str, int]:
        """Return how many requests the gateway holds at most, by endpoint."""
        return {name: one.stand_in.endpoint.limits.queue for name, one in self._engines.items()}

    def look(self, traffic: Mapping[str, Traffic]) -> tuple[Seen, ...]:
        """Return the endpoints as they are now; say which have woken, and which have ended by themselves."""
        now = time.monotonic()
        for name, engine in self._engines.items():
            if engine.state is not State.ASLEEP:
                self._check(name, engine)
            if traffic.get(name, NO_TRAFFIC).any:
                engine.busy_at = now
        return tuple(
            Seen(
                name=name,
                state=engine.state,
                traffic=_wanted(engine, traffic.get(name, NO_TRAFFIC), now),
                memory_gib=engine.stand_in.memory_gib,
                idle_seconds=now - max(engine.busy_at, engine.since),
                sleeps_after_seconds=float("inf") if engine.needed else engine.stand_in.idle_seconds,
            )
            for name, engine in self._engines.items()
        )

    def follow(self, decision: Decision) -> None:
        """Wake and put to sleep."""
        for name in decision.sleep:
            self._end(self._engines[name])
            self._progress.note(f"{name} sleeps: no request for a while")
        for name in decision.wake:
            self._wake(name, self._engines[name])
        for name in decision.short_of_memory:
            engine = self._engines[name]
            if not engine.waits_for_memory:
                engine.waits_for_memory = True
                needs = f"{engine.stand_in.memory_gib:g} GiB"
                self._progress.note(f"{name} waits for {needs} of memory: others have to sleep first")

    def _wake(self, name: str, engine: _Engine) -> None:
        why = "is always awake" if engine.needed else "has a request"
        self._progress.note(f"{name} {why}: it wakes")
        rmtree(self._folder.transfer / name, ignore_errors=True)
        engine.state, engine.since, engine.waits_for_memory = State.WAKING, time.monotonic(), False
        for process in engine.stand_in.processes:
            engine.children[process.name] = processes.start(self._folder.path, process)

    def _check(self, name: str, engine: _Engine) -> None:
        ended = [one for one in engine.stand_in.processes if engine.children[one.name].poll() is not None]
        if ended:
            words = health.log_end(self._folder.path, ended[0].name)
            self._progress.note(f"{ended[0].name} has ended; {_log(self._folder, ended[0])} ends:\n{words}")
            if engine.state is State.WAKING:
                engine.not_before = time.monotonic() + AFTER_FAILURE_SECONDS
            self._end(engine)
        elif engine.state is State.WAKING and not health.sick(engine.stand_in.processes):
            self._progress.note(f"{name} is awake ({elapsed(time.monotonic() - engine.since)})")
            engine.state, engine.since = State.AWAKE, time.monotonic()

    def _end(self, engine: _Engine) -> None:
        """End the engines of an endpoint.

        Why at once: an engine that is asked to end answers 500 until it has. One that is gone refuses
        connections, and the gateway holds what comes.
        """
        processes.stop(self._folder.path, engine.children, patience_seconds=0)
        for child in engine.children.values():
            child.wait()
        engine.children.clear()
        engine.state = State.ASLEEP


def _wanted(engine: _Engine, traffic: Traffic, now: float) -> Traffic:
    """Return the traffic that may wake an endpoint: none just after it could not start."""
    if engine.state is not State.ASLEEP:
        return traffic
    if now < engine.not_before:
        return NO_TRAFFIC
    return Traffic(held=1, active=0) if engine.needed else traffic


def _log(folder: ServeFolder, process: Process) -> Path:
    return folder.path / "logs" / f"{process.name}.log"
