"""The configuration that counts now: read again when its file changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from infra.moderation.config import Config, ConfigError, parse
from infra.moderation.journal import Journal
from infra.moderation.panel import Panel

SECONDS_BETWEEN_LOOKS = 1.0
"""The file is small, and a ConfigMap's takes a minute to arrive anyway."""


class Reloading:
    """Holds the panel of the newest configuration that was good."""

    def __init__(self, path: Path, make: Callable[[Config], Panel], journal: Journal) -> None:
        self._path = path
        self._make = make
        self._journal = journal
        self._text = path.read_bytes()
        self._panel = make(parse(self._text))

    def panel(self) -> Panel:
        """Return the judges to ask."""
        return self._panel

    async def watch(self) -> None:
        """Look for a new file again and again."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            await asyncio.to_thread(self.look)  # a list of many words takes seconds

    def look(self) -> None:
        """Take a new configuration if there is one; keep the old one where the new one is wrong."""
        try:
            text = self._path.read_bytes()
            if text == self._text:
                return
            self._text = text
            self._panel = self._make(parse(text))
        except (ConfigError, OSError) as error:
            why = error.strerror or "not readable" if isinstance(error, OSError) else str(error)
            self._journal.say("configuration kept", why=why)
        else:
            self._journal.say("configuration changed")
