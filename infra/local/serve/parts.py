"""The gateway's processes while they run: started together, and again where one dies."""

import time
from collections.abc import Sequence
from subprocess import Popen

from infra.local import health, processes
from infra.local.processes import Process
from infra.local.progress import Progress
from infra.local.serve.errors import ServeError
from infra.local.serve.place import ServeFolder

DEATHS = 3
WITHIN_SECONDS = 60.0
"""A part that dies so often will go on dying."""

AGAIN_SECONDS = 1.0


def gives_up(died_at: Sequence[float], now: float) -> bool:
    """Tell whether a part has died too often to be started again."""
    return sum(now - at < WITHIN_SECONDS for at in died_at) >= DEATHS


class Parts:
    """The gateway's processes."""

    def __init__(self, wanted: Sequence[Process], folder: ServeFolder, progress: Progress) -> None:
        self._wanted = tuple(wanted)
        self._folder, self._progress = folder, progress
        self._children: dict[str, Popen[bytes]] = {}
        self._died_at: dict[str, list[float]] = {process.name: [] for process in wanted}

    def start(self) -> None:
        """Start all of them, and wait until each answers."""
        names = ", ".join(process.name for process in self._wanted)
        with self._progress.step(f"gateway is up: {names}"):
            for process in self._wanted:
                self._start(process)
                self._wait(process)

    def mend(self) -> None:
        """Start again what has died a moment ago; ServeError where that does not help."""
        now = time.monotonic()
        for process in self._wanted:
            died_at = self._died_at[process.name]
            child = self._children.get(process.name)
            if child is not None and child.poll() is not None:
                del self._children[process.name]
                died_at.append(now)
                self._progress.note(
                    f"{process.name} has ended: {_how(child.returncode)}\n{self._words(process)}"
                )
                if gives_up(died_at, now):
                    raise ServeError(f"{process.name} ends again and again: {self._log(process)}")
            elif child is None and now - died_at[-1] >= AGAIN_SECONDS:
                self._start(process)
                self._progress.note(f"{process.name} is started again")

    def _start(self, process: Process) -> None:
        self._children[process.name] = processes.start(self._folder.path, process)

    def _wait(self, process: Process) -> None:
        deadline = time.monotonic() + health.HEALTHY_SECONDS
        while not health.answers(process.health):
            ended = self._children[process.name].poll()
            if ended is not None or time.monotonic() > deadline:
                how = "does not answer" if ended is None else f"has ended: {_how(ended)}"
                where = f"the end of {self._log(process)}"
                raise ServeError(f"{process.name} {how}; {where}:\n{self._words(process)}")
            time.sleep(0.05)

    def _words(self, process: Process) -> str:
        return health.last_words(self._folder.path, process)

    def _log(self, process: Process) -> str:
        return str(self._folder.path / "logs" / f"{process.name}.log")


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"code {code}"
