"""The tiny model's tokens: every byte, and whole words for what it says; chat templates as in ChatML."""

import json
from collections.abc import Mapping

PAD, BEGIN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

WORDS = """
the a one every this no gateway engine unit request token answer model key team endpoint queue stream prompt
word machine cluster router cache memory is was holds wakes sends reads counts keeps waits asks knows sleeps
runs ends begins turns small large quiet ready first last next fast slow new old and or but then while because
with without from into after before again never always soon
"""

TEMPLATE = (
    "{% for message in messages %}" + BEGIN + "{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}{{ part.text }}{% endfor %}{% endif %}" + END + "\n"
    "{% endfor %}{% if add_generation_prompt %}" + BEGIN + "assistant\n{% endif %}"
)


def vocabulary() -> dict[str, int]:
    """Return the tokens' numbers, by text: single bytes, and whatever grows into words."""
    tokens = dict.fromkeys([PAD, BEGIN, END, *_byte_letters()])
    tokens |= dict.fromkeys(grown + letter for grown, letter in _merges())
    return {token: number for number, token in enumerate(tokens)}


def _merges() -> list[tuple[str, str]]:
    """Return the pairs by which letters become words."""
    pairs = ((word[:end], word[end]) for word in spoken() for end in range(1, len(word)))
    return list(dict.fromkeys(pairs))


def spoken() -> list[str]:
    """Return the words that the model says, as tokens: a space is written as in GPT-2's vocabulary."""
    return [f"Ġ{word}" for word in WORDS.split()]


def _byte_letters() -> list[str]:
    """Return a visible letter for every byte, as GPT-2's vocabulary has them."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unseen = [byte for byte in range(256) if byte not in visible]
    return [*map(chr, visible), *(chr(256 + number) for number, _ in enumerate(unseen))]


def tokenizer_files(context_tokens: int) -> Mapping[str, bytes]:
    """Return the tokenizer's files, by name."""
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": END,
        "chat_template": TEMPLATE,
        "model_max_length": context_tokens,
    }
    return {"tokenizer.json": as_json(_tokenizer()), "tokenizer_config.json": as_json(settings)}


def as_json(value: object) -> bytes:
    """Return a value as a JSON file."""
    return json.dumps(value, indent=1).encode()


def _tokenizer() -> Mapping[str, object]:
    tokens = vocabulary()
    special = [
        {"id": tokens[token], "content": token, "special": True, "single_word": False, "lstrip": False}
        | {"rstrip": False, "normalized": False}
        for token in (PAD, BEGIN, END)
    ]
    by_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": tokens, "merges": [list(pair) for pair in _merges()]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": by_bytes,
        "post_processor": None,
        "decoder": by_bytes,
        "model": model | {"dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False},
    }
