"""The moderator's log: JSON lines, never with a text of callers or models."""

import json
import sys
from typing import TextIO


class Journal:
    """Writes a line for whatever is not simply passed."""

    def __init__(self, file: TextIO = sys.stderr) -> None:
        self._file = file

    def decided(self, *, endpoint: str, verdict: str, judge: str, why: str = "") -> None:
        """Log a refusal, or a failure with what went wrong."""
        self.say("decided", endpoint=endpoint, verdict=verdict, judge=judge, why=why)

    def say(self, event: str, **facts: str) -> None:
        """Log an event."""
        kept = {name: fact for name, fact in facts.items() if fact}
        print(json.dumps({"event": event} | kept, ensure_ascii=False), file=self._file, flush=True)
