"""The gateway's pods: Envoy, beside it what brings its files over, the moderator and the limiter."""

from collections.abc import Iterator
from hashlib import sha256

from infra import names
from infra.plan.model import GatewayPlan, Plan
from infra.render.gateway.bootstrap import MEMORY_BYTES, arguments
from infra.render.gateway.make import needs_concurrency, needs_moderator
from infra.render.gateway_common import (
    CONCURRENCY_PORT,
    CONFIG_MAP,
    CONFIG_PATH,
    FILES_PATH,
    KEYS_SECRET,
    METRICS_PORT,
    MODERATION_FILE,
    MODERATOR_PORT,
    TLS_PATH,
    gateway_labels,
    gateway_object,
    part_selector,
    place,
    port_name,
    spread,
)
from infra.render.gateway_drain import drain_command
from infra.render.manifest import Json, JsonObject, Manifest
from infra.render.pods import CONTAINER_SECURITY, ENDPOINTS_SETTLE_SECONDS, STOP_SECONDS, pod_security

ENVOY_IMAGE = "envoyproxy/envoy:distroless-v1.38.3"
"""The version that tests run; its image has neither a shell nor another program."""

USER = 65532
"""The user `nonroot` of distroless images; ours has no user of its own."""

ENVOY_THREADS = 2
"""Bounds of requests hold for all threads together, but each may always open one connection."""

MODERATION_KEY_SECRET = "moderation-api-key"
"""A Secret of the gateway's namespace, with the key `key`; for judges behind a URL that ask for one."""

BOOTSTRAP_ANNOTATION = f"{names.DOMAIN}/bootstrap"

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""What Kubernetes gives pods by default."""


def gateway_deployment(plan: Plan, gateway: GatewayPlan, bootstrap: str) -> Manifest:
    """Return the gateway's Deployment.

    Why only the bootstrap's digest is in it: Envoy reads that file when it starts, and watches all others.
    """
    digest = sha256(bootstrap.encode()).hexdigest()[:16]
    return gateway_object(
        plan,
        gateway,
        "apps/v1",
        "Deployment",
        names.GATEWAY,
        spec={
            "replicas": gateway.replicas,
            "selector": {"matchLabels": part_selector(plan.stack)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 3,
            "template": {
                "metadata": {
                    "labels": gateway_labels(plan),
                    "annotations": {
                        BOOTSTRAP_ANNOTATION: digest,
                        "kubectl.kubernetes.io/default-container": "envoy",
                    },
                },
                "spec": _pod(plan, gateway),
            },
        },
    )


def _pod(plan: Plan, gateway: GatewayPlan) -> JsonObject:
    """Return the pod.

    Why Envoy is a sidecar: Kubernetes stops sidecars last, in the reverse order of their start. So the drain
    beside Envoy ends first, when the last stream has; then Envoy stops, then what judges for it.
    """
    grace = ENDPOINTS_SETTLE_SECONDS + gateway.drain_timeout_seconds + STOP_SECONDS
    return {
        "serviceAccountName": names.GATEWAY,
        # Only sync gets its token.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(USER),
        "terminationGracePeriodSeconds": grace,
        "topologySpreadConstraints": spread(plan.stack, names.GATEWAY),
        "initContainers": [
            _sync(gateway, "first-sync", "--once"),
            *([_moderator(gateway)] if needs_moderator(plan) else []),
            *([_limiter(gateway)] if needs_concurrency(plan) else []),
            _envoy(plan, gateway),
        ],
        "containers": [_sync_for_good(plan, gateway)],
        "volumes": list(_volumes(gateway)),
    }


def _envoy(plan: Plan, gateway: GatewayPlan) -> JsonObject:
    where = place(plan, gateway)
    ready: JsonObject = {"httpGet": {"path": "/ready", "port": "metrics"}, "timeoutSeconds": 5}
    mounts: list[Json] = [{"name": "files", "mountPath": FILES_PATH, "readOnly": True}]
    if gateway.tls_secret:
        mounts.append({"name": "tls", "mountPath": TLS_PATH, "readOnly": True})
    return {
        "name": "envoy",
        "image": ENVOY_IMAGE,
        "restartPolicy": "Always",
        "args": [*arguments(where, gateway.drain_timeout_seconds), "--concurrency", str(ENVOY_THREADS)],
        "ports": [
            {"name": port_name(gateway), "containerPort": where.listen.port, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        # Not ready while it drains, which is no reason to kill it: no liveness probe asks for the same.
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 3},
        "resources": {
            "requests": {"cpu": str(ENVOY_THREADS), "memory": "512Mi"},
            "limits": {"memory": f"{MEMORY_BYTES >> 20}Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }


def _moderator(gateway: GatewayPlan) -> JsonObject:
    secret: JsonObject = {"name": MODERATION_KEY_SECRET, "key": "key", "optional": True}
    config = f"{CONFIG_PATH}/{MODERATION_FILE}"
    return {
        **_ours(gateway, "moderator", ["infra.moderation", "--config", config]),
        **_asked_at(MODERATOR_PORT),
        "env": [{"name": "MODERATION_API_KEY", "valueFrom": {"secretKeyRef": secret}}],
        "resources": {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [
            # Not the keys beside it.
            {"name": "files", "mountPath": CONFIG_PATH, "subPath": "config", "readOnly": True}
        ],
    }


def _limiter(gateway: GatewayPlan) -> JsonObject:
    """Return the limiter of each key's concurrency; what it counts is in memory, as long as requests run."""
    return {
        **_ours(gateway, "concurrency", ["infra.concurrency"]),
        **_asked_at(CONCURRENCY_PORT),
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }


