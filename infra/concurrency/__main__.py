"""Run the limiter of each key's concurrency: `python -m infra.concurrency --listen HOST:PORT`."""

import argparse
import asyncio
import sys

from infra import external_processor
from infra.concurrency.limiter import server
from infra.concurrency.turns import Turns


async def serve(address: str) -> None:
    """Serve until told to end; requests that run then go on without being counted."""
    end = external_processor.told_to_end()
    serving = server(Turns())
    where = await external_processor.listen(serving, address)
    print(f"listening on {where}", file=sys.stderr, flush=True)
    await end.wait()
    await serving.stop(None)


def main() -> int:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.concurrency", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="where Envoy asks; port 0: any")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.listen))
    except RuntimeError as error:
        print(f"--listen {arguments.listen}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
