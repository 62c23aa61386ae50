"""Memory fit: against measurements, and what must hold for every model and GPU."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.memory import kv_bytes, memory_fit
from infra.capacity.roles import role_fit, role_stack
from infra.catalog.load import load_catalog
from infra.catalog.model import Gpu, Model

CATALOG = load_catalog()
HERE = Path(__file__).parent

models = st.sampled_from(sorted(CATALOG.models.values(), key=lambda model: model.name))
gpus = st.sampled_from(sorted(CATALOG.gpus.values(), key=lambda gpu: gpu.name))
sizes = st.sampled_from([1, 2, 4, 8])


def _rows(file: str) -> list[dict[str, str]]:
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r['model']}-{r['max_model_len']}") for r in _rows("vllm_memory.csv")]
)
def test_memory_fit_agrees_with_what_vllm_logged(row: dict[str, str]) -> None:
    """Whether it starts is right, and what is left for the KV cache within a gibibyte."""
    fit = memory_fit(
        CATALOG.models[row["model"]],
        CATALOG.gpus["h100"],
        role="serve",
        tensor_parallel=int(row["tensor_parallel"]),
        tokens_per_sequence=1,
        longest_sequence_tokens=int(row["max_model_len"]),
    )
    assert fit.fits == (row["starts"] == "yes")
    if row["kv_gib"]:
        left = fit.available_gib - fit.weights_gib - fit.overhead_gib
        assert left == pytest.approx(float(row["kv_gib"]), abs=1.0)


@given(models, gpus, sizes, sizes, sizes, st.integers(1, 512), st.integers(1, 32768))
def test_more_gpus_never_need_more_of_each(
    model: Model, gpu: Gpu, tensor: int, pipeline: int, data: int, sequences: int, tokens: int
) -> None:
    """Doubling a parallel size needs no more weights and KV cache of any GPU."""

    def needed(tensor: int, pipeline: int, data: int) -> tuple[float, float]:
        fit = memory_fit(
            model,
            gpu,
            role="decode",
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            data_parallel=data,
            sequences=sequences,
            tokens_per_sequence=tokens,
        )
        return fit.weights_gib, fit.kv_gib

    weights, kv = needed(tensor, pipeline, data)
    for more in ((2 * tensor, pipeline, data), (tensor, 2 * pipeline, data), (tensor, pipeline, 2 * data)):
        assert needed(*more)[0] <= weights * 1.000001
        assert needed(*more)[1] <= kv * 1.000001


@given(models, gpus, sizes, st.integers(1, 512), st.integers(1, 32768), st.integers(0, 4))
def test_more_work_never_needs_less(
    model: Model, gpu: Gpu, tensor: int, sequences: int, tokens: int, adapters: int
) -> None:
    """A further sequence, token or adapter needs more memory, and never makes a misfit fit."""
    now = memory_fit(
        model,
        gpu,
        role="serve",
        tensor_parallel=tensor,
        sequences=sequences,
        tokens_per_sequence=tokens,
        adapters_rank=(16,) * adapters,
    )
    for changed in (
        {"sequences": sequences + 1, "tokens_per_sequence": tokens, "adapters_rank": (16,) * adapters},
        {"sequences": sequences, "tokens_per_sequence": tokens + 1, "adapters_rank": (16,) * adapters},
        {"sequences": sequences, "tokens_per_sequence": tokens, "adapters_rank": (16,) * (adapters + 1)},
        {"sequences": sequences, "tokens_per_sequence": tokens, "adapters_rank": (32,) * adapters},
    ):
        then = memory_fit(model, gpu, role="serve", tensor_parallel=tensor, **changed)  # type: ignore[arg-type]
        assert now.needed_gib <= then.needed_gib
        assert now.fits or not then.fits


@given(models, gpus, sizes, st.integers(1, 64))
def test_the_token_capacity_is_what_fits(model: Model, gpu: Gpu, tensor: int, sequences: int) -> None:
    """As many sequences as the capacity tells fit exactly, and not one more."""
    fit = memory_fit(model, gpu, role="serve", tensor_parallel=tensor, sequences=sequences)
    holds = fit.kv_tokens_capacity / 3300
    if fit.weights_gib + fit.overhead_gib < fit.available_gib:
        assert fit.fits == (sequences <= holds + 1e-3)


@given(models, sizes, st.integers(1, 100_000))
def test_an_fp8_cache_needs_about_half_for_each_token(model: Model, tensor: int, tokens: int) -> None:
    """Half, but for sparse attention, which keeps scales, and the keys of its index in fp8 already."""

    def tokens_bytes(kv_cache_dtype: str) -> int:
        more, less = (
            kv_bytes(model, count, tensor_parallel=tensor, kv_cache_dtype=kv_cache_dtype)
            for count in (tokens + 1000, tokens)
        )
        return more - less

    full, small = tokens_bytes("bfloat16"), tokens_bytes("fp8")
    assert small == (pytest.approx(full * 788 / 1284) if model.attention.index_head_dim else full / 2)


def test_a_checkpoint_may_ask_for_an_fp8_cache() -> None:
    """NVIDIA's NVFP4 models do; the argument still wins."""
    model, base = CATALOG.models["llama-3.3-70b-fp4"], CATALOG.models["llama-3.3-70b"]
    assert kv_bytes(model, 1000) * 2 == kv_bytes(base, 1000)
    assert kv_bytes(model, 1000, kv_cache_dtype="bfloat16") == kv_bytes(base, 1000)


