"""Our gateway as it serves a stack here: its rendered files, real ratelimit and Redis, the moderator."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from gateway_ways import CHAT, Way, started
from gateway_without import Change

from infra.catalog.load import load_catalog
from infra.local import health, ports
from infra.local.folders import folders
from infra.local.processes import Process
from infra.local.progress import Progress
from infra.local.serve.gateway import ENVOY, gateway_processes
from infra.local.serve.place import Listening, ServeFolder, place
from infra.local.serve.programs import gateway_programs
from infra.plan.make import make_plan
from infra.plan.model import EndpointPlan, KeyLimits, Limits, Plan
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file
from infra.render.gateway.make import gateway_files, ratelimit_config
from infra.render.gateway.moderation import moderation_config
from infra.render.gateway.place import Address
from infra.spec.load import load_stack

ROOT = Path(__file__).parents[1]
STACK = "local"
TODAY = date(2026, 11, 21)
NEVER_REACHED = 1_000_000_000
"""A limit per minute; ratelimit counts in 32 bits."""

NO_LIMITS = KeyLimits(requests_per_minute=None, tokens_per_minute=None, concurrency=None, queue=0)
PER_MINUTE = replace(NO_LIMITS, requests_per_minute=NEVER_REACHED, tokens_per_minute=NEVER_REACHED)
KEY_CONCURRENCY = replace(NO_LIMITS, concurrency=100_000)

PASSES = (
    ("keys", (ENVOY,)),
    ("limits", (ENVOY, "ratelimit", "redis")),
    ("moderation", (ENVOY, "ratelimit", "redis", "moderator")),
    ("key concurrency", (ENVOY, "concurrency")),
)
"""What a request to each of the endpoints meets, and which processes it passes."""


def plan() -> tuple[Plan, tuple[EndpointPlan, ...]]:
    """Return the plan of the stack `local`, and an endpoint for each of PASSES."""
    loaded = load_stack(ROOT, STACK)
    assert loaded.stack is not None, loaded.problems
    planned = make_plan(loaded.stack, load_catalog(), TODAY).plan
    assert planned is not None
    bare, limited, moderated, counted = planned.endpoints[:4]
    chosen = (
        _endpoint(bare, NO_LIMITS, moderated=False),
        _endpoint(limited, PER_MINUTE, moderated=False),
        _endpoint(moderated, PER_MINUTE, moderated=True),
        _endpoint(counted, KEY_CONCURRENCY, moderated=False),
    )
    return replace(planned, endpoints=(*chosen, *planned.endpoints[4:])), chosen


@contextmanager
def our_gateway(folder: Path, behind: Address) -> Iterator[tuple[Way, ...]]:
    """Run the gateway; a way goes through it for each of PASSES."""
    with _running(folder / "gateway", behind, lambda files: files, helpers=True) as (ways, pids):
        yield tuple(
            replace(way, name=f"gateway, {what}", processes=tuple(pids[name] for name in through))
            for way, (what, through) in zip(ways, PASSES, strict=True)
        )


@contextmanager
def gateway_without(
    folder: Path, behind: Address, name: str, change: Change, *, under: Sequence[str]
) -> Iterator[tuple[Way]]:
    """Run Envoy under a tool on our files without a part; the way of keys alone goes through it."""
    with _running(folder / name, behind, change, helpers=False, under=under) as (ways, pids):
        yield (replace(ways[0], name=name, processes=(pids[ENVOY],)),)


@contextmanager
def _running(
    path: Path, behind: Address, change: Change, *, helpers: bool, under: Sequence[str] = ()
) -> Iterator[tuple[list[Way], Mapping[str, int]]]:
    planned, endpoints = plan()
    at = ServeFolder(path=path)
    listening = Listening.choose(*ports.quiet(1))
    upstreams = {each.id: behind for each in planned.endpoints}
    where = place(at, listening, upstreams, limited=True, moderated=True, keys_counted=True)
    keys = [
        CallerKey(id=f"k{number:08x}", team=each.team, secret=f"mu-{number:043}")
        for number, each in enumerate(endpoints)
    ]
    for made in (at.gateway, at.keys, at.redis, at.ratelimit / "config", at.access_log.parent):
        made.mkdir(parents=True)
    for file, content in change(gateway_files(planned, where)).items():
        (at.gateway / file).write_text(content)
    (at.keys / KEYS_FILE).write_text(key_file(keys))
    (at.ratelimit / "config" / "limits.yaml").write_text(ratelimit_config(planned))
    at.moderation.write_text(moderation_config(planned, where))
    programs = gateway_programs(folders(ROOT), Progress(), limited=True)
    with ExitStack() as running:
        pids = {
            process.name: running.enter_context(_started(process, at.path, under))
            for process in gateway_processes(programs, at, listening, where)
            if helpers or process.name == ENVOY
        }
        ways = [
            Way(
                name=endpoint.name,
                url=f"http://127.0.0.1:{listening.gateway}{CHAT}",
                model=endpoint.id,
                headers={"Authorization": f"Bearer {key.secret}"},
            )
            for endpoint, key in zip(endpoints, keys, strict=True)
        ]
        yield ways, pids


@contextmanager
def _started(process: Process, folder: Path, under: Sequence[str]) -> Iterator[int]:
    """Run one of the gateway's processes until it is healthy; on one thread where it is Envoy."""
    one_thread = ("--concurrency", "1") if process.name == ENVOY else ()
    threads = {"GOMAXPROCS": "1"} if process.name == "ratelimit" else {}
    with started(
        (*under, *process.command, *one_thread), folder, process.name, {**process.environment, **threads}
    ) as pid:
        while not health.answers(process.health):
            time.sleep(0.05)
        yield pid


def _endpoint(endpoint: EndpointPlan, limits: KeyLimits, *, moderated: bool) -> EndpointPlan:
    return replace(
        endpoint,
        moderation=replace(endpoint.moderation, enabled=moderated),
        limits=Limits(
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            concurrency=None,
            queue=1000,
            per_key=limits,
        ),
    )
