"""Say what a long step does, how far it is and how long it has taken; plain lines where no person watches."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.status import Status

PLAIN_LINE_EVERY_SECONDS = 30.0
"""A log that is silent for longer looks like a program that hangs."""


def elapsed(seconds: float) -> str:
    """Write a duration as people read it: 7s, 2m05s."""
    whole = round(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60:02}s"


@dataclass(slots=True)
class Step:
    """One step under way; `say` tells how far it is."""

    title: str
    started: float = field(default_factory=time.monotonic)
    detail: str = ""
    result: str = ""

    def say(self, detail: str) -> None:
        """Tell how far the step is."""
        self.detail = detail

    def finish(self, result: str) -> None:
        """Tell what came of the step: the line that stays says it instead of the title."""
        self.result = result

    def line(self) -> str:
        """Return what is going on, in one line."""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.title}{detail} ({elapsed(time.monotonic() - self.started)})"


class Progress:
    """Prints steps: a moving line on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print one line that stays."""
        self._console.print(text, markup=False)

    @contextmanager
    def step(self, title: str, *, quiet: bool = False) -> Iterator[Step]:
        """Show a step while it runs and its duration when it ends; a quiet one leaves no line when done."""
        step = Step(title)
        show = _Terminal if self._console.is_terminal else _Plain
        with show(self._console, step):
            yield step
        if not quiet:
            self.note(f"{step.result or step.title} ({elapsed(time.monotonic() - step.started)})")


class _Shown(threading.Thread):
    """Refreshes the line of a step until the step ends."""

    interval_seconds: float

    def __init__(self, console: Console, step: Step) -> None:
        super().__init__(daemon=True)
        self.console, self.shown = console, step
        self.ended = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.join()


class _Plain(_Shown):
    interval_seconds = PLAIN_LINE_EVERY_SECONDS

    def run(self) -> None:
        while not self.ended.wait(self.interval_seconds):
            self.console.print(f"  {self.shown.line()}", markup=False)


class _Terminal(_Shown):
    interval_seconds = 0.2

    def run(self) -> None:
        with Status("", console=self.console) as status:
            while True:
                # rich reads square brackets as markup; package paths hold none, titles do
                status.update(self.shown.line().replace("[", r"\["))
                if self.ended.wait(self.interval_seconds):
                    return
