"""Where an engine's weights and adapters come from, and where its container finds them."""

from collections.abc import Iterable

from infra import names
from infra.plan.model import Adapter, EndpointPlan, RolePlan
from infra.render.manifest import PART_OF, Json, JsonObject, Manifest, endpoint_labels, endpoint_object

HF_TOKEN_SECRET = "hf-token"
"""A Secret of the team's namespace, with the key `token`; needed for gated repositories only."""

S3_SECRET = "s3-credentials"
"""A Secret of the team's namespace, with AWS_ACCESS_KEY_ID and what else the AWS tools read."""

TRANSFER_GIB = 256
"""Encoder outputs and KV blocks in flight between roles; the files are small and short-lived."""

_FROM_HF = (
    "import sys; from huggingface_hub import snapshot_download; "
    "snapshot_download(sys.argv[1], revision=sys.argv[2] or None, local_dir=sys.argv[3])"
)
_FROM_S3 = (
    "import sys; from runai_model_streamer import pull_files; pull_files(sys.argv[1], sys.argv[2], ['*'], [])"
)
"""Both libraries are in vLLM's own image."""


def volumes(endpoint: EndpointPlan, role: RolePlan) -> list[JsonObject]:
    """Return the pod's volumes that hold weights, adapters and what roles hand over."""
    found: list[JsonObject] = []
    claims = {_claim(source)[0]: None for source in _sources(endpoint, role) if source.startswith("pvc://")}
    found += [
        {"name": f"claim-{claim}", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        for claim in claims
    ]
    if any(not adapter.source.startswith("pvc://") for adapter in _adapters(endpoint, role)):
        found.append({"name": "adapters", "emptyDir": {}})
    if hands_over_files(role):
        claim = transfer_claim_name(endpoint)
        found.append({"name": "transfer", "persistentVolumeClaim": {"claimName": claim}})
    return found


def mounts(endpoint: EndpointPlan, role: RolePlan) -> list[JsonObject]:
    """Return where the engine's container sees those volumes."""
    found: list[JsonObject] = []
    if endpoint.weights.startswith("pvc://"):
        found.append(_claim_mount(endpoint.weights, names.MODEL_PATH))
    adapters = _adapters(endpoint, role)
    if any(not adapter.source.startswith("pvc://") for adapter in adapters):
        found.append({"name": "adapters", "mountPath": names.ADAPTERS_PATH})
    found += [
        _claim_mount(adapter.source, _adapter_path(adapter))
        for adapter in adapters
        if adapter.source.startswith("pvc://")
    ]
    if hands_over_files(role):
        found.append({"name": "transfer", "mountPath": names.TRANSFER_PATH})
    return found


def fetches(endpoint: EndpointPlan, role: RolePlan) -> list[tuple[str, list[str]]]:
    """Return a name and a command for each adapter that has to be fetched before the engine starts."""
    return [
        (f"adapter-{adapter.name}", _fetch(adapter))
        for adapter in _adapters(endpoint, role)
        if not adapter.source.startswith("pvc://")
    ]


def environment(endpoint: EndpointPlan, role: RolePlan) -> list[JsonObject]:
    """Return the environment variables that fetching needs, secrets by reference."""
    if not any(source.startswith("hf://") for source in _sources(endpoint, role)):
        return []
    secret: JsonObject = {"name": HF_TOKEN_SECRET, "key": "token", "optional": True}
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": secret}}]


def environment_from(endpoint: EndpointPlan, role: RolePlan) -> list[JsonObject]:
    """Return the secrets whose every key becomes an environment variable."""
    if not any(source.startswith("s3://") for source in _sources(endpoint, role)):
        return []
    return [{"secretRef": {"name": S3_SECRET, "optional": True}}]


def hands_over_files(role: RolePlan) -> bool:
    """Say whether a role's connector hands over through a folder that roles share."""
    return any(names.TRANSFER_PATH in argument for argument in role.args)


def transfer_claim_name(endpoint: EndpointPlan) -> str:
    """Return the name of the claim of the shared folder."""
    return f"{endpoint.name}-transfer"


def transfer_claim(endpoint: EndpointPlan, stack: str) -> Manifest:
    """Return the claim of the shared folder, on the cluster's default storage class for many writers."""
    spec: dict[str, Json] = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": f"{TRANSFER_GIB}Gi"}},
    }
    return endpoint_object(
        endpoint,
        "v1",
        "PersistentVolumeClaim",
        transfer_claim_name(endpoint),
        endpoint_labels(endpoint, stack, name=PART_OF, component="transfer"),
        spec=spec,
    )


def _adapters(endpoint: EndpointPlan, role: RolePlan) -> tuple[Adapter, ...]:
    """Return the adapters of a role; an encoder has no language model to adapt."""
    return () if role.name == "encode" else endpoint.adapters


def _sources(endpoint: EndpointPlan, role: RolePlan) -> Iterable[str]:
    yield endpoint.weights
    yield from (adapter.source for adapter in _adapters(endpoint, role))


def _claim(source: str) -> tuple[str, str]:
    claim, _, path = source.removeprefix("pvc://").partition("/")
    return claim, path


def _claim_mount(source: str, at: str) -> JsonObject:
    claim, path = _claim(source)
    mount: dict[str, Json] = {"name": f"claim-{claim}", "mountPath": at, "readOnly": True}
    return {**mount, "subPath": path} if path else mount


def _adapter_path(adapter: Adapter) -> str:
    return f"{names.ADAPTERS_PATH}/{adapter.name}"


def _fetch(adapter: Adapter) -> list[str]:
    scheme, _, place = adapter.source.partition("://")
    if scheme == "hf":
        repository, _, revision = place.partition("@")
        return ["python3", "-c", _FROM_HF, repository, revision, _adapter_path(adapter)]
    return ["python3", "-c", _FROM_S3, f"s3://{place.rstrip('/')}/", _adapter_path(adapter)]
