"""How long load, plan, render and rules take, and what they add to `pulumi preview`.

    .venv/bin/python benchmarks/preview.py                    # all of it: about ten minutes on two cores
    .venv/bin/python benchmarks/preview.py --pairs 3 --endpoints 10 100

Previews are compared with a floor: a program that registers the same resources from a file, with no logic.
Runs of a pair follow each other, and ratios are medians over pairs, so that a busy machine disturbs both
sides alike. No cluster is reached.
"""

import argparse
import gc
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml
from rich.console import Console
from rich.table import Table

from infra import names
from infra.catalog.load import load_catalog
from infra.check import resources
from infra.local import engine
from infra.local.engine import pulumi_environment
from infra.local.folders import folders
from infra.local.progress import Progress
from infra.order import ordered
from infra.plan.document import endpoint_properties, fleet_properties, node_pool_properties, team_properties
from infra.plan.make import make_plan
from infra.render.make import render
from infra.spec.load import load_stack
from policies.judge import judge

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 11, 21)
STACK = "prod"
PREVIEWED = 100
ENOUGH = 100_000
"""Machines and quotas that no number of endpoints reaches."""


def write_project(root: Path, endpoints: int) -> None:
    """Write a project whose stack has as many endpoints, of every kind that our production has."""
    shutil.copy(ROOT / "Pulumi.yaml", root)
    shutil.copytree(ROOT / "templates", root / "templates")
    (root / "infra").symlink_to(ROOT / "infra")
    (root / ".venv").symlink_to(ROOT / ".venv")
    stack = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{STACK}.yaml").read_text())
    environment = stack["config"]["modelunits:environment"]
    for machine in environment["machines"].values():
        machine |= {"reserved": ENOUGH, "max": ENOUGH}
    for team in environment["teams"].values():
        team["quota"] = dict.fromkeys(environment["machines"], ENOUGH)
    del environment["exemptions"]
    shutil.copytree(ROOT / "stacks" / "dev", root / "stacks" / "dev")
    (root / "stacks" / STACK).mkdir()
    (root / "stacks" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(stack))
    kinds = sorted((ROOT / "stacks" / STACK).glob("*.yaml"))
    for number in range(endpoints):
        kind = kinds[number % len(kinds)]
        spec = yaml.safe_load(kind.read_text())
        spec.pop("features", None)  # what only the exemption allows
        (root / "stacks" / STACK / f"{kind.stem}-{number:04}.yaml").write_text(yaml.safe_dump(spec))


FLOOR = """
import gc, json, pathlib, pulumi
gc.freeze()
gc.set_threshold(100_000, 50, 100)
made = {}
for r in json.loads(pathlib.Path("resources.json").read_text()):
    opts = pulumi.ResourceOptions(parent=made.get(r["parent"]))
    if r["kind"] == "component":
        made[r["key"]] = pulumi.ComponentResource(r["type"], r["name"], r["props"], opts)
    elif r["kind"] == "provider":
        opts.version = r["version"]
        made[r["key"]] = pulumi.ProviderResource("kubernetes", r["name"], r["props"], opts)
    else:
        opts.provider, opts.depends_on = made["cluster"], [made[key] for key in r["after"]]
        made[r["key"]] = pulumi.CustomResource(r["type"], r["name"], r["props"], opts)
"""

