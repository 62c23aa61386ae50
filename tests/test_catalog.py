"""The catalog: every fact has a source, and facts agree with each other."""

import json
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from infra.capacity.parameters import active_parameters, parameters, weight_bytes
from infra.catalog.hf_config import hf_config
from infra.catalog.load import load_catalog
from infra.catalog.model import Gpu, Model, Sourced

CATALOG = load_catalog()
MODELS = [pytest.param(model, id=name) for name, model in CATALOG.models.items()]


def _sheets() -> Iterator[Sourced]:
    yield from CATALOG.gpus.values()
    yield from CATALOG.machines.values()
    yield from CATALOG.models.values()
    yield from CATALOG.engines.values()


@pytest.mark.parametrize("sheet", [pytest.param(s, id=s.name) for s in _sheets()])
def test_every_value_names_its_source(sheet: Sourced) -> None:
    """The sources of a fact sheet cover exactly the fields that it gives."""
    covered = {field for source in sheet.sources for field in source.of}
    assert sheet.model_fields_set - {"name", "sources"} <= covered
    assert covered <= set(type(sheet).model_fields)


def test_the_catalog_holds_the_families_and_kinds_that_people_serve() -> None:
    """Twelve models at least, of six families; dense, with experts, and with an encoder."""
    models = CATALOG.models.values()
    assert len(models) >= 12
    assert {"qwen", "llama", "deepseek", "gpt-oss", "glm", "kimi"} == {model.family for model in models}
    assert {"dense", "moe", "dense, multimodal", "moe, multimodal"} == {model.kind for model in models}
    assert {"h20", "h100", "h200", "b200", "l40s", "a100-80"} <= set(CATALOG.gpus)


def test_machines_are_built_from_known_gpus_and_named_after_them() -> None:
    """A machine's name is its GPU and their number."""
    for name, machine in CATALOG.machines.items():
        assert name == f"{machine.gpu}-{machine.gpus}"
        assert machine.gpu in CATALOG.gpus


def test_the_public_price_of_a_machine_is_the_lowest_and_may_be_missing() -> None:
    """H20 has no price that may be passed on; of three prices of H100 the lowest counts."""
    assert CATALOG.machines["h20-8"].hourly_usd is None
    assert CATALOG.machines["h100-8"].hourly_usd == 55.04


@pytest.mark.parametrize("model", MODELS)
def test_published_parameter_counts_follow_from_the_architecture(model: Model) -> None:
    """Layers, widths and experts give the published totals within 3 %."""
    encoder = model.vision.weights_gib * 2**30 / 2 if model.vision else 0
    assert model.parameters_b == pytest.approx((parameters(model).total + encoder) / 1e9, rel=0.03)
    # Makers count the input embeddings as active, or not.
    most = (active_parameters(model) + encoder) / 1e9
    least = most - (model.vocab_size * model.hidden_size + encoder) / 1e9
    assert least * 0.97 <= model.active_parameters_b <= most * 1.03


@pytest.mark.parametrize("model", MODELS)
def test_weights_follow_from_the_parameters(model: Model) -> None:
    """The size in the catalog is the one that memory is planned with."""
    assert model.weights_gib == pytest.approx(weight_bytes(model).total / 2**30, abs=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_a_config_json_can_be_written_from_the_facts(model: Model) -> None:
    """It survives JSON, names the class to serve with, and has the numbers that engines plan with."""
    config = json.loads(json.dumps(hf_config(model)))
    text = config.get("text_config", config)
    assert config["architectures"] == [model.architecture]
    assert config["model_type"] == model.model_type
    assert text["model_type"] == (model.text_model_type or model.model_type)
    assert text["num_hidden_layers"] == model.layers
    assert text["num_attention_heads"] == model.attention.heads
    assert text["max_position_embeddings"] == model.max_context
    assert ("vision_config" in config) == model.multimodal
    assert ("quantization_config" in text) == (model.precision != "bf16")


def test_config_json_uses_the_keys_of_each_family() -> None:
    """The number of experts has three names, the compressed cache is DeepSeek's, the window gpt-oss'."""
    deepseek, gpt_oss = hf_config(CATALOG.models["deepseek-v3.2"]), hf_config(CATALOG.models["gpt-oss-120b"])
    assert tuple(deepseek[key] for key in ("n_routed_experts", "first_k_dense_replace", "kv_lora_rank")) == (
        256,
        3,
        512,
    )
    assert tuple(gpt_oss[key] for key in ("num_local_experts", "sliding_window", "intermediate_size")) == (
        128,
        128,
        2880,
    )
    assert hf_config(CATALOG.models["qwen3-30b-a3b"])["num_experts"] == 128


def test_the_engine_names_its_flags_and_metrics_exactly() -> None:
    """Names without dashes, whether they take values, and the connectors that are registered."""
    engine = CATALOG.engines["0.32.0"]
    assert engine.flags["tensor-parallel-size"].takes == "value"
    assert engine.flags["enable-prefix-caching"].negatable
    assert "swap-space" not in engine.flags
    assert "fp8" in engine.flags["kv-cache-dtype"].choices
    assert "NixlConnector" in engine.kv_connectors
    assert "ECExampleConnector" in engine.ec_connectors
    assert "vllm:num_requests_running" in engine.metrics


def test_a_misspelt_fact_is_refused() -> None:
    """An unknown field does not pass silently."""
    h100 = CATALOG.gpus["h100"].model_dump(mode="json")
    with pytest.raises(ValidationError, match="memory_gb"):
        Gpu.model_validate_json(json.dumps(h100 | {"memory_gb": 80}))
