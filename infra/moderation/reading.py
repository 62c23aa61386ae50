"""Who reads what: small bodies are read at once, large ones in threads while other requests go on."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from infra.moderation.room import LARGE_BYTES

AT_ONCE_BYTES = 32 << 10
"""Up to here reading takes milliseconds, whatever a body is made of."""

LARGE_AT_ONCE = 2

Found = TypeVar("Found")


class Reading:
    """Threads for what is not read at once; Python runs one of them at a time, and changes often."""

    def __init__(self) -> None:
        self._middle = ThreadPoolExecutor(1, thread_name_prefix="middle")
        self._large = ThreadPoolExecutor(LARGE_AT_ONCE, thread_name_prefix="large")

    async def read(self, size_bytes: int, read: Callable[[], Found]) -> Found:
        """Return what reading so many bytes finds."""
        if size_bytes <= AT_ONCE_BYTES:
            return read()
        threads = self._middle if size_bytes <= LARGE_BYTES else self._large
        job = threads.submit(read)
        found = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(found)
        except asyncio.CancelledError:
            if not job.cancel():
                await asyncio.gather(found, return_exceptions=True)  # it has its memory until then
            raise
