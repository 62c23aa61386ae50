"""Rewrite the estimated rows of every template's performance table; `--check` only says which are stale.

A row labelled measured or calibrated stays as it is: numbers from a real machine beat a formula.
"""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path

import yaml

from infra.capacity.roles import RoleStack, role_stack
from infra.capacity.tables import Row, performance_rows
from infra.catalog.curves import load_curves
from infra.catalog.load import load_catalog

Json = dict[str, object]

_PARALLEL = ("tensor_parallel", "pipeline_parallel", "data_parallel")


def main() -> int:
    """Bring the tables of a folder of templates up to date, or say which are not."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "templates")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a table is stale")
    options = parser.parse_args()
    stale = []
    for path in sorted(options.folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        wanted = with_table(text, path.name)
        if wanted != text:
            stale.append(path.name)
            if not options.check:
                path.write_text(wanted, encoding="utf-8")
                print(f"{path.name}: rewritten")
    if stale and options.check:
        print(f"stale, run `make catalog`: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


def with_table(text: str, name: str) -> str:
    """Return a template's text with its table, the last thing in it, made anew."""
    template = yaml.load(text, Loader=yaml.CSafeLoader)
    start = text.index("\nperformance:") + 1
    roles = {role: _role(facts) for role, facts in template["roles"].items()}
    default = template["default_tier"]
    lines = [text[start:].splitlines()[0]]
    for model, written in template["performance"].items():
        rows = performance_rows(load_catalog().models[model], load_curves(model), roles, default)
        kept = {tier: row for tier, row in written.items() if row["label"] in ("measured", "calibrated")}
        table = {row.tier: _values(row) for row in rows} | kept
        if default not in table:
            raise SystemExit(f"{name}: {model} does not fit its roles, or is too slow for {default}")
        lines.append(f"  {model}:")
        lines += [f"    {tier}: {_flow(values)}" for tier, values in table.items()]
    return text[:start] + "\n".join(lines) + "\n"


def _role(facts: Json) -> RoleStack:
    machine = load_catalog().machines[str(facts["machine"])]
    arguments = facts.get("args", {})
    sizes = {key: facts[key] for key in ("count", *_PARALLEL) if key in facts}
    return role_stack(machine, load_catalog().gpus[machine.gpu], arguments, **sizes)  # type: ignore[arg-type]


def _values(row: Row) -> Json:
    return {
        "ttft_ms": row.ttft_ms,
        "tpot_ms": row.tpot_ms,
        "concurrency": row.concurrency,
        "tps": row.tps,
        "label": row.label,
        "source": row.source,
    }


def _flow(values: Json) -> str:
    return "{" + ", ".join(f"{k}: {json.dumps(v) if k == 'source' else v}" for k, v in values.items()) + "}"


if __name__ == "__main__":
    raise SystemExit(main())
