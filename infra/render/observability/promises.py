"""What a plan promises, as series: one dashboard and one set of alerts then compare all endpoints alike."""

from collections.abc import Iterable

from infra.plan.model import EndpointPlan, GatewayPlan, Plan
from infra.render.gateway.metrics import REMAINING_RETRIES
from infra.render.gateway.place import share
from infra.render.manifest import JsonObject
from infra.render.observability.expressions import HELD, QUEUE_BOUND, TPOT_PROMISE, TTFT_PROMISE
from infra.render.queries import ENDPOINT_LABEL, STACK_LABEL


def promises(plan: Plan, gateway: GatewayPlan) -> list[JsonObject]:
    """Return the recording rules of a stack."""
    return [rule for endpoint in plan.endpoints for rule in _promises(endpoint, plan.stack, gateway.replicas)]


def _promises(endpoint: EndpointPlan, stack: str, gateways: int) -> Iterable[JsonObject]:
    labels = {STACK_LABEL: stack, ENDPOINT_LABEL: endpoint.name}
    numbers = {
        TTFT_PROMISE: endpoint.tier.ttft_ms / 1000,
        TPOT_PROMISE: endpoint.tier.tpot_ms / 1000,
        QUEUE_BOUND: endpoint.limits.queue,
    }
    for series, number in numbers.items():
        yield {"record": series, "expr": f"vector({number:g})", "labels": labels}
    # Each gateway says how many more requests it may hold, of its share of the queue.
    of = ",".join(f'{label}="{value}"' for label, value in labels.items())
    each = share(endpoint.limits.queue, gateways)
    yield {"record": HELD, "expr": f"sum({each} - {REMAINING_RETRIES}{{{of}}})", "labels": labels}
