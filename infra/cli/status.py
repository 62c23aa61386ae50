"""`modelunits status`: endpoints and their gateway as a cluster shows them."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from infra.cli.arguments import Root, StackName, checked_or_fail, day_of, fail
from infra.local.control_plane import own_kubeconfig
from infra.local.folders import folders
from infra.plan.model import Plan
from infra.status.gateway import GatewayState, gateway_state
from infra.status.state import EndpointState, State, states

POLL_SECONDS = 2.0
TABLE_WIDTH = 150
_COLOURS = {
    "Healthy": "green",
    "Sleeping": "blue",
    "Scheduling": "yellow",
    "Degraded": "red",
    "Missing": "red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What the command shows."""

    gateway: GatewayState | None
    endpoints: tuple[EndpointState, ...]

    def unsettled(self) -> list[tuple[str, State, str]]:
        """Return the name, the state and its detail of everything that is to be waited for."""
        of_endpoints = [(s.endpoint, s.state, s.detail) for s in self.endpoints if not s.settled]
        gateway = self.gateway
        if gateway is None or gateway.settled:
            return of_endpoints
        return [("gateway", gateway.state, gateway.detail), *of_endpoints]


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
    """Show each endpoint's state, units, GPUs and nodes, and the gateway's, read from the stack's cluster."""
    plan = checked_or_fail(root, stack, day_of(root, stack, None)).usable_plan()
    console = Console()
    # Ids are there to be copied: a narrow terminal wraps lines, but no cell is cut.
    console.width = max(console.width, TABLE_WIDTH)
    kubeconfig = own_kubeconfig(folders(root), plan.context)
    seen = _look(plan, kubeconfig)
    if output is StatusFormat.JSON:
        print(json.dumps(asdict(seen), indent=2))
    elif watch:
        with Live(_shown(seen), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(POLL_SECONDS)
                live.update(_shown(_look(plan, kubeconfig)), refresh=True)
    else:
        if wait:
            seen = _wait(plan, kubeconfig, console, timeout_minutes * 60)
        console.print(_shown(seen))
    if wait and (unsettled := seen.unsettled()):
        said = "; ".join(f"{name} is {state}: {detail}" for name, state, detail in unsettled)
        fail(f"gave up after {timeout_minutes:g} minutes: {said}")


def _look(plan: Plan, kubeconfig: Path | None) -> Now:
    # The Kubernetes client takes a third of the command's start, and no other command needs it.
    from infra.status.observe import UnreachableError, observe  # noqa: PLC0415

    try:
        seen = observe(plan.context, plan.stack, kubeconfig)
    except UnreachableError as error:
        fail(str(error))
    return Now(
        gateway=gateway_state(plan.gateway, seen.gateway) if plan.gateway else None,
        endpoints=states(plan, seen.workloads, seen.pods, datetime.now(UTC)),
    )


def _wait(plan: Plan, kubeconfig: Path | None, console: Console, timeout_seconds: float) -> Now:
    began = time.monotonic()
    shown = ""
    while True:
        seen = _look(plan, kubeconfig)
        waiting = [f"{name} ({state}, {detail})" for name, state, detail in seen.unsettled()]
        elapsed = time.monotonic() - began
        if not waiting or elapsed > timeout_seconds:
            return seen
        if (line := "; ".join(waiting)) != shown:
            console.print(f"{elapsed:4.0f} s  waiting for {line}", soft_wrap=True, highlight=False)
            shown = line
        time.sleep(POLL_SECONDS)


def _shown(seen: Now) -> Group:
    table, gateway = _table(seen.endpoints), seen.gateway
    if gateway is None:
        return Group(table)
    pods = f"{gateway.replicas_ready} of {gateway.replicas_wanted} pods"
    return Group(table, f"gateway {gateway.url} {pods} {_coloured(gateway.state, gateway.detail)}")


def _coloured(state: State, detail: str) -> str:
    return f"[{_COLOURS[state]}]{state}[/]" + (f" {detail}" if detail else "")


def _table(seen: tuple[EndpointState, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ENDPOINT", "ID", "MODEL", "TEMPLATE"):
        table.add_column(heading, no_wrap=True)
    for heading in ("UNITS", "MIN", "MAX", "GPUS", "MACHINES", "AGE"):
        table.add_column(heading, justify="right")
    table.add_column("STATE", overflow="fold")
    for s in seen:
        units = str(s.units_ready) if s.units_ready == s.units_wanted else f"{s.units_ready}/{s.units_wanted}"
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
            _coloured(s.state, s.detail),
        )
    return table


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
