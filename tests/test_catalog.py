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
    """Forty models at least, of eight families; dense, with experts, and with an encoder; in every format."""
    models = CATALOG.models.values()
    families = {"qwen", "llama", "deepseek", "gpt-oss", "glm", "kimi", "minimax", "mistral"}
    assert len(models) >= 40
    assert families == {model.family for model in models}
    assert {"dense", "moe", "dense, multimodal", "moe, multimodal"} == {model.kind for model in models}
    assert {"bf16", "fp8", "mxfp4", "nvfp4", "int4"} == {model.precision for model in models}
    assert {"h20", "h100", "h200", "b200", "l40s", "a100-80", "b300", "gb200", "gb300"} <= set(CATALOG.gpus)
    assert {"rtx-pro-6000", "h800", "a100-pcie-80", "h100-pcie", "l4", "a30"} <= set(CATALOG.gpus)


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
    # Makers count both embeddings as active, one of them, or none.
    most = (active_parameters(model) + encoder) / 1e9
    least = most - (2 * model.vocab_size * model.hidden_size + encoder) / 1e9
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
    assert ("quantization_config" in text or "quantization_config" in config) == (model.precision != "bf16")


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


def test_config_json_spreads_linear_attention_as_the_maker_does() -> None:
    """Every fourth layer of Qwen3.5 has full attention, and the sizes of the others are given by name."""
    text = hf_config(CATALOG.models["qwen3.5-397b-a17b"])["text_config"]
    assert isinstance(text, dict)
    assert text["layer_types"] == (["linear_attention"] * 3 + ["full_attention"]) * 15
    assert (text["linear_num_key_heads"], text["linear_num_value_heads"]) == (16, 64)
    assert (text["num_experts"], text["moe_intermediate_size"], text["attn_output_gate"]) == (512, 1024, True)


def test_nvfp4_takes_four_and_a_half_bits_of_what_is_in_it() -> None:
    """All layers of Llama, all but attention of MiniMax, experts alone of Kimi-K2.6; embeddings never."""

    def gib(name: str) -> tuple[float, float, float]:
        held, counts = weight_bytes(CATALOG.models[name]), parameters(CATALOG.models[name])
        in_bf16 = 2 * (counts.attention + counts.mlp)
        experts = held.experts / (2 * counts.experts) if counts.experts else 0
        return held.layers / in_bf16, experts, held.embeddings / (2 * counts.embeddings)

    small = 4.5 / 16
    assert gib("llama-3.3-70b-fp4") == pytest.approx((small, 0, 1))
    assert gib("qwen3-235b-a22b-fp4") == pytest.approx((small, small, 1))
    assert gib("minimax-m2.5-fp4") == pytest.approx((1, small, 1))
    assert gib("kimi-k2.6-fp4") == pytest.approx((1, small, 1))
    assert small < gib("kimi-k2.5-fp4")[0] < gib("kimi-k2.6-fp4")[0]


def test_an_output_projection_may_be_smaller_than_its_attention() -> None:
    """Of DeepSeek's attention in NVFP4 checkpoints, 128 heads of 128 by 7168 in 61 layers are quantized."""
    model = CATALOG.models["deepseek-v3.1-fp4"]
    whole = model.model_copy(update={"precision_of": {"attention": "bf16"}})
    saved = weight_bytes(whole).layers - weight_bytes(model).layers
    assert saved == pytest.approx(61 * 128 * 128 * 7168 * (16 - 4.5) / 8)


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
