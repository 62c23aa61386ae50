"""A team's namespace: what may run in it, how much, and whom its pods may talk to."""

from infra import names
from infra.plan.model import TeamPlan
from infra.render.manifest import Json, JsonObject, Manifest, labels

ENGINE_ACCOUNT = "engine"
"""The service account of all engines. It has no rights and no token."""

DNS_PORT = 53
NODE_LOCAL_DNS = "169.254.20.10/32"
"""Kubernetes' own address for a DNS cache on each node (NodeLocal DNSCache)."""

HTTPS_PORT = 443

EVERYWHERE = ("0.0.0.0/0", "::/0")


def team_objects(team: TeamPlan, stack: str) -> tuple[Manifest, ...]:
    """Return the namespace of a team, with its quota, its walls and its account."""
    return (
        _namespace(team, stack),
        _resource_quota(team, stack),
        _object(team, stack, "v1", "ServiceAccount", ENGINE_ACCOUNT, automountServiceAccountToken=False),
        _network_policy(team, stack, "deny-all", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        _network_policy(team, stack, "allow-dns", to_dns()),
        _network_policy(team, stack, "allow-weights", _to_weights()),
    )


def _namespace(team: TeamPlan, stack: str) -> Manifest:
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": team.namespace, "labels": {**_labels(team, stack), **restricted()}},
    }
    return Manifest(owner_kind=names.TEAM, owner=team.name, body=body)


def restricted() -> dict[str, str]:
    """Return the labels that make a namespace refuse pods which could gain rights."""
    return {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def _resource_quota(team: TeamPlan, stack: str) -> Manifest:
    hard = {
        f"requests.{names.GPU_RESOURCE}": str(team.gpus_max),
        "pods": str(team.pods_max),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    return _object(team, stack, "v1", "ResourceQuota", "team", spec={"hard": hard})


def _network_policy(team: TeamPlan, stack: str, name: str, spec: JsonObject) -> Manifest:
    return _object(team, stack, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def to_dns() -> JsonObject:
    """Return the way to the cluster's DNS, for all pods of a namespace."""
    return {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
                    {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
                ],
                "ports": [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")],
            }
        ],
    }


def _to_weights() -> JsonObject:
    """Return the way to Hugging Face and S3, whose addresses change daily."""
    return {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": cidr}} for cidr in EVERYWHERE],
                "ports": [{"protocol": "TCP", "port": HTTPS_PORT}],
            }
        ],
    }


def _object(team: TeamPlan, stack: str, api_version: str, kind: str, name: str, **content: Json) -> Manifest:
    body: dict[str, Json] = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": team.namespace, "labels": _labels(team, stack)},
        **content,
    }
    return Manifest(owner_kind=names.TEAM, owner=team.name, body=body)


def _labels(team: TeamPlan, stack: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "team",
        "app.kubernetes.io/instance": team.namespace,
        **labels(stack, component="team"),
        names.LABEL_TEAM: team.name,
    }
