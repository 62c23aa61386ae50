"""Run a Pulumi program in this process; the language host starts one such process per run.

Runs as a script, by the program's own Python: it imports nothing of ours. The exit code says what
the user has seen: 0 all went well, `SHOWN` an error was shown in full, 1 the host still has to say that
the program failed.
"""

import argparse
import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHOWN = 32  # the code that the official host knows, so that programs may exit with it too


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("request", help="the run request as JSON")
    return parser.parse_args()


def _of_program(error: BaseException, main_file: Path) -> str:
    """Format a traceback from the program's main file on: what leads there is ours."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [index for index, frame in enumerate(frames) if Path(frame.filename).resolve() == main_file]
    lines = traceback.format_exception(error, limit=inside[0] - len(frames) if inside else None)
    return "".join(lines)


def main() -> int:
    """Configure the SDK from the request, run the program, and return the exit code."""
    try:
        import pulumi  # noqa: PLC0415 - its absence is the user's to mend, and is said in words
        import pulumi.runtime  # noqa: PLC0415
    except ImportError:
        print("The Pulumi SDK is not installed for this Python: " + sys.executable, file=sys.stderr)
        return SHOWN
    request = json.loads(_arguments().request)
    # Configuration may hold secrets: it comes in the environment, which other users cannot list.
    configuration, secret_keys = pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    pulumi.runtime.set_all_config(configuration, secret_keys)
    pulumi.runtime.configure(pulumi.runtime.Settings(**request["settings"]))
    program: str = request["program"]
    os.chdir(request["directory"])
    sys.argv = [program, *request["arguments"]]
    del sys.path[0]  # this script's folder; running the program puts its own there
    main_file = (Path(program) / "__main__.py" if Path(program).is_dir() else Path(program)).resolve()
    if not main_file.is_file():
        pulumi.log.error(f"no program to run: {main_file} does not exist")
        return SHOWN

    def run() -> None:
        runpy.run_path(program, run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(request["settings"]["parallel"] or 1, 1) * 4)
    loop.set_default_executor(executor)
    # A program that fails leaves futures that nobody awaits; asyncio's words on that would hide the error.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _of_program(error, main_file))
        return SHOWN
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
