"""`modelunits status`: endpoints as a cluster shows them."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.cli.arguments import Root, StackName, checked_or_fail, day_of, fail
from infra.local.control_plane import CONTEXT
from infra.local.folders import folders
from infra.plan.model import Plan
from infra.status.state import EndpointState, states

POLL_SECONDS = 2.0
TABLE_WIDTH = 150
_COLOURS = {
    "Healthy": "green",
    "Sleeping": "blue",
    "Scheduling": "yellow",
    "Degraded": "red",
    "Missing": "red",
}


class StatusFormat(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"


def status(
    stack: StackName,
    root: Root,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing until Ctrl-C.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all are Healthy or asleep.")] = False,
    timeout_minutes: Annotated[float, typer.Option(help="With --wait: give up after this long.")] = 60.0,
    output: Annotated[StatusFormat, typer.Option("--format", help="How to print.")] = StatusFormat.TABLE,
) -> None:
    """Show each endpoint's state, units, GPUs and nodes, read from the cluster of the stack."""
    plan = checked_or_fail(root, stack, day_of(root, stack, None)).usable_plan()
    console = Console()
    # Ids are there to be copied: a narrow terminal wraps lines, but no cell is cut.
    console.width = max(console.width, TABLE_WIDTH)
    kubeconfig = _embedded(plan, root)
    seen = _look(plan, kubeconfig)
    if output is StatusFormat.JSON:
        print(json.dumps([asdict(state) for state in seen], indent=2))
    elif watch:
        with Live(_table(seen), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(POLL_SECONDS)
                live.update(_table(_look(plan, kubeconfig)), refresh=True)
    else:
        if wait:
            seen = _wait(plan, kubeconfig, console, timeout_minutes * 60)
        console.print(_table(seen))
    if wait and not all(state.settled for state in seen):
        unsettled = "; ".join(f"{s.endpoint} is {s.state}: {s.detail}" for s in seen if not s.settled)
        fail(f"gave up after {timeout_minutes:g} minutes: {unsettled}")


def _embedded(plan: Plan, root: Path) -> Path | None:
    """Return the kubeconfig of this checkout's own cluster, where that is the stack's."""
    own = folders(root).kubeconfig
    return own if plan.context == CONTEXT and own.exists() else None


def _look(plan: Plan, kubeconfig: Path | None) -> tuple[EndpointState, ...]:
    # The Kubernetes client takes a third of the command's start, and no other command needs it.
    from infra.status.observe import UnreachableError, observe  # noqa: PLC0415

    try:
        workloads, pods = observe(plan.context, plan.stack, kubeconfig)
    except UnreachableError as error:
        fail(str(error))
    return states(plan, workloads, pods, datetime.now(UTC))


def _wait(
    plan: Plan, kubeconfig: Path | None, console: Console, timeout_seconds: float
) -> tuple[EndpointState, ...]:
    began = time.monotonic()
    shown = ""
    while True:
        seen = _look(plan, kubeconfig)
        waiting = [f"{s.endpoint} ({s.state}, {s.detail})" for s in seen if not s.settled]
        elapsed = time.monotonic() - began
        if not waiting or elapsed > timeout_seconds:
            return seen
        if (line := "; ".join(waiting)) != shown:
            console.print(f"{elapsed:4.0f} s  waiting for {line}", soft_wrap=True, highlight=False)
            shown = line
        time.sleep(POLL_SECONDS)


def _table(seen: tuple[EndpointState, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ENDPOINT", "ID", "MODEL", "TEMPLATE"):
        table.add_column(heading, no_wrap=True)
    for heading in ("UNITS", "MIN", "MAX", "GPUS", "MACHINES", "AGE"):
        table.add_column(heading, justify="right")
    table.add_column("STATE", overflow="fold")
    for s in seen:
        units = str(s.units_ready) if s.units_ready == s.units_wanted else f"{s.units_ready}/{s.units_wanted}"
        state = f"[{_COLOURS[s.state]}]{s.state}[/]" + (f" {s.detail}" if s.detail else "")
        table.add_row(
            s.endpoint,
            s.id,
            s.model,
            s.template,
            units,
            str(s.units_min),
            str(s.units_max),
            str(s.gpus),
            str(len(s.nodes)),
            _age(s.age_seconds),
            state,
        )
    return table


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
