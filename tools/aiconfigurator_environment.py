"""A virtual environment with NVIDIA's kernel tables, made once in the cache folder."""

from pathlib import Path

from infra.local.locked_environment import locked_environment
from infra.local.progress import Progress

LOCK = Path(__file__).with_name("aiconfigurator.lock")


def aiconfigurator_python(progress: Progress) -> Path:
    """Return the interpreter of the environment; every package of its lock file has its hash."""
    return locked_environment(LOCK, progress) / "python"
