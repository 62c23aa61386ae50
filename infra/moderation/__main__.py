"""Run the moderator: `python -m infra.moderation --config FILE --listen HOST:PORT`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from infra import external_processor
from infra.moderation import make
from infra.moderation.config import ConfigError
from infra.moderation.journal import Journal
from infra.moderation.reload import Reloading
from infra.moderation.server import server

DRAIN_SECONDS = 30.0
SECONDS_BETWEEN_THREADS = 0.0005
"""How long Python may read a large body before it looks for other requests; its own 5 ms add up."""


async def serve(config: Path, listen: str, drain_seconds: float) -> None:
    """Serve until told to end; then take nothing new, and let what runs end within the drain time."""
    journal = Journal()
    end = external_processor.told_to_end()
    async with make.client() as client:
        key = os.environ.get(make.KEY_VARIABLE)
        reloading = Reloading(config, lambda read: make.panel(read, client=client, key=key), journal)
        serving = server(reloading.panel, journal)
        journal.say("listening", address=await external_processor.listen(serving, listen))
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(reloading.watch())
            await end.wait()
            await serving.stop(drain_seconds)
            watching.cancel()


def main() -> int:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.moderation", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the moderator's file of judges")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="where Envoy asks; port 0: any")
    parser.add_argument(
        "--drain-seconds", type=float, default=DRAIN_SECONDS, help="how long running streams may end"
    )
    arguments = parser.parse_args()
    sys.setswitchinterval(SECONDS_BETWEEN_THREADS)
    try:
        asyncio.run(serve(arguments.config, arguments.listen, arguments.drain_seconds))
    except ConfigError as error:
        print(*(f"{arguments.config}: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
    except OSError as error:
        print(f"{arguments.config}: {error.strerror or error}", file=sys.stderr)
    except RuntimeError as error:
        print(f"--listen {arguments.listen}: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
