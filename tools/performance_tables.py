"""Make the performance tables of all templates anew; `--check` only says which are stale.

`modelunits template performance` does the same for one.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

import typer

from infra.cli.offers import template_names
from infra.cli.template import refill
from infra.spec.files import Files


def main() -> int:
    """Bring the tables of a project's templates up to date, or say which are not."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a table is stale")
    options = parser.parse_args()
    files = Files(options.root)
    try:
        stale = [
            name
            for name in template_names(files)
            if refill(options.root, name, files, write=not options.check, show=False)
        ]
    except typer.Exit as told:
        return told.exit_code
    if stale and options.check:
        print(f"stale, run `make catalog`: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
