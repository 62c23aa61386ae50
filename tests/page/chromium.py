"""A Chromium to look at pages with: the installed one, or Debian's."""

import os
import shutil
import subprocess
from functools import cache

NAMES = ("chromium", "chromium-browser", "google-chrome")


class NoChromiumError(Exception):
    """There is none, and none can be installed."""


@cache
def chromium() -> str:
    """Return the path of a Chromium; installs Debian's package where that is allowed."""
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (("update",), ("install", "--yes", "--no-install-recommends", "chromium")):
            subprocess.run(
                ["apt-get", "--quiet", *arguments],
                check=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        found = _installed()
    if found is None:
        raise NoChromiumError("no Chromium is installed; on Debian: apt-get install chromium")
    return found


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
