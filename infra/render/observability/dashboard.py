"""The Grafana dashboard of a stack, where Grafana's sidecar finds it."""

import json

from infra.plan.model import GatewayPlan, Plan
from infra.render.gateway_common import gateway_object
from infra.render.manifest import Manifest
from infra.render.observability.choices import ENDPOINT_CHOICE, STACK_CHOICE
from infra.render.observability.panels import Choice, dashboard_json
from infra.render.observability.rows import rows

FINDS = {"grafana_dashboard": "1"}
"""The label that kube-prometheus-stack's Grafana looks for, in every namespace."""


def dashboard(plan: Plan, gateway: GatewayPlan) -> Manifest:
    """Return the ConfigMap with the dashboard of a stack."""
    name = f"modelunits-{plan.stack}"
    content = dashboard_json(
        uid=name,
        title=f"Model Units: {plan.stack}",
        choices=(
            Choice(name=STACK_CHOICE, values=(plan.stack,), several=False),
            Choice(name=ENDPOINT_CHOICE, values=tuple(each.name for each in plan.endpoints), several=True),
        ),
        rows=rows(),
    )
    return gateway_object(
        plan,
        gateway,
        "v1",
        "ConfigMap",
        "dashboard",
        component="dashboard",
        more_labels=FINDS,
        data={f"{name}.json": json.dumps(content, indent=1, ensure_ascii=False)},
    )
