"""Bodies for the fuzz test: chats that are nearly right, then bent the way parsers disagree about."""

import json
import random
from collections.abc import Sequence

INTERESTING_KEYS = (
    "model",
    "messages",
    "n",
    "response_format",
    "type",
    "structured_outputs",
    "tool_choice",
    "tools",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "structural_tag",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "priority",
    "use_beam_search",
    "temperature",
    "top_k",
    "top_p",
    "length_penalty",
    "stream",
    "stream_options",
    "max_tokens",
    "logprobs",
    "best_of",
    "json",
    "regex",
    "choice",
    "\u0000model",
    "Model",
    "response_format ",
)

OBJECTS: tuple[object, ...] = (
    {"type": "json_object"},
    {"type": "text"},
    {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    {"type": "structural_tag", "structures": [], "triggers": []},
    {"json": {"type": "object"}},
    {"regex": "a+"},
    {"choice": ["a", "b"]},
    {"grammar": "root ::= 'a'"},
    {"type": "function", "function": {"name": "f"}},
    {"do_remote_decode": True},
    {"include_usage": True},
    {},
)

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]

SCALARS: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    1,
    2,
    3,
    10,
    11,
    -1,
    1.0,
    11.0,
    0.5,
    1e-9,
    2**53 + 1,
    2**63,
    "",
    "text",
    "required",
    "auto",
    "none",
    "json_object",
    "1_1",
    " 11 ",
    "11",
    "true",
    [],
    [{"type": "json_object"}],
    TOOLS,
)

WHITE_SPACE = (" ", "\n", "\t", "\r\n", "")
ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-be",
)
LONG = 9000
"""Longer than what Envoy keeps of a text."""


def bodies(seed: int, count: int, models: Sequence[str]) -> list[bytes]:
    """Return bodies; the same for the same seed."""
    chance = random.Random(seed)
    return [_bent(chance, _chat(chance, models)) for _ in range(count)]


def _chat(chance: random.Random, models: Sequence[str]) -> str:
    members = [("model", chance.choice(models)), ("messages", [{"role": "user", "content": "hi"}])]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        members.append(_member(chance, models))
    chance.shuffle(members)
    pieces = [
        f"{_key(chance, name)}{_space(chance)}:{_space(chance)}{_text(chance, value)}"
        for name, value in members
    ]
    return _space(chance) + "{" + f"{_space(chance)},{_space(chance)}".join(pieces) + "}" + _space(chance)


def _member(chance: random.Random, models: Sequence[str]) -> tuple[str, object]:
    if chance.random() < 0.5:
        return chance.choice(
            (
                ("response_format", chance.choice(OBJECTS)),
                ("tool_choice", chance.choice(("required", "auto", OBJECTS[8]))),
                ("tools", TOOLS),
                ("structured_outputs", chance.choice(OBJECTS[4:8])),
                ("kv_transfer_params", OBJECTS[9]),
                ("model", chance.choice(models)),
                ("n", chance.choice(SCALARS)),
                ("stream", chance.choice((True, False))),
            )
        )
    value = chance.choice(OBJECTS if chance.random() < 0.4 else SCALARS)
    if chance.random() < 0.05:
        value = {chance.choice(INTERESTING_KEYS): value}
    if chance.random() < 0.01:
        value = " " * LONG + "11"
    return chance.choice(INTERESTING_KEYS), value


def _key(chance: random.Random, name: str) -> str:
    return _text(chance, name)


def _text(chance: random.Random, value: object) -> str:
    """Write JSON; texts sometimes in escapes, objects sometimes with a key twice."""
    match value:
        case str() if chance.random() < 0.15:
            return '"' + "".join(_escaped(chance, letter) for letter in value) + '"'
        case dict():
            members = list(value.items())
            if members and chance.random() < 0.2:
                members.insert(0, (members[0][0], chance.choice(SCALARS)))
            if members and chance.random() < 0.1:
                members.append((members[-1][0], chance.choice(("text", "json_object", None))))
            return "{" + ",".join(f"{_text(chance, name)}:{_text(chance, of)}" for name, of in members) + "}"
        case list():
            return "[" + ",".join(_text(chance, each) for each in value) + "]"
        case _:
            return json.dumps(value)


def _escaped(chance: random.Random, letter: str) -> str:
    if chance.random() < 0.3 or letter in '"\\' or ord(letter) < 0x20:
        code = f"{ord(letter):04x}"
        return "\\u" + (code.upper() if chance.random() < 0.5 else code)
    return letter


def _space(chance: random.Random) -> str:
    return chance.choice(WHITE_SPACE) if chance.random() < 0.1 else ""


def _bent(chance: random.Random, text: str) -> bytes:
    """Bend the written body: its encoding, or a few bytes of it."""
    body = text.encode(chance.choice(ENCODINGS)) if chance.random() < 0.06 else text.encode()
    if chance.random() < 0.12:
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(len(body))
            piece = chance.choice(PIECES)
            body = body[:at] + piece + body[at + chance.choice((0, 0, 1, len(piece))) :]
    return body


PIECES = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\\",
    b'"',
    b"{",
    b"}",
    b",",
    b":",
    b"[",
    b"/**/",
    b"//\n",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"-",
    b"\x0b",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b'"model":"ep-x",',
    b'"response_format":{"type":"json_object"},',
)
