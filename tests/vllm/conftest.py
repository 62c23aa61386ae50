"""Make vLLM's CPU build available to the tests that ask for it."""

from pathlib import Path

import pytest

from infra.local.progress import Progress
from infra.local.vllm_environment import vllm_python


@pytest.fixture(scope="session")
def vllm(pytestconfig: pytest.Config) -> Path:
    """Return an interpreter that can import vLLM 0.32.0."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return vllm_python(Progress())
