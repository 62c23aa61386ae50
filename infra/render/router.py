"""The vllm-router in front of several engines: it leads each request through roles, or to one of them."""

from math import ceil

from infra import names
from infra.plan.model import EndpointPlan
from infra.render.manifest import (
    ROUTER,
    SKIP_AWAIT,
    TIMEOUT_SECONDS,
    Json,
    JsonObject,
    Manifest,
    endpoint_labels,
    endpoint_object,
    role_selector,
)
from infra.render.pods import CONTAINER_SECURITY, ENDPOINTS_SETTLE_SECONDS, PROBE_SECONDS, pod_security
from infra.render.router_args import METRICS_PORT, looks_pods_up, router_args
from infra.render.team import EVERYWHERE

ROLE = "router"

ROUTER_USER = 65532
"""No user of the image: the router is one program that needs no name."""

API_SERVER_PORTS = (443, 6443)
"""Where API servers listen: the Service's port, and the port behind it that network plugins judge."""


def router_objects(endpoint: EndpointPlan, image: str, stack: str) -> tuple[Manifest, ...]:
    """Return the router with its address and the right to see the endpoint's pods.

    Why it looks pods up, instead of asking the roles' Services: with fixed addresses it does not start before
    all roles serve, which takes hours or, asleep, for ever; and it would see one worker a role, so that it
    could neither balance load nor send prompts to where their prefix is cached.
    """
    return (
        *(_right_to_see_pods(endpoint, stack) if looks_pods_up(endpoint) else ()),
        _service(endpoint, stack),
        _deployment(endpoint, image, stack),
    )


def _deployment(endpoint: EndpointPlan, image: str, stack: str) -> Manifest:
    may_sleep = endpoint.units.min == 0
    selector = role_selector(endpoint, stack, ROLE)
    spec: dict[str, Json] = {
        "replicas": names.ROUTER_REPLICAS,
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "progressDeadlineSeconds": endpoint.startup_timeout_seconds,
        "revisionHistoryLimit": 3,
        "template": {"metadata": {"labels": _labels(endpoint, stack)}, "spec": _pod(endpoint, image, stack)},
    }
    waits = {TIMEOUT_SECONDS: str(endpoint.startup_timeout_seconds)}
    return endpoint_object(
        endpoint,
        "apps/v1",
        "Deployment",
        _name(endpoint),
        _labels(endpoint, stack),
        annotations={SKIP_AWAIT: "true"} if may_sleep and not looks_pods_up(endpoint) else waits,
        spec=spec,
    )


def _pod(endpoint: EndpointPlan, image: str, stack: str) -> JsonObject:
    sees_pods = looks_pods_up(endpoint)
    return {
        **({"serviceAccountName": _name(endpoint)} if sees_pods else {}),
        "automountServiceAccountToken": sees_pods,
        "enableServiceLinks": False,
        "securityContext": pod_security(ROUTER_USER),
        # Streams pass through it: it may not end before them.
        "terminationGracePeriodSeconds": ENDPOINTS_SETTLE_SECONDS + endpoint.request_timeout_seconds,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": role_selector(endpoint, stack, ROLE)},
            }
        ],
        "containers": [_container(endpoint, image, stack)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def _container(endpoint: EndpointPlan, image: str, stack: str) -> JsonObject:
    # Not /readiness: that fails while no engine serves, which no restart mends and callers should be told.
    listens: JsonObject = {"httpGet": {"path": "/liveness", "port": "http"}, "timeoutSeconds": 5}
    return {
        "name": ROUTER,
        "image": image,
        "command": [ROUTER],
        "args": router_args(endpoint, stack),
        "ports": [
            {"name": "http", "containerPort": names.ENGINE_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "startupProbe": {
            **listens,
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": ceil(endpoint.startup_timeout_seconds / PROBE_SECONDS),
        },
        "livenessProbe": {**listens, "periodSeconds": PROBE_SECONDS, "failureThreshold": 6},
        "readinessProbe": {**listens, "periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"sleep": {"seconds": ENDPOINTS_SETTLE_SECONDS}}},
        # 80 MB at rest; the prefix trees of cache-aware balancing grow with traffic, to 32 MiB an engine.
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def _service(endpoint: EndpointPlan, stack: str) -> Manifest:
    return endpoint_object(
        endpoint,
        "v1",
        "Service",
        _name(endpoint),
        _labels(endpoint, stack),
        annotations={SKIP_AWAIT: "true"},  # its Deployment is waited for
        spec={
            "type": "ClusterIP",
            "selector": role_selector(endpoint, stack, ROLE),
            "ports": [{"name": "http", "port": names.ENGINE_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def _right_to_see_pods(endpoint: EndpointPlan, stack: str) -> tuple[Manifest, ...]:
    name, own = _name(endpoint), _labels(endpoint, stack)
    rbac = "rbac.authorization.k8s.io"
    ports: list[Json] = [{"protocol": "TCP", "port": port} for port in API_SERVER_PORTS]
    return (
        endpoint_object(endpoint, "v1", "ServiceAccount", name, own, automountServiceAccountToken=False),
        endpoint_object(
            endpoint,
            f"{rbac}/v1",
            "Role",
            name,
            own,
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        ),
        endpoint_object(
            endpoint,
            f"{rbac}/v1",
            "RoleBinding",
            name,
            own,
            roleRef={"apiGroup": rbac, "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": endpoint.namespace}],
        ),
        endpoint_object(
            endpoint,
            "networking.k8s.io/v1",
            "NetworkPolicy",
            name,
            own,
            spec={
                "podSelector": {"matchLabels": role_selector(endpoint, stack, ROLE)},
                "policyTypes": ["Egress"],
                "egress": [{"to": [{"ipBlock": {"cidr": cidr}} for cidr in EVERYWHERE], "ports": ports}],
            },
        ),
    )


def _labels(endpoint: EndpointPlan, stack: str) -> dict[str, str]:
    return {**endpoint_labels(endpoint, stack, name=ROUTER, component=ROLE), names.LABEL_ROLE: ROLE}


def _name(endpoint: EndpointPlan) -> str:
    return names.service_name(endpoint.name, ROLE)
