"""Rewrite the estimated rows of every template's performance table; `--check` only says which are stale.

A row labelled measured or calibrated stays as it is: numbers from a real machine beat a formula.
"""

import json
import sys
from pathlib import Path

import yaml

from infra.capacity.roofline import Instance, Pool
from infra.capacity.tables import RoleStack, Row, performance_rows
from infra.catalog.load import load_catalog

TEMPLATES = Path(__file__).parent.parent / "templates"
Json = dict[str, object]


def main(arguments: list[str]) -> int:
    """Bring all tables up to date, or say which are not."""
    stale = []
    for path in sorted(TEMPLATES.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        wanted = with_table(text)
        if wanted != text:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(wanted, encoding="utf-8")
                print(f"{path.name}: rewritten")
    if stale and "--check" in arguments:
        print("stale, run `make catalog`: " + ", ".join(path.name for path in stale), file=sys.stderr)
        return 1
    return 0


def with_table(text: str) -> str:
    """Return a template's text with its table, the last thing in it, made anew."""
    template = yaml.load(text, Loader=yaml.CSafeLoader)
    start = text.index("\nperformance:") + 1
    heading = text[start:].splitlines()[0]
    roles = {name: _role(facts) for name, facts in template["roles"].items()}
    lines = [heading]
    for model, written in template["performance"].items():
        lines.append(f"  {model}:")
        rows = performance_rows(load_catalog().models[model], roles, template["default_tier"])
        if not rows and not written:
            raise SystemExit(
                f"{model} does not fit this template, or is too slow for {template['default_tier']}"
            )
        kept = {t: row for t, row in written.items() if row["label"] in ("measured", "calibrated")}
        table = {row.tier: _values(row) for row in rows} | kept
        lines += [f"    {tier}: {_flow(values)}" for tier, values in table.items()]
    return text[:start] + "\n".join(lines) + "\n"


def _role(facts: Json) -> RoleStack:
    catalog = load_catalog()
    machine = catalog.machines[str(facts["machine"])]
    sizes = {
        f"{kind}_parallel": int(str(facts.get(f"{kind}_parallel", 1)))
        for kind in ("tensor", "pipeline", "data")
    }
    gpus = sizes["tensor_parallel"] * sizes["pipeline_parallel"] * sizes["data_parallel"]
    arguments = facts.get("args", {})
    assert isinstance(arguments, dict)
    return RoleStack(
        pool=Pool(
            count=int(str(facts.get("count", 1))),
            instance=Instance(
                gpu=catalog.gpus[machine.gpu],
                network_gbit_per_s=machine.network_gbit_per_s * min(1.0, gpus / machine.gpus),
                kv_cache_dtype=arguments.get("kv-cache-dtype", "auto"),
                **sizes,
            ),
        ),
        max_model_len=arguments.get("max-model-len"),
        max_num_seqs=arguments.get("max-num-seqs"),
        gpu_memory_utilization=arguments.get("gpu-memory-utilization", 0.9),
    )


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
    raise SystemExit(main(sys.argv[1:]))
