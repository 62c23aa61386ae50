"""What every manifest has: an owner, a body, names and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from infra import names
from infra.plan.model import EndpointPlan

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]

PART_OF = "modelunits"
ENGINE = "vllm"
ROUTER = "vllm-router"

TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
"""What Pulumi's Kubernetes provider waits for; files that others apply carry them without effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One Kubernetes object and the component that it belongs to."""

    owner_kind: str
    """Type token of the component."""
    owner: str
    body: JsonObject

    @property
    def kind(self) -> str:
        """Return the object's kind."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Return the object's name in its namespace."""
        return str(self._metadata["name"])

    @property
    def namespace(self) -> str | None:
        """Return the object's namespace, or None where it belongs to the whole cluster."""
        namespace = self._metadata.get("namespace")
        return None if namespace is None else str(namespace)

    @property
    def _metadata(self) -> JsonObject:
        metadata = self.body["metadata"]
        assert isinstance(metadata, Mapping)
        return metadata


def labels(stack: str, *, component: str) -> dict[str, str]:
    """Return the labels that every object of a stack has."""
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": PART_OF,
        names.LABEL_STACK: stack,
    }


def endpoint_labels(endpoint: EndpointPlan, stack: str, *, name: str, component: str) -> dict[str, str]:
    """Return the labels that every object of an endpoint has."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": endpoint.id,
        **({"app.kubernetes.io/version": endpoint.engine_version} if name == ENGINE else {}),
        **labels(stack, component=component),
        names.LABEL_TEAM: endpoint.team,
        names.LABEL_ENDPOINT: endpoint.name,
    }


def endpoint_object(
    endpoint: EndpointPlan,
    api_version: str,
    kind: str,
    name: str,
    labels: Mapping[str, str],
    *,
    spec: JsonObject | None = None,
    annotations: Mapping[str, str] | None = None,
    **other: Json,
) -> Manifest:
    """Return an object of an endpoint in its team's namespace."""
    metadata: dict[str, Json] = {"name": name, "namespace": endpoint.namespace, "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    body: dict[str, Json] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **other}
    if spec is not None:
        body["spec"] = spec
    return Manifest(owner_kind=names.ENDPOINT, owner=endpoint.name, body=body)


def endpoint_selector(endpoint: EndpointPlan, stack: str) -> dict[str, str]:
    """Return the labels that pick all pods of an endpoint."""
    return {names.LABEL_STACK: stack, names.LABEL_ENDPOINT: endpoint.name}


def role_selector(endpoint: EndpointPlan, stack: str, role: str) -> dict[str, str]:
    """Return the labels that pick all pods of a role of an endpoint."""
    return {**endpoint_selector(endpoint, stack), names.LABEL_ROLE: role}