def test_linear_attention_keeps_a_state_and_no_tokens() -> None:
    """Qwen3.5-397B: 30 KiB a token in 15 layers; 4 MiB and the convolution's inputs in each of 45 others.

    Half a block more in each of the 15: a block is as large as a state.
    """
    model = CATALOG.models["qwen3.5-397b-a17b"]
    state = 64 * 128 * 128 * 4 + (2 * 16 * 128 + 64 * 128) * 3 * 2
    assert kv_bytes(model, 1001) - kv_bytes(model, 1000) == 15 * 2 * 2 * 256 * 2
    assert kv_bytes(model, 0) == state * (45 + 7.5)
    assert kv_bytes(model, 0, tensor_parallel=8) == state * (45 + 7.5) / 8


def test_tensor_parallelism_splits_heads_but_copies_the_compressed_cache() -> None:
    """Eight KV heads shrink to one on eight GPUs and no further; multi-head latent attention does not."""
    llama, deepseek = CATALOG.models["llama-3.3-70b"], CATALOG.models["deepseek-r1"]
    assert kv_bytes(llama, 1000) == 8 * kv_bytes(llama, 1000, tensor_parallel=8)
    assert kv_bytes(llama, 1000, tensor_parallel=8) == kv_bytes(llama, 1000, tensor_parallel=16)
    assert kv_bytes(deepseek, 1000) == kv_bytes(deepseek, 1000, tensor_parallel=8)


def test_a_window_bounds_what_its_layers_remember() -> None:
    """Half of gpt-oss' layers keep 128 tokens: a token beyond them costs half."""
    model = CATALOG.models["gpt-oss-120b"]
    early = kv_bytes(model, 101) - kv_bytes(model, 100)
    late = kv_bytes(model, 1001) - kv_bytes(model, 1000)
    assert early == 2 * late


def test_data_parallel_ranks_share_experts_and_copy_the_rest() -> None:
    """Eight ranks of DeepSeek-R1 fit where one GPU could not; a dense model gains no room."""
    h200 = CATALOG.gpus["h200"]

    def weights_gib(name: str, ranks: int) -> float:
        return memory_fit(CATALOG.models[name], h200, role="serve", data_parallel=ranks).weights_gib

    assert weights_gib("deepseek-r1", 1) > 600
    assert weights_gib("deepseek-r1", 8) < 100
    assert weights_gib("qwen3-32b", 8) == weights_gib("qwen3-32b", 1)


def test_an_encode_role_needs_the_encoder_alone() -> None:
    """A 235-billion-parameter model's images can be encoded on one L40S."""
    model, l40s = CATALOG.models["qwen3-vl-235b-a22b"], CATALOG.gpus["l40s"]
    assert memory_fit(model, l40s, role="encode").fits
    assert not memory_fit(model, l40s, role="prefill").fits


def test_engine_arguments_decide_a_role_s_memory() -> None:
    """Lengths are read as vLLM reads them; quantisation, cache type and utilisation count."""
    machine, gpu = CATALOG.machines["h100-8"], CATALOG.gpus["h100"]
    model = CATALOG.models["qwen3-32b"]

    def fit(**args: object) -> tuple[float, float, float]:
        named = {key.replace("_", "-"): value for key, value in args.items()}
        found = role_fit(model, "serve", role_stack(machine, gpu, named, tensor_parallel=2), 1)
        return round(found.weights_gib, 2), round(found.kv_gib, 2), round(found.available_gib, 2)

    assert fit() == (30.51, 5.0, 71.28)
    assert fit(max_model_len=32768) == (30.51, 4.0, 71.28)
    assert fit(max_model_len="32K") == (30.51, 4.0, 71.28)
    assert fit(max_model_len="auto") == fit(max_model_len=-1) == fit()
    assert fit(max_model_len="32K", kv_cache_dtype="fp8") == (30.51, 2.0, 71.28)
    assert fit(quantization="fp8", gpu_memory_utilization=0.5) == (15.98, 5.0, 39.6)


def test_a_group_shares_its_requests_over_the_instances_of_a_role() -> None:
    """Two decode instances hold half of the requests each; a prefill instance only those in flight."""
    machine, gpu = CATALOG.machines["h100-8"], CATALOG.gpus["h100"]
    model = CATALOG.models["qwen3-8b"]
    args = {"max-model-len": 4096}
    one, two = (role_stack(machine, gpu, args, count=count) for count in (1, 2))
    assert role_fit(model, "decode", one, 32).kv_gib == role_fit(model, "decode", two, 64).kv_gib
    assert role_fit(model, "prefill", one, 32).kv_gib == role_fit(model, "prefill", one, 512).kv_gib
