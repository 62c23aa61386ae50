"""The tiny model: small, the same everywhere, and different with each adapter."""

import json
import struct

from infra.local.serve.tiny_model import adapter_files, model_files
from infra.plan.model import Adapter

TONE = Adapter(name="tone", source="", rank=8)


def _header(content: bytes) -> dict[str, dict[str, list[int]]]:
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__")
    assert max(one["data_offsets"][1] for one in header.values()) == len(content) - 8 - size
    return header


def test_the_files_are_the_same_each_time() -> None:
    """Answers with temperature 0 are those of yesterday, on every machine."""
    assert model_files() == model_files()
    assert adapter_files(TONE) == adapter_files(TONE)


def test_adapters_differ() -> None:
    """By name."""
    other = adapter_files(Adapter(name="other", source="", rank=8))
    assert other["adapter_model.safetensors"] != adapter_files(TONE)["adapter_model.safetensors"]


def test_shapes_follow_from_the_configuration() -> None:
    """Embeddings are as many as tokens; an adapter's matrices have its rank."""
    files = model_files()
    tokens = json.loads(files["tokenizer.json"])["model"]["vocab"]
    config = json.loads(files["config.json"])
    assert len(tokens) == config["vocab_size"] == max(tokens.values()) + 1
    head = _header(files["model.safetensors"])["lm_head.weight"]
    assert [len(tokens), config["hidden_size"]] == head["shape"]
    shapes = [one["shape"] for one in _header(adapter_files(TONE)["adapter_model.safetensors"]).values()]
    assert all(8 in shape for shape in shapes)
