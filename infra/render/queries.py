"""The questions that autoscalers ask Prometheus, with the metric names of the pinned vLLM and of Envoy."""

from infra.plan.model import EndpointPlan, Plan
from infra.render.gateway.metrics import ENDPOINT_LABEL, REMAINING_RETRIES, STACK_LABEL
from infra.render.gateway.place import share

__all__ = ["ENDPOINT_LABEL", "METRICS", "ROLE_LABEL", "STACK_LABEL", "in_flight", "recent"]

ROLE_LABEL = "modelunits_role"
"""Of engines' series: the PodMonitor copies all three from pods; the gateway writes the other two itself."""

RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
FINISHED = "vllm:request_success_total"

METRICS = (RUNNING, WAITING, FINISHED, REMAINING_RETRIES)
"""Every series that an autoscaler reads."""

RECENT_WINDOW = "1m"
"""Requests that begin and end between two looks at the gauges still count as traffic for this long."""


def in_flight(endpoint: EndpointPlan, plan: Plan) -> dict[str, str]:
    """Return queries by name; their sum is the requests in flight, over all roles and pods.

    Why one query each: KEDA says which one fails. A request is in one role at a time, so nothing counts
    twice. Without a gateway nobody holds requests.
    """
    engines = {
        "running": _sum(RUNNING, endpoint, plan.stack),
        "waiting": _sum(WAITING, endpoint, plan.stack),
    }
    if plan.gateway is None:
        return engines
    return {**engines, "held": _held(endpoint, plan.stack, plan.gateway.replicas)}


def recent(endpoint: EndpointPlan, stack: str) -> str:
    """Return the query for requests that finished a moment ago."""
    return f"sum(increase({FINISHED}{_of(endpoint, stack)}[{RECENT_WINDOW}])) or vector(0)"


def _held(endpoint: EndpointPlan, stack: str, gateways: int) -> str:
    """Return the query for requests that gateways hold: what each may hold, less what it may still take."""
    each = share(endpoint.limits.queue, gateways)
    return f"sum({each} - {REMAINING_RETRIES}{_of(endpoint, stack)}) or vector(0)"


def _sum(metric: str, endpoint: EndpointPlan, stack: str) -> str:
    return f"sum({metric}{_of(endpoint, stack)}) or vector(0)"


def _of(endpoint: EndpointPlan, stack: str) -> str:
    return f'{{{STACK_LABEL}="{stack}",{ENDPOINT_LABEL}="{endpoint.name}"}}'
