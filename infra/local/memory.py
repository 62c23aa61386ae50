"""How much memory programs could still take on this machine."""

import os
import re
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
GIB = 1 << 30


def free_gib() -> float:
    """Return the memory that is free or can be freed; half of all where the machine does not tell."""
    if MEMINFO.exists() and (found := re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(), re.M)):
        return int(found[1]) / (1 << 20)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB / 2
