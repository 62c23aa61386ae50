"""What the objects of the gateway share: names, ports, labels, and where its parts find each other."""

from collections.abc import Mapping

from infra import names
from infra.plan.model import EndpointPlan, GatewayPlan, Plan
from infra.render.gateway.make import needs_concurrency, needs_moderator, needs_ratelimit
from infra.render.gateway.place import Address, Place
from infra.render.manifest import Json, JsonObject, Manifest, labels

RATELIMIT = "ratelimit"
REDIS = "redis"

HTTP_PORT, HTTPS_PORT = 8080, 8443
"""Where Envoy listens for callers: above 1024, so that it needs no rights."""

METRICS_PORT = 9091
ADMIN_PORT = 9901
MODERATOR_PORT = 9000
CONCURRENCY_PORT = 9001
RATELIMIT_PORT = 8081
"""envoyproxy/ratelimit's own default for gRPC."""

REDIS_PORT = 6379

CONFIG_MAP = "gateway-config"
KEYS_SECRET = "gateway-keys"
"""Made and changed by `modelunits keys`; Pulumi knows nothing of it."""

FILES_PATH = "/gateway"
CONFIG_PATH = f"{FILES_PATH}/config"
KEYS_PATH = f"{FILES_PATH}/keys"
"""The files of the ConfigMap and of the Secret, which sync writes and Envoy watches."""

TLS_PATH = "/tls"

MODERATION_FILE = "moderation.json"


def port_name(gateway: GatewayPlan) -> str:
    """Return the name of the port that callers use."""
    return "https" if gateway.tls_secret else "http"


def place(plan: Plan, gateway: GatewayPlan) -> Place:
    """Return where one of the gateway's pods runs and what it reaches."""
    certificate = (f"{TLS_PATH}/tls.crt", f"{TLS_PATH}/tls.key")
    everywhere = "0.0.0.0"
    return Place(
        folder=CONFIG_PATH,
        keys_folder=KEYS_PATH,
        listen=Address(host=everywhere, port=HTTPS_PORT if gateway.tls_secret else HTTP_PORT),
        metrics=Address(host=everywhere, port=METRICS_PORT),
        admin=Address(host="127.0.0.1", port=ADMIN_PORT),
        access_log="/dev/stdout",
        ratelimit=Address(host=f"{RATELIMIT}.{gateway.namespace}.svc", port=RATELIMIT_PORT)
        if needs_ratelimit(plan)
        else None,
        moderator=Address(host="127.0.0.1", port=MODERATOR_PORT) if needs_moderator(plan) else None,
        concurrency=Address(host="127.0.0.1", port=CONCURRENCY_PORT) if needs_concurrency(plan) else None,
        upstreams={endpoint.id: _address(endpoint) for endpoint in plan.endpoints},
        tls=certificate if gateway.tls_secret else None,
        replicas=gateway.replicas,
    )


def gateway_object(
    plan: Plan,
    gateway: GatewayPlan,
    api_version: str,
    kind: str,
    name: str,
    *,
    component: str = names.GATEWAY,
    spec: JsonObject | None = None,
    annotations: Mapping[str, str] | None = None,
    more_labels: Mapping[str, str] | None = None,
    **other: Json,
) -> Manifest:
    """Return an object in the gateway's namespace."""
    metadata: dict[str, Json] = {
        "name": name,
        "namespace": gateway.namespace,
        "labels": {**gateway_labels(plan, component), **(more_labels or {})},
    }
    if annotations:
        metadata["annotations"] = annotations
    body: dict[str, Json] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **other}
    if spec is not None:
        body["spec"] = spec
    return Manifest(owner_kind=names.GATEWAY_TYPE, owner=names.GATEWAY, body=body)


def gateway_labels(plan: Plan, component: str = names.GATEWAY) -> dict[str, str]:
    """Return the labels that every object of the gateway has."""
    return {
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": names.gateway_namespace(plan.stack),
        **labels(plan.stack, component=component),
    }


def part_selector(stack: str, component: str = names.GATEWAY) -> dict[str, str]:
    """Return the labels that pick the pods of one part of the gateway."""
    return {"app.kubernetes.io/component": component, names.LABEL_STACK: stack}


def spread(stack: str, component: str) -> list[JsonObject]:
    """Return the wish that pods of one part run on different machines."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": part_selector(stack, component)},
        }
    ]


def _address(endpoint: EndpointPlan) -> Address:
    host, _, port = endpoint.upstream.rpartition(":")
    return Address(host=host, port=int(port))
