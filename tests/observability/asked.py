"""What the dashboard of a stack asks Prometheus, with its variables filled in."""

import json
from collections.abc import Mapping

from infra.plan.model import GatewayPlan, Plan
from infra.render.observability.dashboard import dashboard


def panels(plan: Plan, gateway: GatewayPlan) -> Mapping[str, tuple[str, ...]]:
    """Return every query, by the title of its panel."""
    files = dashboard(plan, gateway).body["data"]
    assert isinstance(files, dict)
    (content,) = files.values()
    return {
        panel["title"]: tuple(_filled(target["expr"], plan.stack) for target in panel["targets"])
        for panel in json.loads(content)["panels"]
        if panel["type"] != "row"
    }


def _filled(query: str, stack: str) -> str:
    chosen = query.replace("$stack", stack).replace("$endpoint", ".*")
    return chosen.replace("$__rate_interval", "1m")
