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

MOST_CONNECTIONS = 50_000
"""Of callers: 10,000 idle ones leave room."""

ENDPOINT_OF_CLUSTER = r"^cluster\.(ep-([a-z0-9-]+)-[0-9a-f]{6}\.)"
"""Clusters of endpoints are called by their ids (`names.endpoint_id`); the label is the name in them."""

TIMES_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
"""Bounds of the histograms: from a cached prefix to a request that waited for a cold start."""

_MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors"


def bootstrap(plan: Plan, place: Place) -> JsonObject:
    """Return the file that Envoy is started with."""
    most: JsonObject = {
        "@type": f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": MOST_CONNECTIONS,
    }
    monitor: JsonObject = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": most,
    }
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
        "overload_manager": {"resource_monitors": [monitor]},
    }


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
