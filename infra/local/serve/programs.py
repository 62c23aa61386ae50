"""Every program and file that serving a stack needs, found or made before anything starts."""

from collections.abc import Collection
from pathlib import Path

from infra.local.envoy import envoy_program
from infra.local.folders import Folders
from infra.local.parts import RATELIMIT
from infra.local.progress import Progress
from infra.local.redis import redis
from infra.local.serve.engines import EngineFiles
from infra.local.serve.gateway import GatewayPrograms
from infra.local.serve.model_cache import adapter_folder, model_folder
from infra.local.toolchain import Toolchain
from infra.local.vllm_environment import vllm_python
from infra.local.vllm_router import vllm_router
from infra.plan.model import EndpointPlan


def gateway_programs(folders: Folders, progress: Progress, *, limited: bool) -> GatewayPrograms:
    """Return the gateway's programs; Redis and ratelimit only where an endpoint has limits per minute."""
    return GatewayPrograms(
        envoy=envoy_program(progress),
        redis=redis(progress) if limited else None,
        ratelimit=Toolchain(folders, progress).find_all([RATELIMIT])[RATELIMIT.name].path
        if limited
        else None,
    )


def engine_files(
    endpoints: Collection[EndpointPlan], progress: Progress, *, transfer: Path, temporary: Path
) -> EngineFiles:
    """Return what the engines of these endpoints run from."""
    with_router = any(endpoint.shape == "prefill-decode" for endpoint in endpoints)
    adapters = {
        (adapter.name, adapter.rank): adapter_folder(adapter)
        for endpoint in endpoints
        for adapter in endpoint.adapters
    }
    return EngineFiles(
        vllm=vllm_python(progress).with_name("vllm"),
        router=vllm_router(progress) if with_router else None,
        model=model_folder(),
        adapters=adapters,
        transfer=transfer,
        temporary=temporary,
    )
