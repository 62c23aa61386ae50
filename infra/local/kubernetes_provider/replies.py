"""What the engine is told of an operation: changed fields, the state to keep, and failures in words."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from infra.local.kubernetes_provider.client import ApiError, NoSuchKind
from infra.local.kubernetes_provider.diff import FieldChange
from infra.local.kubernetes_provider.kubeconfig import Unreachable, Unusable
from infra.local.kubernetes_provider.manifest import INPUTS, checkpoint, id_of, text_at
from infra.local.kubernetes_provider.operations import Refused, random_name
from infra.local.kubernetes_provider.readiness import BadWaitFor
from infra.local.kubernetes_provider.values import Manifest, encode, mark_secrets

Kind = provider_pb2.PropertyDiff.Kind
_KINDS = {
    ("add", False): Kind.ADD,
    ("add", True): Kind.ADD_REPLACE,
    ("delete", False): Kind.DELETE,
    ("delete", True): Kind.DELETE_REPLACE,
    ("update", False): Kind.UPDATE,
    ("update", True): Kind.UPDATE_REPLACE,
}


def name_for(request: provider_pb2.CheckRequest) -> str:
    """Return the name for an object without one; empty where the project disables that."""
    mode = request.autonaming.mode if request.HasField("autonaming") else None
    modes = provider_pb2.CheckRequest.AutonamingOptions.Mode
    if mode == modes.DISABLE:
        return ""
    if mode is not None:
        return request.autonaming.proposed_name
    return random_name(request.urn.rpartition("::")[2], request.randomSeed)


def property_diff(change: FieldChange) -> provider_pb2.PropertyDiff:
    """Say what happens to one field."""
    return provider_pb2.PropertyDiff(
        kind=_KINDS[change.change, change.replaces], inputDiff=change.change == "delete"
    )


def kept_state(
    given: Manifest, inputs: Manifest, live: Manifest, initial_api_version: str, manager: str
) -> Manifest:
    """Return what state keeps, with secret what was secret in what was given."""
    kept = checkpoint(
        inputs=inputs, live=live, initial_api_version=initial_api_version, field_manager=manager
    )
    return {**mark_secrets(kept, given), INPUTS: mark_secrets(inputs, given)}


def reference(request: provider_pb2.ReadRequest, old_inputs: Manifest, old_live: Manifest) -> Manifest:
    """Return enough of an object to find it: from its id, and what is known of its kind."""
    namespace, _, name = request.id.rpartition("/")
    _, api_version, kind = request.urn.split("::")[2].rpartition("$")[2].split(":")
    known = {key: text_at(old_inputs, key) or text_at(old_live, key) for key in ("apiVersion", "kind")}
    return {
        "apiVersion": known["apiVersion"] or api_version.removeprefix("core/"),
        "kind": known["kind"] or kind,
        "metadata": {"name": name, "namespace": namespace},
    }


def unreachable_words(what: str, why: str) -> str:
    """Say what cannot be done without the cluster, and the way out if it is gone for good."""
    return (
        f"{what}: configured Kubernetes cluster is unreachable: {why}. If the cluster was "
        "deleted, run again with the environment variable PULUMI_K8S_DELETE_UNREACHABLE=true to take the "
        "resource out of the state"
    )


@contextmanager
def failures(context: grpc.ServicerContext) -> Iterator[None]:
    """Report what people can understand as the call's error."""
    try:
        yield
    except (ApiError, NoSuchKind, Unreachable, Unusable, Refused, BadWaitFor) as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def abort_partly(
    context: grpc.ServicerContext,
    message: str,
    live: Manifest,
    state: Manifest,
    inputs: Manifest | None = None,
) -> None:
    """Fail the call, yet tell the engine what exists, so that it is kept in state."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=id_of(live),
            properties=encode(state),
            reasons=[message],
            inputs=None if inputs is None else encode(inputs),
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)
