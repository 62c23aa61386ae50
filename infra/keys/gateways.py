"""Asks the gateways in a cluster for their metrics, through the API server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from kubernetes import client

from infra import names
from infra.keys.book import KeysError
from infra.keys.cluster import asked
from infra.keys.last_used import ANSWER_SECONDS, LastUsed, last_used

AT_ONCE = 16

METRICS_PORT = "metrics"
"""The name of the container's port."""

METRICS_PATH = "stats/prometheus"


def cluster_last_used(api: client.CoreV1Api, stack: str) -> LastUsed:
    """Return what the gateways of a stack tell, asked through the API server."""
    try:
        addresses = list(_metrics_addresses(api, stack))
    except KeysError:
        return {}
    with ThreadPoolExecutor(AT_ONCE) as asking:
        return last_used(asking.map(lambda address: _metrics(api, stack, address), addresses))


def _metrics_addresses(api: client.CoreV1Api, stack: str) -> Iterator[str]:
    """Yield `<pod>:<port>` of the gateways that run."""
    selector = f"app.kubernetes.io/component={names.GATEWAY},{names.LABEL_STACK}={stack}"
    pods = asked(
        lambda: api.list_namespaced_pod(
            names.gateway_namespace(stack),
            label_selector=selector,
            field_selector="status.phase=Running",
            _request_timeout=ANSWER_SECONDS,
        )
    )
    for pod in pods.items:
        if pod.spec is None or pod.metadata is None:
            continue
        for container in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ())):
            ports = [port for port in container.ports or () if port.name == METRICS_PORT]
            yield from (f"{pod.metadata.name}:{port.container_port}" for port in ports)


def _metrics(api: client.CoreV1Api, stack: str, address: str) -> str:
    try:
        return asked(
            lambda: api.connect_get_namespaced_pod_proxy_with_path(
                address, names.gateway_namespace(stack), METRICS_PATH, _request_timeout=ANSWER_SECONDS
            )
        )
    except KeysError:
        return ""