def _asked_at(port: int) -> JsonObject:
    """Return what sidecars share that Envoy asks, and whose gRPC tells whether they are well."""
    # The kubelet asks from outside the pod; network policies keep everybody else from the port.
    health: JsonObject = {"grpc": {"port": port}, "timeoutSeconds": 5}
    return {
        "args": ["--listen", f"0.0.0.0:{port}"],
        "restartPolicy": "Always",
        "startupProbe": {**health, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**health, "periodSeconds": 5, "failureThreshold": 3},
    }


def _sync(gateway: GatewayPlan, name: str, *more: str) -> JsonObject:
    program = ["infra.keys.sync", "--namespace", gateway.namespace, "--secret", KEYS_SECRET]
    return {
        **_ours(gateway, name, [*program, "--config-map", CONFIG_MAP, "--out", FILES_PATH, *more]),
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "files", "mountPath": FILES_PATH},
            {"name": "token", "mountPath": TOKEN_PATH, "readOnly": True},
        ],
    }


def _sync_for_good(plan: Plan, gateway: GatewayPlan) -> JsonObject:
    admin = place(plan, gateway).admin
    drain = drain_command(admin, ENDPOINTS_SETTLE_SECONDS, gateway.drain_timeout_seconds)
    return {**_sync(gateway, "sync"), "lifecycle": {"preStop": {"exec": {"command": drain}}}}


def _ours(gateway: GatewayPlan, name: str, module: list[str]) -> JsonObject:
    """Return a container of our own image that runs one of its modules."""
    return {
        "name": name,
        "image": gateway.image,
        "command": ["python", "-m", *module],
        "securityContext": CONTAINER_SECURITY,
    }


def _volumes(gateway: GatewayPlan) -> Iterator[JsonObject]:
    # In memory: keys never reach a disk.
    yield {"name": "files", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}
    yield {"name": "token", "projected": {"sources": _token_sources()}}
    if gateway.tls_secret:
        yield {"name": "tls", "secret": {"secretName": gateway.tls_secret, "defaultMode": 0o440}}


def _token_sources() -> list[JsonObject]:
    """Return what Kubernetes' client libraries expect where a service account's token is mounted."""
    namespace: JsonObject = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
