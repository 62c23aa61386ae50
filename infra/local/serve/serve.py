"""Serve a stack on this machine until told to end: the gateway in front, engines that wake and sleep."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.keys.files import put_if_changed
from infra.keys.folder import FolderStore
from infra.local import memory, ports
from infra.local.folders import Folders
from infra.local.progress import Progress
from infra.local.serve import engines
from infra.local.serve.awake import Engines
from infra.local.serve.engines import StandIn
from infra.local.serve.errors import ServeError
from infra.local.serve.gateway import gateway_processes
from infra.local.serve.lease import Told, ends_when_told, lease
from infra.local.serve.parts import Parts
from infra.local.serve.place import Listening, ServeFolder, place, record, serve_folder
from infra.local.serve.programs import engine_files, gateway_programs
from infra.local.serve.waker import ASKED_FOR, decide, traffic
from infra.plan.model import Plan
from infra.render.gateway.bootstrap import BOOTSTRAP_FILE
from infra.render.gateway.make import (
    gateway_files,
    needs_concurrency,
    needs_moderator,
    needs_ratelimit,
    ratelimit_config,
)
from infra.render.gateway.moderation import moderation_config
from infra.render.gateway.place import Address, Place

LOOK_SECONDS = 0.5
"""A held request waits this much longer for its engine."""

SPARE_GIB = 1.0
"""Memory that engines leave to everything else."""

FILE_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks to be served."""

    plan: Plan
    elsewhere: Mapping[str, Address]
    """Endpoints, by name, whose engines somebody else runs."""
    port: int


Serving = Callable[[Listening, tuple[StandIn, ...]], None]
"""Told once it works: where to call, and what answers."""


def serve(
    folders: Folders,
    wish: Wish,
    progress: Progress,
    serving: Serving,
) -> None:
    """Serve until told to end; call `serving` once it works; ServeError where it does not."""
    folder = serve_folder(folders, wish.plan.stack)
    try:
        with ends_when_told(), lease(folder) as temporary:
            _run(folders, folder, wish, progress, temporary, serving)
    except Told as told:
        if told.by_another_program:
            progress.note("ended by a signal, as `modelunits local down` sends it")


def _run(
    folders: Folders,
    folder: ServeFolder,
    wish: Wish,
    progress: Progress,
    temporary: Path,
    serving: Serving,
) -> None:
    plan = wish.plan
    if not ports.is_free(wish.port):
        raise ServeError(f"port {wish.port} is taken: choose another with --port")
    limited = needs_ratelimit(plan)
    programs = gateway_programs(folders, progress, limited=limited)
    stand_ins = tuple(_stand_ins(folder, wish, progress, temporary))
    listening = Listening.choose(wish.port)
    upstreams = {one.endpoint.id: one.address for one in stand_ins}
    at = place(
        folder,
        listening,
        upstreams,
        limited=limited,
        moderated=needs_moderator(plan),
        keys_counted=needs_concurrency(plan),
    )
    _write(folder, plan, at)
    FolderStore(folder.keys).prepare()
    parts = Parts(tuple(gateway_processes(programs, folder, listening, at)), folder, progress)
    parts.start()
    put_if_changed(folder.record, record(listening), FILE_MODE)
    serving(listening, stand_ins)
    judges = plan.gateway.judges if plan.gateway else None
    guard = judges.guard.endpoint_id if judges and judges.guard else None
    needed = [one.endpoint.name for one in stand_ins if one.endpoint.id == guard]
    _watch(parts, Engines(stand_ins, folder, progress, needed=needed), listening)


def _stand_ins(folder: ServeFolder, wish: Wish, progress: Progress, temporary: Path) -> Iterator[StandIn]:
    """Yield what answers for each endpoint."""
    here = [one for one in wish.plan.endpoints if one.name not in wish.elsewhere]
    files = engine_files(here, progress, transfer=folder.transfer, temporary=temporary) if here else None
    free = iter(ports.quiet(sum(map(engines.port_count, here))))
    for endpoint in wish.plan.endpoints:
        if files is None or endpoint not in here:
            yield engines.elsewhere(endpoint, wish.elsewhere[endpoint.name])
        else:
            taken = tuple(next(free) for _ in range(engines.port_count(endpoint)))
            yield engines.stand_in(endpoint, taken, files)


def _write(folder: ServeFolder, plan: Plan, at: Place) -> None:
    for made in (folder.gateway, folder.redis, folder.transfer, folder.ratelimit / "config"):
        made.mkdir(parents=True)
    files = dict(gateway_files(plan, at))
    bootstrap = files.pop(BOOTSTRAP_FILE)
    for name, content in (*files.items(), (BOOTSTRAP_FILE, bootstrap)):
        put_if_changed(folder.gateway / name, content, FILE_MODE)
    put_if_changed(folder.ratelimit / "config" / "limits.yaml", ratelimit_config(plan), FILE_MODE)
    put_if_changed(folder.moderation, moderation_config(plan, at), FILE_MODE)


def _watch(parts: Parts, awake: Engines, listening: Listening) -> None:
    """Mend what dies, wake what is called, until told to end."""
    with httpx.Client(trust_env=False, timeout=5) as client:
        while True:
            parts.mend()
            with suppress(httpx.HTTPError):
                said = client.get(listening.metrics_url, params={"filter": ASKED_FOR}).raise_for_status().text
                seen = awake.look(traffic(said, awake.queues))
                awake.follow(decide(seen, memory.free_gib() - SPARE_GIB))
            time.sleep(LOOK_SECONDS)
