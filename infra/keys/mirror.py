"""Objects of a cluster as files of a folder that Envoy watches, in the order in which Envoy needs them."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.keys.files import PREFIX, put_if_changed

FIRST = ("bootstrap.json", "clusters.json")
LAST = ("listeners.json", "routes.json")

FILE_MODE = 0o640
"""The gateway's container may run as another user of the same group."""

SETTLE_SECONDS = 0.3
"""For Envoy to take new clusters before it gets routes to them: every rename makes it read all files anew."""


def mirror(folder: Path, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Make a folder hold these files and no others; return the names that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    before = {file.name for file in folder.iterdir() if not file.name.startswith(PREFIX)}
    ordered = in_order(wanted)
    earlier = _put(folder, wanted, [name for name in ordered if name not in LAST])
    if before.intersection(LAST) and earlier:
        time.sleep(SETTLE_SECONDS)
    later = _put(folder, wanted, [name for name in ordered if name in LAST])
    gone = sorted(before - set(wanted))
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    return (*earlier, *later, *gone)


def _put(folder: Path, wanted: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [name for name in names if put_if_changed(folder / name, wanted[name], FILE_MODE)]


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return file names so that none refers to what comes after it."""
    turns = {name: turn for turn, name in enumerate((*FIRST, "", *LAST))}
    return tuple(sorted(names, key=lambda name: (turns.get(name, turns[""]), name)))
