"""What Envoy is started with: where the other files are, and how its stats are named."""

from collections.abc import Sequence

from infra.plan.model import Plan
from infra.render.gateway import metrics
from infra.render.gateway.listeners import address_of, watched
from infra.render.gateway.place import Place
from infra.render.manifest import Json, JsonObject

BOOTSTRAP_FILE = "bootstrap.json"
LISTENERS_FILE = "listeners.json"
CLUSTERS_FILE = "clusters.json"

MOST_CONNECTIONS = 20_000
"""Of callers: 10,000 idle ones leave room, and the headers of all of them fit into a quarter of the heap."""

MEMORY_BYTES = 2 << 30
"""Of a gateway; bodies are held whole, those of requests that wait too."""

HEAP_BYTES = MEMORY_BYTES * 4 // 5
"""Of which Envoy counts: threads and its own tables need the rest."""

REFUSE_ABOVE = 0.85
SHED_ABOVE = 0.9
RESET_ABOVE = 0.95
"""Parts of the heap: above the first no new requests are taken, above the second no more of any by HTTP/1,
above the third the largest by HTTP/2 end: Envoy counts what each request holds there only."""

LOOK_SECONDS = 0.05
"""How often Envoy looks: 60 MB may come between two looks at 10 Gbit/s, 4 % of the heap."""

TRACKED_POWER_OF_TWO = 16
"""Requests that hold 64 KiB or more may end. Envoy sorts them into eight classes by powers of two and begins
with the last: that of the largest bodies."""

ENDPOINT_OF_CLUSTER = r"^cluster\.(ep-([a-z0-9-]+)-[0-9a-f]{6}\.)"
"""Clusters of endpoints are called by their ids (`names.endpoint_id`); the label is the name in them."""

TIMES_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
"""Bounds of the histograms: from a cached prefix to a request that waited for a cold start."""

HEAP = "fixed_heap"
_MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors"


def bootstrap(plan: Plan, place: Place) -> JsonObject:
    """Return the file that Envoy is started with."""
    return {
        "node": {"id": "gateway", "cluster": plan.stack},
        "admin": {"address": address_of(place.admin)},
        "dynamic_resources": {
            "lds_config": watched(place.folder, LISTENERS_FILE),
            "cds_config": watched(place.folder, CLUSTERS_FILE),
        },
        "stats_config": {
            "stats_tags": [
                {"tag_name": metrics.STACK_LABEL, "fixed_value": plan.stack},
                {"tag_name": metrics.ENDPOINT_LABEL, "regex": ENDPOINT_OF_CLUSTER},
            ],
            "histogram_bucket_settings": [
                {"match": {"prefix": metrics.PREFIX}, "buckets": [*map(float, TIMES_MS)]}
            ],
        },
        "overload_manager": _overload(),
    }


def _overload() -> JsonObject:
    """Return what Envoy does before it has too many connections or too little memory."""
    connections: JsonObject = {"max_active_downstream_connections": MOST_CONNECTIONS}
    heap: JsonObject = {"max_heap_size_bytes": HEAP_BYTES}
    return {
        "refresh_interval": f"{LOOK_SECONDS}s",
        "resource_monitors": [
            _monitor("global_downstream_max_connections", "downstream_connections", connections),
            _monitor(HEAP, "fixed_heap", heap),
        ],
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": TRACKED_POWER_OF_TWO},
        "actions": [
            _action("shrink_heap", {"threshold": {"value": REFUSE_ABOVE}}),
            _action("stop_accepting_requests", {"threshold": {"value": REFUSE_ABOVE}}),
            _action(
                "reset_high_memory_stream",
                {"scaled": {"scaling_threshold": RESET_ABOVE, "saturation_threshold": 1}},
            ),
        ],
        "loadshed_points": [
            {
                "name": "envoy.load_shed_points.http1_server_abort_dispatch",
                **_when({"threshold": {"value": SHED_ABOVE}}),
            }
        ],
    }


def _monitor(name: str, kind: str, config: JsonObject) -> JsonObject:
    message = "".join(word.title() for word in kind.split("_"))
    typed: JsonObject = {"@type": f"{_MONITORS}.{kind}.v3.{message}Config", **config}
    return {"name": f"envoy.resource_monitors.{name}", "typed_config": typed}


def _action(name: str, when: JsonObject) -> JsonObject:
    return {"name": f"envoy.overload_actions.{name}", **_when(when)}


def _when(threshold: JsonObject) -> JsonObject:
    return {"triggers": [{"name": f"envoy.resource_monitors.{HEAP}", **threshold}]}


def arguments(place: Place, drain_timeout_seconds: int) -> Sequence[str]:
    """Return the command line after `envoy`.

    Why `error`: at `warning` Envoy writes a line for every field that a body does not have, with parts of it.
    """
    return (
        "--config-path",
        f"{place.folder}/{BOOTSTRAP_FILE}",
        "--log-level",
        "error",
        "--drain-time-s",
        str(drain_timeout_seconds),
        "--drain-strategy",
        "immediate",
        "--file-flush-interval-msec",
        "1000",
        "--disable-hot-restart",
    )


def resources(found: Sequence[JsonObject]) -> JsonObject:
    """Return a file of resources as Envoy reads it."""
    listed: list[Json] = [*found]
    return {"resources": listed}
