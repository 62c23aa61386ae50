"""What stands for each endpoint on this machine, as command lines."""

import json
from pathlib import Path

import pytest
from samples import sample_plan

from infra.local.serve.engines import EngineFiles, StandIn, port_count, stand_in
from infra.plan.model import EndpointPlan

FILES = EngineFiles(
    vllm=Path("/v/vllm"),
    router=Path("/r/vllm-router"),
    model=Path("/m"),
    adapters={("tone", 16): Path("/tone")},
    transfer=Path("/transfer"),
    temporary=Path("/t"),
)
SPECS = {
    "chat": {
        "model": "qwen3-32b",
        "template": "h20-single",
        "units": {"hourly": {"max": 2}},
        "sleep_after": "5m",
        "adapters": ({"name": "tone", "source": "s3://loras/tone", "rank": 16},),
    },
    "agent": {"model": "qwen3-32b", "template": "h20-h200-pd", "units": {"hourly": {"max": 8}}},
    "vision": {"model": "qwen3-vl-32b", "template": "l40s-h100-h20-epd", "units": {"hourly": {"max": 4}}},
}


@pytest.fixture(scope="module")
def endpoints() -> dict[str, EndpointPlan]:
    """An endpoint of each shape."""
    return {endpoint.name: endpoint for endpoint in sample_plan(SPECS).endpoints}


def _stand_in(endpoint: EndpointPlan) -> StandIn:
    return stand_in(endpoint, range(1, 1 + port_count(endpoint)), FILES)


def test_an_engine_serves_the_endpoints_id_and_its_adapters(endpoints: dict[str, EndpointPlan]) -> None:
    """Callers send the same words as in the cluster."""
    found = _stand_in(endpoints["chat"])
    (engine,) = found.processes
    arguments = list(engine.command)
    assert endpoints["chat"].id == arguments[arguments.index("--served-model-name") + 1]
    assert f"{endpoints['chat'].id}:tone=/tone" == arguments[arguments.index("--lora-modules") + 1]
    assert "--max-lora-rank=16" in arguments
    assert (found.address.port, found.idle_seconds) == (1, 300)


def test_roles_apart_hand_over_through_a_folder_behind_the_router(endpoints: dict[str, EndpointPlan]) -> None:
    """The router takes the request; prefill writes what decode reads."""
    found = _stand_in(endpoints["agent"])
    router, prefill, decode = found.processes
    assert ["router-agent", "engine-agent-prefill", "engine-agent-decode"] == [
        process.name for process in found.processes
    ]
    addresses = [argument for argument in router.command if argument.startswith("http://")]
    assert [process.health.removesuffix("/health") for process in (prefill, decode)] == addresses
    assert router.health == f"http://127.0.0.1:{found.address.port}/health"
    roles = {}
    for process in (prefill, decode):
        (written,) = (each for each in process.command if each.startswith("--kv-transfer-config="))
        config = json.loads(written.partition("=")[2])
        roles[config["kv_role"]] = config["kv_connector_extra_config"]["shared_storage_path"]
    assert roles == {"kv_producer": "/transfer/agent", "kv_consumer": "/transfer/agent"}


def test_an_endpoint_with_encoders_is_one_engine_and_says_so(endpoints: dict[str, EndpointPlan]) -> None:
    """Nobody takes it for the real shape."""
    found = _stand_in(endpoints["vision"])
    assert ["engine-vision"] == [process.name for process in found.processes]
    assert found.says == "one engine for all roles: released routers do not route to encoders"
