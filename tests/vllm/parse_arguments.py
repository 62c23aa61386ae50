"""Run by an interpreter that has vLLM: read argument lists, say what vLLM says to each.

In: {"cases": [{"args": […], "config": {…}}]}, with the model's config.json.
Out: {"flags": […], "answers": […]}; an answer is null where vLLM accepts the list, and its words where not.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser


def answer(parser: FlexibleArgumentParser, args: list[str], config: dict[str, Any]) -> str | None:
    """Return what vLLM has against an argument list, or None."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        # A folder with config.json stands for the weights: plans need no more.
        Path(folder, "config.json").write_text(json.dumps(config))
        try:
            parsed = parser.parse_args([folder, *args[1:]])
            parsed.model = parsed.model_tag or parsed.model  # as `vllm serve` does itself
            validate_parsed_serve_args(parsed)
            AsyncEngineArgs.from_cli_args(parsed).create_engine_config(
                UsageContext.OPENAI_API_SERVER, headless=parsed.headless
            )
        except SystemExit:
            return said.getvalue().partition("error:")[2] or said.getvalue()
        except Exception as error:  # whatever vLLM raises is its answer
            return f"{type(error).__name__}: {error}"
    return None


def main() -> None:
    """Answer every case."""
    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    cases = json.load(sys.stdin)["cases"]
    flags = sorted(option.lstrip("-") for option in parser._option_string_actions)
    answers = [answer(parser, case["args"], case["config"]) for case in cases]
    json.dump({"flags": flags, "answers": answers}, sys.stdout)


main()
