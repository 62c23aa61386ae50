"""The questions that autoscalers ask Prometheus, with the metric names of the pinned vLLM."""

from infra import names
from infra.plan.model import EndpointPlan

STACK_LABEL = "modelunits_stack"
ENDPOINT_LABEL = "modelunits_endpoint"
ROLE_LABEL = "modelunits_role"
"""Labels of series: the PodMonitor copies them from the pods, the door in front writes them itself."""

RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
FINISHED = "vllm:request_success_total"

RECENT_WINDOW = "1m"
"""Requests that begin and end between two looks at the gauges still count as traffic for this long."""


def in_flight(endpoint: EndpointPlan, stack: str) -> dict[str, str]:
    """Return queries by name; their sum is the requests in flight, over all roles and pods.

    Why one query each: KEDA says which one fails. A request is in one role at a time, so nothing counts
    twice.
    """
    return {
        "running": _sum(RUNNING, endpoint, stack),
        "waiting": _sum(WAITING, endpoint, stack),
        "held": _sum(names.HELD_REQUESTS_METRIC, endpoint, stack),
    }


def recent(endpoint: EndpointPlan, stack: str) -> str:
    """Return the query for requests that finished a moment ago."""
    return f"sum(increase({FINISHED}{_of(endpoint, stack)}[{RECENT_WINDOW}])) or vector(0)"


def _sum(metric: str, endpoint: EndpointPlan, stack: str) -> str:
    return f"sum({metric}{_of(endpoint, stack)}) or vector(0)"


def _of(endpoint: EndpointPlan, stack: str) -> str:
    return f'{{{STACK_LABEL}="{stack}",{ENDPOINT_LABEL}="{endpoint.name}"}}'
