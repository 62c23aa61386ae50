"""Reading Kubernetes objects as data: names, annotations, and the part of a live object that is ours."""

from collections.abc import Mapping

from infra.local.kubernetes_provider.values import Manifest

AUTONAMED = "pulumi.com/autonamed"
DELETION_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
PATCH_FORCE = "pulumi.com/patchForce"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
WAIT_FOR = "pulumi.com/waitFor"

INPUTS = "__inputs"
INITIAL_API_VERSION = "__initialApiVersion"
FIELD_MANAGER = "__fieldManager"
"""Properties that the official provider keeps in state beside the live object."""

SERVER_SET_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "uid",
    }
)


def at(value: object, *path: str) -> object:
    """Return what is at a path of keys, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text_at(value: object, *path: str) -> str:
    """Return the string at a path of keys, or the empty string."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: object, *path: str) -> int:
    """Return the whole number at a path of keys, or 0."""
    found = at(value, *path)
    return found if isinstance(found, int) else 0


def objects_at(value: object, *path: str) -> list[Manifest]:
    """Return the objects of the list at a path of keys."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def name_of(manifest: object) -> str:
    """Return an object's name."""
    return text_at(manifest, "metadata", "name")


def namespace_of(manifest: object) -> str:
    """Return an object's namespace."""
    return text_at(manifest, "metadata", "namespace")


def annotation(manifest: object, key: str) -> str:
    """Return an annotation's value, or the empty string."""
    return text_at(manifest, "metadata", "annotations", key)


def id_of(manifest: object) -> str:
    """Return the id that the object has in Pulumi's state: `namespace/name`."""
    namespace, name = namespace_of(manifest), name_of(manifest)
    return f"{namespace}/{name}" if namespace else name


def said(manifest: object) -> str:
    """Name an object for people: `Deployment search/chat-serve`."""
    return f"{text_at(manifest, 'kind')} {id_of(manifest)}"


def group_of(manifest: object) -> str:
    """Return an object's API group; the core group is the empty string."""
    return text_at(manifest, "apiVersion").rpartition("/")[0]


def is_custom(manifest: object) -> bool:
    """Whether the object is of a custom resource, whose fields mean nothing known."""
    group = group_of(manifest)
    return "." in group and not group.endswith(".k8s.io")


def with_metadata(manifest: Manifest, **values: object) -> Manifest:
    """Return the object with metadata set; None takes a key away."""
    metadata = at(manifest, "metadata")
    merged = {**(metadata if isinstance(metadata, dict) else {}), **values}
    return {**manifest, "metadata": {key: value for key, value in merged.items() if value is not None}}


def without_server_metadata(manifest: Manifest) -> Manifest:
    """Return the object without the metadata that only the API server may set."""
    metadata = at(manifest, "metadata")
    if not isinstance(metadata, dict):
        return manifest
    return {**manifest, "metadata": {k: v for k, v in metadata.items() if k not in SERVER_SET_METADATA}}


def prune(live: Mapping[str, object], shape: Mapping[str, object], *, keep_empty: bool = False) -> Manifest:
    """Return the part of a live object that has the shape of given inputs.

    Why: the API server and controllers fill in many fields; those that nobody asked for are not drift. Nor
    is an empty value that the API server leaves out, as it does in built-in kinds: `keep_empty` keeps it.
    """
    pruned: Manifest = {}
    for key, wanted in shape.items():
        if key in live:
            pruned[key] = _prune(live[key], wanted, keep_empty)
        elif keep_empty and not wanted:
            pruned[key] = wanted
    return pruned


def _prune(live: object, shape: object, keep_empty: bool) -> object:
    if isinstance(live, dict) and isinstance(shape, dict):
        return prune(live, shape, keep_empty=keep_empty)
    if isinstance(live, list) and isinstance(shape, list):
        return [_prune(item, of, keep_empty) for item, of in zip(live, shape, strict=False)]
    return live


def checkpoint(*, inputs: Manifest, live: Manifest, initial_api_version: str, field_manager: str) -> Manifest:
    """Return what state keeps of a resource: the live object, and what it was made from."""
    return {
        **live,
        INPUTS: inputs,
        INITIAL_API_VERSION: initial_api_version,
        FIELD_MANAGER: field_manager,
    }


def from_checkpoint(state: Manifest) -> tuple[Manifest, Manifest]:
    """Return the inputs and the live object that state keeps."""
    inputs = state.get(INPUTS)
    live = {k: v for k, v in state.items() if k not in {INPUTS, INITIAL_API_VERSION, FIELD_MANAGER}}
    return (inputs if isinstance(inputs, dict) else {}), live
