"""All files of one gateway, from the plan and a place: any machine can compare and check them."""

import json
from collections.abc import Mapping

from infra.plan.model import Plan
from infra.render.gateway.bootstrap import (
    BOOTSTRAP_FILE,
    CLUSTERS_FILE,
    LISTENERS_FILE,
    bootstrap,
    resources,
)
from infra.render.gateway.clusters import clusters
from infra.render.gateway.concurrency import needs_concurrency
from infra.render.gateway.limits import limited, ratelimit_config
from infra.render.gateway.listeners import CERTIFICATE_FILE, ROUTES_FILE, certificate, listeners
from infra.render.gateway.place import Place
from infra.render.gateway.routes import routes
from infra.render.manifest import JsonObject

__all__ = ["gateway_files", "needs_concurrency", "needs_moderator", "needs_ratelimit", "ratelimit_config"]


def gateway_files(plan: Plan, place: Place) -> Mapping[str, str]:
    """Return Envoy's files by name; put bootstrap.json down last, and keys.json before Envoy starts.

    Raises ValueError for a place without a moderator where an endpoint is moderated: nothing passes unjudged.
    """
    if place.moderator is None and needs_moderator(plan):
        raise ValueError("an endpoint is moderated, and the place has no moderator")
    files = {
        CLUSTERS_FILE: resources(tuple(clusters(plan, place))),
        ROUTES_FILE: resources((routes(plan, place),)),
        LISTENERS_FILE: resources(tuple(listeners(plan, place))),
        BOOTSTRAP_FILE: bootstrap(plan, place),
    }
    secret = certificate(place)
    if secret is not None:
        files[CERTIFICATE_FILE] = resources((secret,))
    return {name: _json(content) for name, content in files.items()}


def needs_ratelimit(plan: Plan) -> bool:
    """Tell whether an endpoint limits requests or tokens per minute."""
    return any(limited(endpoint) for endpoint in plan.endpoints)


def needs_moderator(plan: Plan) -> bool:
    """Tell whether an endpoint is moderated."""
    return any(endpoint.moderation.enabled for endpoint in plan.endpoints)


def _json(content: JsonObject) -> str:
    return json.dumps(content, indent=1) + "\n"
