"""All texts of a request or an answer that a person or a model may read; nothing unknown is left out."""

import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from infra.moderation.normal import encodable
from infra.moderation.parts import Json, chosen, joined
from infra.moderation.unreadable import TooHeavyError, UnreadableError

VALUES_MAX = 100_000
"""In a request: each costs as much time as a hundred letters. A message with its fields is three."""

DEPTH_MAX = 100
"""Objects and lists inside each other: schemas of tools have a dozen."""

PATH_NAMES_MAX = 16
"""In a path, which each text has a copy of; what lies deeper shares one. Arguments of tools have seven."""

PATH_NAME_CHARACTERS = 32
"""Of a name in a path; the protocol's are shorter, and callers may choose others as long as a body."""

CHOICES_MAX = 10_000
"""Of choices and tool calls that have a number of their own."""

ChannelText: TypeAlias = tuple[str, str]
"""A channel and a text that belongs to it."""

_ROUTE = frozenset({"model"})
"""The gateway has compared it with its endpoints: it is the name of one."""

_ENVELOPE = frozenset({"id", "object", "model", "system_fingerprint", "service_tier"})
"""What the engine writes itself around an answer."""

_FIXED = {
    "role": {"system", "developer", "user", "assistant", "tool", "function"},
    "type": {
        *("text", "refusal", "image_url", "input_audio", "audio_url", "video_url", "function", "json_schema"),
        *("object", "string", "number", "integer", "boolean", "array", "null", "json_object"),
    },
    "finish_reason": {"stop", "length", "tool_calls", "content_filter", "abort", "error"},
    "tool_choice": {"auto", "none", "required"},
}
"""Values that have a meaning of their own; any other value of these fields is text."""

_FIELD_NAMES = """
messages role content name text type refusal reasoning reasoning_content tool_calls tool_call_id id index
function arguments tools description parameters properties required items enum additionalProperties strict
tool_choice parallel_tool_calls functions function_call image_url input_audio audio_url video_url url
detail data format stream stream_options include_usage temperature top_p top_k min_p n seed stop user
max_tokens max_completion_tokens min_tokens frequency_penalty presence_penalty repetition_penalty
logit_bias logprobs top_logprobs response_format json_schema schema metadata store chat_template_kwargs
enable_thinking choices message delta finish_reason stop_reason usage created prompt_tokens
completion_tokens total_tokens prompt_tokens_details completion_tokens_details cached_tokens audio
annotations prompt_logprobs prompt_token_ids token_ids kv_transfer_params error code param
"""

_FIELDS = frozenset(_FIELD_NAMES.split())
"""Names of the protocol; any other name is text."""

_TOKENS = frozenset({"logprobs", "prompt_logprobs"})
"""Their texts are tokens, each for itself: also those that were not chosen."""

_MEDIA = re.compile(
    r"messages\.\d+\.content\.\d+\."
    r"(input_audio\.data|(image|audio|video)_url\.url)"
)
"""Where images and audio are in a request; what has another place is text."""

_BASE64 = re.compile(r"(data:(image|audio|video)/[-.+a-z0-9]+;base64,)?[A-Za-z0-9+/_-]*={0,2}")
_SHORTEST_MEDIA = 64
"""Characters: no picture and no sound is shorter, and words are."""


def document(body: bytes | bytearray) -> Mapping[str, Json]:
    """Parse a body that has to be one JSON object in UTF-8, without a name twice."""
    try:
        parsed = json.loads(body.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no JSON: {type(error).__name__}") from None
    if not isinstance(parsed, dict):
        raise UnreadableError("no JSON object")
    return parsed


def request_document(body: bytes) -> Mapping[str, Json]:
    """Parse a request; raise TooHeavyError where it has so many values that others would wait."""
    if len(body) > VALUES_MAX and _has_many_values(body):
        raise TooHeavyError("too many values")
    return document(body)


def _has_many_values(body: bytes) -> bool:
    """Return whether JSON has more values than allowed, by what separates them outside of its texts."""
    parts = body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"', 2 * VALUES_MAX)
    separators = b"".join(parts[::2])
    return sum(separators.count(each) for each in (b",", b"[", b"{")) > VALUES_MAX


def request_texts(request: Mapping[str, Json]) -> tuple[str, ...]:
    """Return what a model would read of a request, and more rather than less."""
    return _distinct(_texts(request, left_out=_ROUTE))


def answer_texts(answer: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the texts of an answer that came in one piece."""
    return _distinct(channel_texts(answer))


def channel_texts(answer: Mapping[str, Json]) -> list[ChannelText]:
    """Return the texts of an answer, or of a piece of one, each with the channel that it belongs to.

    Texts of a channel follow each other: content, reasoning, arguments of a tool call, of one choice.
    """
    return _texts(answer, left_out=_ENVELOPE)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name twice")
    return unique


def _distinct(found: list[ChannelText]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for _, text in found))


def _texts(whole: Mapping[str, Json], *, left_out: frozenset[str]) -> list[ChannelText]:
    found: list[ChannelText] = []
    for name, value in whole.items():
        if name not in left_out:
            _add_named(found, name, value, path=_step("", name), depth=0)
    return [(channel, encodable(text)) for channel, text in found if text]


def _add_named(found: list[ChannelText], name: str, value: Json, *, path: str, depth: int) -> None:
    if name not in _FIELDS:
        found.append((f"{path} (name)", f"{name}\n"))
    if isinstance(value, str):
        media = _MEDIA.fullmatch(path) and _is_media(value)
        if not media and value not in _FIXED.get(name, ()):
            found.append((path, value))
    elif name in _TOKENS:
        tokens: list[ChannelText] = []
        _add(tokens, name, value, path=path, depth=depth)
        found.extend((path, f"{text}\n") for _, text in tokens)
        for inner_name, inner in value.items() if isinstance(value, dict) else ():
            if isinstance(inner, list):
                found.append((f"{_step(path, inner_name)} (joined)", chosen(inner)))
    else:
        _add(found, name, value, path=path, depth=depth)


def _add(found: list[ChannelText], name: str, value: Json, *, path: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise UnreadableError("too deep")
    if isinstance(value, str):
        found.append((path, value))
    elif isinstance(value, dict):
        for inner_name, inner in value.items():
            _add_named(found, inner_name, inner, path=_step(path, inner_name), depth=depth + 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _add(found, name, inner, path=_step(path, _index(inner, position)), depth=depth + 1)
        if name == "content" and len(value) > 1:
            found.extend((f"{path} (joined)", text) for text in joined(value))


def _step(path: str, to: str | int) -> str:
    """Return the path with one name or number more, which is short whoever chose it."""
    if path.count(".") + 1 >= PATH_NAMES_MAX:
        return path
    if isinstance(to, str) and not (len(to) <= PATH_NAME_CHARACTERS and to.isidentifier()):
        to = "?"
    return f"{path}.{to}" if path else str(to)


def _index(value: Json, position: int) -> int:
    index = value.get("index") if isinstance(value, dict) else None
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < CHOICES_MAX:
        return index
    return position


def _is_media(value: str) -> bool:
    return len(value) >= _SHORTEST_MEDIA and bool(_BASE64.fullmatch(value))
