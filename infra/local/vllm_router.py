"""The vllm-router program, in a virtual environment of its own."""

from pathlib import Path

from infra.local.locked_environment import locked_environment
from infra.local.progress import Progress

LOCK = Path(__file__).parent / "vllm" / "vllm_router.lock"


def vllm_router(progress: Progress) -> Path:
    """Return the program; Unavailable where PyPI has no build of it for this machine."""
    return locked_environment(LOCK, progress) / "vllm-router"
