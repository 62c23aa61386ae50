"""Runs in vLLM's own environment: reads bodies as its API server does and says what it makes of them.

Standard input: a length in four bytes and a body, again and again. Standard output: a line of JSON for each.
"""

import json
import sys

import pydantic
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.sampling_params import SamplingParams


def read(body: bytes) -> dict[str, object]:
    """Return what vLLM reads in a body, or nothing where it refuses it."""
    try:
        # As FastAPI does: json.loads of the bytes, whose encoding it guesses, then pydantic.
        request = ChatCompletionRequest.model_validate(json.loads(body))
        constraint = request.extract_structured_outputs()
    except Exception as error:  # whatever it is, the server answers 400 and runs nothing
        return {"refused": type(error).__name__}
    return {
        "model": request.model,
        "n": request.n,
        "beam": request.use_beam_search,
        "structured": constraint is not None,
        "response_format": request.response_format is not None and request.response_format.type != "text",
        "tool_choice": request.tool_choice if isinstance(request.tool_choice, str | None) else "named",
        "inside": [
            name
            for name in ("kv_transfer_params", "ec_transfer_params", "vllm_xargs", "priority")
            if getattr(request, name)
        ],
    }


def main() -> None:
    """Read until standard input ends."""
    assert issubclass(ChatCompletionRequest, pydantic.BaseModel)
    assert SamplingParams
    source = sys.stdin.buffer
    while size := source.read(4):
        print(json.dumps(read(source.read(int.from_bytes(size)))))


main()
