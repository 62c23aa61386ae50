"""What counts requests and tokens per minute for all gateways: envoyproxy/ratelimit and its Redis."""

from collections.abc import Iterator

from infra.plan.model import GatewayPlan, Plan
from infra.render.disruption import one_at_a_time
from infra.render.gateway.limits import SERVICE_SETTINGS
from infra.render.gateway.make import ratelimit_config
from infra.render.gateway_common import (
    RATELIMIT,
    RATELIMIT_PORT,
    REDIS,
    REDIS_PORT,
    gateway_labels,
    gateway_object,
    part_selector,
    spread,
)
from infra.render.manifest import SKIP_AWAIT, Json, JsonObject, Manifest
from infra.render.pods import CONTAINER_SECURITY, pod_security

RATELIMIT_IMAGE = "envoyproxy/ratelimit:3fb70258"
"""It is published by commit: this is the one that infra/local/go/gateway/go.mod pins."""

REDIS_IMAGE = "redis:7.2.5-bookworm"

RATELIMIT_USER = 65532
REDIS_USER = 999
"""The user `redis` of its image."""

RATELIMIT_REPLICAS = 2
HTTP_PORT = 8080

CONFIG_ROOT = "/data"
CONFIG_FOLDER = "ratelimit"
"""ratelimit reads <root>/<folder>/config/*.yaml."""


def limits_objects(plan: Plan, gateway: GatewayPlan) -> Iterator[Manifest]:
    """Yield the two programs, their addresses and the limits.

    Why one Redis without a disk: it holds counters of the present minute, and a new one starts in seconds.
    """
    yield gateway_object(
        plan,
        gateway,
        "v1",
        "ConfigMap",
        RATELIMIT,
        component=RATELIMIT,
        data={"modelunits.yaml": ratelimit_config(plan)},
    )
    yield _service(plan, gateway, RATELIMIT, "grpc", RATELIMIT_PORT)
    yield _service(plan, gateway, REDIS, "redis", REDIS_PORT)
    yield _deployment(plan, gateway, RATELIMIT, RATELIMIT_REPLICAS, _ratelimit_pod(plan, gateway))
    yield _deployment(plan, gateway, REDIS, 1, _redis_pod())
    yield gateway_object(
        plan,
        gateway,
        "policy/v1",
        "PodDisruptionBudget",
        RATELIMIT,
        component=RATELIMIT,
        spec=one_at_a_time(part_selector(plan.stack, RATELIMIT)),
    )


def _service(plan: Plan, gateway: GatewayPlan, component: str, port: str, number: int) -> Manifest:
    return gateway_object(
        plan,
        gateway,
        "v1",
        "Service",
        component,
        component=component,
        annotations={SKIP_AWAIT: "true"},
        spec={
            "type": "ClusterIP",
            "selector": part_selector(plan.stack, component),
            "ports": [{"name": port, "port": number, "targetPort": port, "protocol": "TCP"}],
        },
    )


def _deployment(plan: Plan, gateway: GatewayPlan, component: str, replicas: int, pod: JsonObject) -> Manifest:
    return gateway_object(
        plan,
        gateway,
        "apps/v1",
        "Deployment",
        component,
        component=component,
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": part_selector(plan.stack, component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 3,
            "template": {"metadata": {"labels": gateway_labels(plan, component)}, "spec": pod},
        },
    )


def _ratelimit_pod(plan: Plan, gateway: GatewayPlan) -> JsonObject:
    health: JsonObject = {"httpGet": {"path": "/healthcheck", "port": "http"}, "timeoutSeconds": 5}
    settings = {
        **SERVICE_SETTINGS,
        "GRPC_PORT": str(RATELIMIT_PORT),
        "PORT": str(HTTP_PORT),
        "REDIS_URL": f"{REDIS}.{gateway.namespace}.svc:{REDIS_PORT}",
        "RUNTIME_ROOT": CONFIG_ROOT,
        "RUNTIME_SUBDIRECTORY": CONFIG_FOLDER,
    }
    container: dict[str, Json] = {
        "name": RATELIMIT,
        "image": RATELIMIT_IMAGE,
        "command": ["/bin/ratelimit"],
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "ports": [
            {"name": "grpc", "containerPort": RATELIMIT_PORT, "protocol": "TCP"},
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**health, "periodSeconds": 5, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "config", "mountPath": f"{CONFIG_ROOT}/{CONFIG_FOLDER}/config", "readOnly": True}
        ],
    }
    return {
        **_bare_pod(RATELIMIT_USER),
        "topologySpreadConstraints": spread(plan.stack, RATELIMIT),
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": RATELIMIT}}],
    }


def _redis_pod() -> JsonObject:
    listens: JsonObject = {"tcpSocket": {"port": "redis"}, "timeoutSeconds": 5}
    # Evicted counters let a little more through; a full Redis would refuse to count at all.
    forgetting = ["--save", "", "--appendonly", "no", "--maxmemory", "256mb"]
    container: dict[str, Json] = {
        "name": REDIS,
        "image": REDIS_IMAGE,
        "command": ["redis-server"],
        "args": [*forgetting, "--maxmemory-policy", "volatile-ttl"],
        "ports": [{"name": "redis", "containerPort": REDIS_PORT, "protocol": "TCP"}],
        "livenessProbe": {**listens, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**listens, "periodSeconds": 5, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "200m", "memory": "320Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        **_bare_pod(REDIS_USER),
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }


def _bare_pod(user: int) -> JsonObject:
    """Return what pods without any right in the cluster share."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(user),
    }
