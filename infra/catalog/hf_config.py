"""Write a model's facts the way Hugging Face's config.json says them, for the engine to read."""

from infra.catalog.model import Experts, LinearAttention, Model, Vision

# Which key holds the number of experts, the width of one, and the width of a dense MLP: it differs by family.
_QWEN_KEYS = ("num_experts", "moe_intermediate_size", "intermediate_size")
_DEEPSEEK_KEYS = ("n_routed_experts", "moe_intermediate_size", "intermediate_size")
_LOCAL_KEYS = ("num_local_experts", "intermediate_size", "intermediate_size_mlp")
_EXPERT_KEYS = {
    "qwen3_moe": _QWEN_KEYS,
    "qwen3_5_moe_text": _QWEN_KEYS,
    "qwen3_vl_moe_text": _QWEN_KEYS,
    "deepseek_v3": _DEEPSEEK_KEYS,
    "deepseek_v32": _DEEPSEEK_KEYS,
    "glm_moe_dsa": _DEEPSEEK_KEYS,
    "kimi_k2": _DEEPSEEK_KEYS,
    "gpt_oss": _LOCAL_KEYS,
    "llama4_text": _LOCAL_KEYS,
    "minimax_m2": _LOCAL_KEYS,
    "mixtral": _LOCAL_KEYS,
}
_VISION_KEYS = {
    "kimi_k25": ("vt_num_hidden_layers", "vt_hidden_size", "vt_num_attention_heads", "vt_intermediate_size"),
}
_USUAL_VISION_KEYS = ("depth", "hidden_size", "num_heads", "intermediate_size")


def hf_config(model: Model) -> dict[str, object]:
    """Return a config.json that is good enough for the engine to plan with; weights need the maker's own."""
    top = {"architectures": [model.architecture], "model_type": model.model_type}
    if model.text_model_type is None:
        return {**_text(model), **top}
    config = {**top, "text_config": {**_text(model), "model_type": model.text_model_type}}
    if model.vision is not None:
        config["vision_config"] = _vision(model, model.vision)
    return {**config, "tie_word_embeddings": model.tied_embeddings, **model.engine_config.top}


def _text(model: Model) -> dict[str, object]:
    attention = model.attention
    return {
        "dtype": "bfloat16",
        "num_hidden_layers": model.layers,
        "hidden_size": model.hidden_size,
        "vocab_size": model.vocab_size,
        "max_position_embeddings": model.max_context,
        "tie_word_embeddings": model.tied_embeddings,
        "num_attention_heads": attention.heads,
        "num_key_value_heads": attention.kv_heads,
        **_attention(model),
        **(_experts(model, model.experts) if model.experts else {"intermediate_size": model.mlp_size}),
        **model.engine_config.text,
    }


def _attention(model: Model) -> dict[str, object]:
    attention = model.attention
    if attention.kind == "mla":
        keys: dict[str, object] = {
            "q_lora_rank": attention.q_lora_rank,
            "kv_lora_rank": attention.kv_lora_rank,
            "qk_nope_head_dim": attention.qk_nope_head_dim,
            "qk_rope_head_dim": attention.qk_rope_head_dim,
            "v_head_dim": attention.v_head_dim,
        }
        if attention.index_head_dim is not None:
            keys |= {"index_head_dim": attention.index_head_dim, "index_n_heads": attention.index_heads}
        return keys
    keys = {"head_dim": attention.head_dim}
    if attention.output_gate:
        keys["attn_output_gate"] = True
    if attention.linear is not None:
        keys |= _linear_attention(model.layers, attention.linear)
    if attention.window_tokens is not None:
        chunked = model.text_model_type == "llama4_text"
        keys["attention_chunk_size" if chunked else "sliding_window"] = attention.window_tokens
    return keys


def _linear_attention(layers: int, linear: LinearAttention) -> dict[str, object]:
    interval = layers // (layers - linear.layers)
    kinds = [
        "full_attention" if layer % interval == 0 else "linear_attention" for layer in range(1, layers + 1)
    ]
    return {
        "full_attention_interval": interval,
        "layer_types": kinds,
        "linear_conv_kernel_dim": linear.conv_kernel,
        "linear_key_head_dim": linear.head_dim,
        "linear_num_key_heads": linear.key_heads,
        "linear_num_value_heads": linear.value_heads,
        "linear_value_head_dim": linear.head_dim,
    }


def _experts(model: Model, experts: Experts) -> dict[str, object]:
    count, width, dense_width = _EXPERT_KEYS[model.text_model_type or model.model_type]
    keys: dict[str, object] = {count: experts.routed, "num_experts_per_tok": experts.active}
    if count == "n_routed_experts":
        keys |= {
            "n_shared_experts": experts.shared,
            "first_k_dense_replace": model.layers - experts.layers,
            "moe_layer_freq": 1,
        }
    if model.text_model_type == "llama4_text":
        keys["interleave_moe_layer_step"] = model.layers // experts.layers
    return keys | {dense_width: model.mlp_size, width: experts.mlp_size}


def _vision(model: Model, vision: Vision) -> dict[str, object]:
    layers, hidden, heads, mlp = _VISION_KEYS.get(model.model_type, _USUAL_VISION_KEYS)
    return {
        layers: vision.layers,
        hidden: vision.hidden_size,
        heads: vision.heads,
        mlp: vision.mlp_size,
        **model.engine_config.vision,
    }
