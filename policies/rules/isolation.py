"""Model endpoints are reached from inside the cluster only, and only by whom a policy admits.

Services of endpoints are of type ClusterIP, without external addresses. Their network policies name who may
come in, instead of everybody; and every namespace of ours has one that denies the rest.

This would **PASS**:

    kind: Service
    metadata: {name: chat-serve, labels: {modelunits.dev/endpoint: chat}}
    spec: {type: ClusterIP, …}

This would **FAIL**:

    kind: Service
    metadata: {name: chat-serve, labels: {modelunits.dev/endpoint: chat}}
    spec: {type: LoadBalancer, …}
"""

from collections.abc import Iterator, Sequence

from infra.names import DOMAIN
from policies.objects import is_ours, kind, namespace_of, object_name
from policies.reading import at, items_or_none, mapping_or_none, text_or_none
from policies.rule import Context, Finding, Path, Resource, Rule

_PUBLIC = ("LoadBalancer", "NodePort", "ExternalName")
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    if kind(resource) == "Service":
        yield from _service(resource)
    elif kind(resource) == "NetworkPolicy" and is_ours(resource):
        yield from _network_policy(resource)


def _service(resource: Resource) -> Iterator[Finding]:
    selector = mapping_or_none(resource.props, "spec", "selector")
    if not is_ours(resource) and not any(str(key).startswith(f"{DOMAIN}/") for key in selector):
        return
    of = text_or_none(resource.props, "spec", "type")
    if of in _PUBLIC:
        yield Finding(("spec", "type"), f"must be ClusterIP, got {of}")
    if items_or_none(resource.props, "spec", "externalIPs"):
        yield Finding(
            ("spec", "externalIPs"), "must be absent: nobody outside the cluster may reach endpoints"
        )


def _network_policy(resource: Resource) -> Iterator[Finding]:
    for index, ingress in enumerate(items_or_none(resource.props, "spec", "ingress")):
        path: Path = ("spec", "ingress", index, "from")
        sources = items_or_none(ingress, "from")
        if not sources:
            yield Finding(path, "must name who may come in: without it everybody may")
        for source, peer in enumerate(sources):
            block = text_or_none(peer, "ipBlock", "cidr")
            if block in _EVERYWHERE:
                yield Finding(
                    (*path, source, "ipBlock", "cidr"), f"must be narrower than all addresses, got {block}"
                )


def _check_all(resources: Sequence[Resource], _context: Context) -> Iterator[tuple[Resource, Finding]]:
    """Find namespaces of ours in which nothing is denied."""
    closed = {namespace_of(resource) for resource in resources if _denies_the_rest(resource)}
    for resource in resources:
        if kind(resource) == "Namespace" and is_ours(resource) and object_name(resource) not in closed:
            yield resource, Finding((), "must have a NetworkPolicy that denies all ingress by default")


def _denies_the_rest(resource: Resource) -> bool:
    return (
        kind(resource) == "NetworkPolicy"
        and not mapping_or_none(resource.props, "spec", "podSelector")
        and not items_or_none(resource.props, "spec", "ingress")
        # Without policyTypes every network policy is about ingress.
        and (
            at(resource.props, "spec", "policyTypes") is None
            or "Ingress" in items_or_none(resource.props, "spec", "policyTypes")
        )
    )


RULE = Rule(
    name="isolation",
    description="Endpoints have no public service, and their namespaces deny ingress by default.",
    severity="critical",
    remediation="Use a ClusterIP service and name in the network policy who may come in.",
    applies_to=(
        "kubernetes:core/*:Service",
        "kubernetes:core/*:Namespace",
        "kubernetes:networking.k8s.io/*:NetworkPolicy",
    ),
    check=_check,
    check_all=_check_all,
    doc=__doc__,
)
