"""A message's content in parts, and the parts of an answer that are tokens, as one text each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_TEXT_FIELDS = {"refusal": "refusal", "thinking": "thinking", "tool_reference": "name"}
"""Where parts of a type have their text; others have it in `text` (`vllm/renderers/chat_utils.py`, 0.32)."""

_MEDIA = {
    *("input_image", "image_url", "image_embeds", "image_pil", "audio_url", "audio_embeds", "input_audio"),
    *("video_url", "video_embeds", "prompt_embeds"),
}
"""Types of parts without a text, and fields that make one of a part without a type."""

_DROPPED_LINE = "x-anthropic-billing-header"
"""vLLM leaves a line that begins so out of system messages, where a part begins with it."""


def joined(content: Sequence[Json]) -> Iterator[str]:
    """Yield the ways in which an engine may read a content's parts as one text."""
    whole = [text for part in content if (text := _text(part)) is not None]
    less = [text for part in content if (text := _text_less(part)) is not None]
    for texts in [whole] if less == whole else [whole, less]:
        # vLLM puts a line's end between parts; chat templates may write them without a gap.
        yield "".join(texts)
        yield "\n".join(texts)


def chosen(tokens: Sequence[Json]) -> str:
    """Return the tokens of a list of log probabilities as one text; the alternatives are not in it."""
    texts = (token.get("token") if isinstance(token, Mapping) else token for token in tokens)
    return "".join(text for text in texts if isinstance(text, str))


def _text(part: Json) -> str | None:
    if not isinstance(part, dict):
        return part if isinstance(part, str) else None
    kind = part.get("type")
    if kind is None or part.get("uuid") is not None:
        kind = "tool_reference" if "tool_reference" in part and not _MEDIA & part.keys() else "image_url"
    if not isinstance(kind, str) or kind in _MEDIA:
        return None
    text = part.get(_TEXT_FIELDS.get(kind, "text"))
    return text if isinstance(text, str) else None


def _text_less(part: Json) -> str | None:
    text = _text(part)
    droppable = isinstance(part, str) or (isinstance(part, dict) and part.get("type") == "text")
    if text is None or not droppable or not text.startswith(_DROPPED_LINE):
        return text
    return text.partition("\n")[2] or None
