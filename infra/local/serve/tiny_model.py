"""A chat model as small as vLLM takes: random weights, a vocabulary of words, written without PyTorch.

Why the first number of a vector: embeddings hold a large one there, so that it survives every layer, and the
output weights turn it into a preference for whole words. What comes out is nonsense, but readable.
"""

import json
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.local.serve.tiny_vocabulary import END, PAD, as_json, spoken, tokenizer_files, vocabulary
from infra.plan.model import Adapter

HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, HEAD_SIZE = 64, 128, 2, 2, 1, 32
CONTEXT_TOKENS = 4096
SEED = 5

LEVEL = 8.0
"""The first number of every embedding; the others are around 1."""
PREFERENCE = 2.0
PREFERENCE_FOR_THE_END = 2.5
"""An answer ends after some thirty words, unless temperature is 0: then something else is always likelier."""
SPREAD = 0.35
"""Of the output weights: how unequal words are."""
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj")
ADAPTER_SPREAD = 0.15


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers in rows."""

    rows: int | None
    """None: one row, a vector."""
    columns: int
    numbers: Sequence[float]

    def with_first(self, first: Sequence[float]) -> "Tensor":
        """Return the same with other numbers at the beginning of the rows."""
        numbers = list(self.numbers)
        numbers[:: self.columns] = first
        return Tensor(self.rows, self.columns, numbers)

    def without_rest(self, row: int) -> "Tensor":
        """Return the same with nothing in a row but its first number."""
        numbers = list(self.numbers)
        begin, end = row * self.columns + 1, (row + 1) * self.columns
        numbers[begin:end] = [0.0] * (end - begin)
        return Tensor(self.rows, self.columns, numbers)


def model_files() -> Mapping[str, bytes]:
    """Return the model's files, by name."""
    tokens = vocabulary()
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_SIZE,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": CONTEXT_TOKENS,
        "vocab_size": len(tokens),
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "pad_token_id": tokens[PAD],
        "eos_token_id": tokens[END],
    }
    generation = {"eos_token_id": tokens[END], "pad_token_id": tokens[PAD]}
    return {
        "config.json": as_json(config),
        "generation_config.json": as_json(generation),
        **tokenizer_files(CONTEXT_TOKENS),
        "model.safetensors": _safetensors(_weights(tokens)),
    }


def adapter_files(adapter: Adapter) -> Mapping[str, bytes]:
    """Return the files of a LoRA adapter, by name."""
    source = random.Random(f"{SEED} {adapter.name}")
    tensors: dict[str, Tensor] = {}
    for layer in range(LAYERS):
        for name, (rows, columns) in _attention_shapes().items():
            place = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{place}.lora_A.weight"] = _random(source, adapter.rank, columns, ADAPTER_SPREAD)
            tensors[f"{place}.lora_B.weight"] = _random(source, rows, adapter.rank, ADAPTER_SPREAD)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "tiny-model",
        "r": adapter.rank,
        "lora_alpha": 2 * adapter.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(ADAPTED),
    }
    return {"adapter_config.json": as_json(config), "adapter_model.safetensors": _safetensors(tensors)}


def _weights(tokens: Mapping[str, int]) -> dict[str, Tensor]:
    source = random.Random(SEED)
    liked = dict.fromkeys((tokens[token] for token in (*spoken(), ".", ",")), PREFERENCE)
    liked[tokens[END]] = PREFERENCE_FOR_THE_END
    heads = _random(source, len(tokens), HIDDEN, SPREAD)
    heads = heads.with_first([liked.get(token, -PREFERENCE) for token in range(len(tokens))])
    tensors = {
        "model.embed_tokens.weight": _random(source, len(tokens), HIDDEN, 1.0).with_first(
            [LEVEL] * len(tokens)
        ),
        "lm_head.weight": heads.without_rest(tokens[END]),
        "model.norm.weight": _ones(HIDDEN),
    }
    for layer in range(LAYERS):
        place = f"model.layers.{layer}"
        for name, (rows, columns) in _attention_shapes().items():
            tensors[f"{place}.self_attn.{name}.weight"] = _random(source, rows, columns, columns**-0.5)
        for name, (rows, columns) in _mlp_shapes().items():
            tensors[f"{place}.mlp.{name}.weight"] = _random(source, rows, columns, columns**-0.5)
        for name in ("self_attn.q_norm", "self_attn.k_norm"):
            tensors[f"{place}.{name}.weight"] = _ones(HEAD_SIZE)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{place}.{name}.weight"] = _ones(HIDDEN)
    return tensors


def _attention_shapes() -> Mapping[str, tuple[int, int]]:
    asks, holds = HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
    shapes = ((asks, HIDDEN), (holds, HIDDEN), (holds, HIDDEN), (HIDDEN, asks))
    return dict(zip(ADAPTED, shapes, strict=True))


def _mlp_shapes() -> Mapping[str, tuple[int, int]]:
    wide = (INTERMEDIATE, HIDDEN)
    return {"gate_proj": wide, "up_proj": wide, "down_proj": (HIDDEN, INTERMEDIATE)}


def _random(source: random.Random, rows: int, columns: int, spread: float) -> Tensor:
    return Tensor(rows, columns, [source.gauss(0, spread) for _ in range(rows * columns)])


def _ones(columns: int) -> Tensor:
    return Tensor(None, columns, [1.0] * columns)


def _safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in the format of the safetensors library: a JSON header, then the numbers."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    content = bytearray()
    for name, tensor in tensors.items():
        shape = [tensor.columns] if tensor.rows is None else [tensor.rows, tensor.columns]
        begin = len(content)
        for number in tensor.numbers:
            content += struct.pack("<f", number)[2:]  # bfloat16 is the upper half of a float
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, len(content)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content