EMPTY_PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
rule = ResourceValidationPolicy(name="empty", description="None.", validate=lambda args, report: None)
PolicyPack("empty", policies=[rule], enforcement_level=EnforcementLevel.MANDATORY)
"""

PYTHON = "runtime:\n  name: python\n  options: {toolchain: pip, virtualenv: %s}\n"


def main() -> None:
    """Measure and print."""
    options = _options()
    console = Console()
    # As infra/__main__.py does.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with TemporaryDirectory(prefix="modelunits-benchmark-") as scratch:
        console.print(in_process(Path(scratch), options.endpoints, options.pairs))
        console.print(previews(Path(scratch) / "previews", options.pairs))


def in_process(scratch: Path, counts: Sequence[int], runs: int) -> Table:
    """Return the seconds of each stage; growth is 1.00 where time grows as the number of endpoints does."""
    table = Table("endpoints", "load", "plan", "render", "rules", "all", "growth")
    before: tuple[int, float] | None = None
    for count in counts:
        root = scratch / f"stages-{count}"
        root.mkdir()
        write_project(root, count)
        stages = [_stages(root, count) for _ in range(runs)]
        seconds = {name: median(run[name] for run in stages) for name in stages[0]}
        whole = median(sum(run.values()) for run in stages)
        cells = [f"{value:.2f} s" for value in (*seconds.values(), whole)]
        growth = whole / before[1] / (count / before[0]) if before else None
        before = (count, whole)
        table.add_row(str(count), *cells, f"{growth:.2f}" if growth else "")
    return table


def _stages(root: Path, count: int) -> dict[str, float]:
    seconds: dict[str, float] = {}
    gc.collect()

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - began

    with timed("load"):
        loaded = load_stack(root, STACK)
    assert loaded.stack is not None
    assert not loaded.problems, loaded.problems[0]
    with timed("plan"):
        planned = make_plan(loaded.stack, load_catalog(), TODAY)
    assert len(planned.plan.endpoints) == count, planned.problems
    with timed("render"):
        manifests = render(planned.plan)
    with timed("rules"):
        violations = judge(resources(planned.plan, manifests), as_of=TODAY, levels={})
    assert not violations, violations[0]
    return seconds


def previews(root: Path, pairs: int) -> Table:
    """Return how much longer previews of our program are than the floor's, and what policy packs add."""
    root.mkdir()
    write_project(root, PREVIEWED)
    engine.prepare(folders(root), Progress())
    environment = pulumi_environment(root) | {"KUBECONFIG": str(root / "none")}
    floor = root / "floor"
    registered = _write_floor(root, floor)
    empty = root / "empty-pack"
    _write(empty, "PulumiPolicy.yaml", PYTHON % (ROOT / ".venv"))
    _write(empty, "__main__.py", EMPTY_PACK)
    for folder in (root, floor):
        _pulumi(folder, environment, "stack", "init", STACK)

    def preview(folder: Path, *options: str) -> Callable[[], float]:
        return lambda: _pulumi(
            folder, environment, "preview", "--stack", STACK, "--suppress-progress", *options
        )

    ours, floors = preview(root), preview(floor)
    judged = preview(root, "--policy-pack", str(ROOT / "policies"))
    unjudged = preview(root, "--policy-pack", str(empty))
    table = Table(f"preview of {PREVIEWED} endpoints, {registered} resources", "median", "against", "ratio")
    _compare(table, pairs, ("our program", ours), ("the floor", floors))
    _compare(table, pairs, ("all rules in the pack", judged), ("one empty rule", unjudged))
    _compare(table, pairs, ("all rules in the pack", judged), ("no pack", ours))
    return table


def _compare(
    table: Table, pairs: int, ours: tuple[str, Callable[[], float]], other: tuple[str, Callable[[], float]]
) -> None:
    seconds = [(ours[1](), other[1]()) for _ in range(pairs)]
    ratio = median(mine / theirs for mine, theirs in seconds)
    mine, theirs = (median(column) for column in zip(*seconds, strict=True))
    table.add_row(ours[0], f"{mine:.1f} s", f"{other[0]}, {theirs:.1f} s", f"{ratio:.2f}")


def _write_floor(root: Path, floor: Path) -> int:
    """Write the floor program beside the file of what it registers; return how many resources that is."""
    loaded = load_stack(root, STACK)
    assert loaded.stack is not None
    plan = make_plan(loaded.stack, load_catalog(), TODAY).plan
    registered: list[dict[str, object]] = []

    def add(
        kind: str, key: str, parent: str | None, name: str, props: Mapping[str, object], **more: object
    ) -> None:
        one = {"kind": kind, "key": key, "parent": parent, "name": name, "props": props}
        registered.append(one | more)

    add("component", names.FLEET + "fleet", None, "fleet", fleet_properties(plan), type=names.FLEET)
    for token, each in (
        *((names.NODE_POOL, (pool.name, node_pool_properties(pool))) for pool in plan.node_pools),
        *((names.TEAM, (team.name, team_properties(team))) for team in plan.teams),
        *((names.ENDPOINT, (end.name, endpoint_properties(end))) for end in plan.endpoints),
    ):
        add("component", token + each[0], names.FLEET + "fleet", each[0], each[1], type=token)
    identity = {"clusterIdentifier": plan.cluster_identifier, "context": plan.context}
    add("provider", "cluster", names.FLEET + "fleet", "cluster", identity, version=_provider_version())
    for position, step in enumerate(ordered(plan, render(plan))):
        manifest = step.manifest
        add(
            "manifest",
            str(position),
            manifest.owner_kind + manifest.owner,
            step.name,
            manifest.body,
            type=step.type_token,
            after=[str(earlier) for earlier in step.after],
        )
    _write(floor, "resources.json", json.dumps(registered))
    _write(floor, "__main__.py", FLOOR)
    _write(floor, "Pulumi.yaml", "name: floor\n" + PYTHON % (ROOT / ".venv"))
    return len(registered)


def _provider_version() -> str:
    return version("pulumi-kubernetes")


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def _pulumi(folder: Path, environment: Mapping[str, str], *arguments: str) -> float:
    """Run a command to its end and return its seconds."""
    began = time.perf_counter()
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"pulumi {' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoints", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--pairs", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
