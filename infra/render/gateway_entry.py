"""How callers reach the gateway: its Service, its certificate, the route of the Gateway in front."""

from collections.abc import Iterator

from infra import names
from infra.plan.model import GatewayPlan, Plan
from infra.render.gateway_common import gateway_object, part_selector, place, port_name
from infra.render.manifest import SKIP_AWAIT, Json, Manifest

PORTS = {"http": 80, "https": 443}


def entry_objects(plan: Plan, gateway: GatewayPlan) -> Iterator[Manifest]:
    """Yield the gateway's address and, where the environment names them, its certificate and its route."""
    yield _service(plan, gateway)
    if gateway.issuer_name:
        yield _certificate(plan, gateway)
    if gateway.parent_name:
        yield _route(plan, gateway)


def _service(plan: Plan, gateway: GatewayPlan) -> Manifest:
    name, port = port_name(gateway), place(plan, gateway).listen.port
    return gateway_object(
        plan,
        gateway,
        "v1",
        "Service",
        names.GATEWAY,
        annotations={SKIP_AWAIT: "true"},  # its Deployment is waited for
        spec={
            "type": "ClusterIP",
            "selector": part_selector(plan.stack),
            "ports": [{"name": name, "port": PORTS[name], "targetPort": port, "protocol": "TCP"}],
        },
    )


def _certificate(plan: Plan, gateway: GatewayPlan) -> Manifest:
    """Return the certificate that cert-manager keeps in the Secret that Envoy watches."""
    return gateway_object(
        plan,
        gateway,
        "cert-manager.io/v1",
        "Certificate",
        names.GATEWAY,
        spec={
            "secretName": gateway.tls_secret,
            "dnsNames": [gateway.host],
            "issuerRef": {
                "group": "cert-manager.io",
                "kind": gateway.issuer_kind,
                "name": gateway.issuer_name,
            },
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    )


def _route(plan: Plan, gateway: GatewayPlan) -> Manifest:
    """Return the route from the Gateway in front, which ends TLS; ours decides about paths and time."""
    backend: dict[str, Json] = {"name": names.GATEWAY, "port": PORTS[port_name(gateway)]}
    return gateway_object(
        plan,
        gateway,
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        names.GATEWAY,
        spec={
            "parentRefs": [{"namespace": gateway.parent_namespace, "name": gateway.parent_name}],
            "hostnames": [gateway.host],
            # No time limit: implementations end requests after 15 s by default, and ours ends them anyway.
            "rules": [{"backendRefs": [backend], "timeouts": {"request": "0s"}}],
        },
    )
