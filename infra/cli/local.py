"""`modelunits local`: the embedded cluster of this checkout."""

import shlex
from collections import deque
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.cli.arguments import Root, fail
from infra.cli.machines import catalog_machines
from infra.cli.serve import serve
from infra.local import cluster, engine, up
from infra.local import status as processes_status
from infra.local.control_plane import ClusterError
from infra.local.download import Unavailable
from infra.local.engine import local_variables
from infra.local.folders import folders
from infra.local.go_build import GoError
from infra.local.parts import CLUSTER, RATELIMIT
from infra.local.progress import Progress
from infra.local.toolchain import Toolchain
from infra.local.up import CommandError
from infra.problems import allowed
from infra.render.queries import METRICS
from infra.spec.base import NAME
from infra.spec.files import Files

app = typer.Typer(
    help="The embedded cluster: real controllers over simulated machines, on this machine alone.",
    no_args_is_help=True,
)


@app.command("up")
def up_(
    root: Root,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Also deploy the local stack, as make up does.")
    ] = False,
    pod_start_seconds: Annotated[
        float, typer.Option(min=0, help="How long pods take to start: stands for the loading of weights.")
    ] = cluster.POD_START_SECONDS,
) -> None:
    """Start Pulumi's pieces and the cluster, or repair what has died; nothing happens when all is well."""
    progress = Progress()
    try:
        up.start(folders(root), catalog_machines(), progress, pod_start_seconds=pod_start_seconds)
        if deploy:
            up.deploy(root, progress)
    except (GoError, ClusterError, CommandError, Unavailable) as error:
        fail(str(error))


app.command()(serve)


@app.command()
def tools(root: Root) -> None:
    """Fetch or build every program that the local stack needs, and say where each comes from."""
    progress = Progress()
    try:
        pieces = engine.prepare(folders(root), progress)
        found = Toolchain(folders(root), progress).find_all((*CLUSTER, RATELIMIT))
    except (GoError, Unavailable) as error:
        fail(str(error))
    for line in (*pieces.lines(), *(tool.says() for tool in found.values())):
        typer.echo(line)


@app.command()
def down(
    root: Root,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also what tests have left running, and the whole .modelunits."),
    ] = False,
) -> None:
    """Stop every process of the cluster and remove its data, and the Pulumi state that describes it."""
    where, progress = folders(root), Progress()
    running = ", ".join(cluster.what_runs(where, everything=everything))
    with progress.step(f"stopping {running}" if running else "removing data") as step:
        if everything:
            cluster.down_all(where)
        else:
            cluster.down(where)
        step.finish(f"stopped {running}" if running else "nothing was running")


@app.command()
def status(root: Root) -> None:
    """Show the processes of the cluster: id, port, health."""
    seen = processes_status.status(folders(root))
    table = Table("process", "pid", "address", "state")
    for one in seen:
        state = "[green]healthy" if one.healthy else "[red]not answering" if one.pid else "[red]not running"
        table.add_row(one.name, str(one.pid or "-"), one.address or "-", state)
    Console().print(table)
    if not all(one.healthy for one in seen):
        fail("not everything runs: `modelunits local up` starts what is missing")


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A process that `modelunits local status` lists.")],
    root: Root,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Print the end of a process's log."""
    files = processes_status.logs(folders(root))
    if name not in files:
        fail(f"no log of {name}; {allowed(files, name)}")
    with files[name].open(errors="replace") as content:
        for line in deque(content, maxlen=lines):
            typer.echo(line, nl=False)


@app.command()
def env(root: Root) -> None:
    """Print what to `eval` in a shell, so that `pulumi` and `kubectl` mean the local stack and cluster."""
    where = folders(root)
    for name, value in local_variables(where).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    typer.echo(f"export PATH={shlex.quote(str(where.programs))}:$PATH")


@app.command()
def load(
    endpoint: Annotated[str, typer.Argument(help="The endpoint's name, such as chat.")],
    metric: Annotated[str, typer.Argument(help="The metric, such as vllm:num_requests_running.")],
    value: Annotated[float, typer.Argument(help="What the stand-in for Prometheus answers from now on.")],
    root: Root,
) -> None:
    """Pretend that an endpoint is busy: set what the autoscaler reads for it."""
    endpoints = Files(root).named(f"stacks/{up.STACK}", NAME)
    wrong = []
    if endpoint not in endpoints:
        wrong.append(f"no endpoint {endpoint} in stacks/{up.STACK}; {allowed(endpoints, endpoint)}")
    if metric not in METRICS:
        wrong.append(f"no autoscaler reads {metric}; {allowed(METRICS, metric)}")
    if wrong:
        fail("\n".join(wrong))
    try:
        cluster.set_series(folders(root), endpoint, metric, value)
    except (OSError, ClusterError):
        fail("the stand-in for Prometheus does not answer: run `modelunits local up`")
