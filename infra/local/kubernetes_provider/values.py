"""Property values on the wire, and as plain data: secrets, unknowns, whole numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.struct_pb2 import ListValue, Struct, Value

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string, and anything from a Python program
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""Source of these: pulumi/sdk/v3 3.259.0, go/common/resource/plugin/rpc.go and go/common/resource/sig."""

Manifest = dict[str, object]
"""A Kubernetes object, or a part of one, as plain data."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine encrypts in state and hides in its output."""

    value: object


def decode(struct: Struct) -> Manifest:
    """Return properties as data: nulls dropped, whole numbers as integers, secrets wrapped."""
    return {
        key: _decode(value)
        for key, value in struct.fields.items()
        if value.WhichOneof("kind") != "null_value"
    }


def _decode(value: Value) -> object:
    match value.WhichOneof("kind"):
        case "struct_value":
            fields = value.struct_value.fields
            if SIGNATURE_KEY in fields and fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
                return Secret(_decode(fields["value"]))
            return decode(value.struct_value)
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def encode(properties: Mapping[str, object]) -> Struct:
    """Return data as properties."""
    return Struct(fields={key: _encode(value) for key, value in properties.items() if value is not None})


def _encode(value: object) -> Value:
    match value:
        case None:
            return Value(null_value=0)  # type: ignore[arg-type]  # the enum's only member, as protobuf takes it
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Secret():
            return _encode({SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value})
        case dict():
            return Value(struct_value=encode(value))
        case list():
            return Value(list_value=ListValue(values=[_encode(item) for item in value]))
        case _:
            raise TypeError(f"not a property value: {value!r}")


def plain(properties: Mapping[str, object]) -> Manifest:
    """Return the properties with secrets unwrapped."""
    return {key: _plain(value) for key, value in properties.items()}


def _plain(value: object) -> object:
    match value:
        case Secret():
            return _plain(value.value)
        case dict():
            return plain(value)
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def has_unknown(value: object) -> bool:
    """Whether some value in here is not known before the update."""
    match value:
        case str():
            return value in UNKNOWNS
        case Secret():
            return has_unknown(value.value)
        case dict():
            return any(map(has_unknown, value.values()))
        case list():
            return any(map(has_unknown, value))
        case _:
            return False


def _has_secret(value: object) -> bool:
    match value:
        case Secret():
            return True
        case dict():
            return any(map(_has_secret, value.values()))
        case list():
            return any(map(_has_secret, value))
        case _:
            return False


def mark_secrets(outputs: Mapping[str, object], inputs: Mapping[str, object]) -> Manifest:
    """Wrap what was secret in the inputs wherever it comes back; the data of a Secret always."""
    if outputs.get("kind") == "Secret":
        return _wrap(outputs, ("data", "stringData"))
    marked = dict(outputs)
    for key, given in inputs.items():
        if key not in marked:
            continue
        value = marked[key]
        if isinstance(value, dict) and isinstance(given, dict):
            marked[key] = mark_secrets(value, given)
        elif _has_secret(given):
            marked[key] = Secret(value)
    return marked


def _wrap(properties: Mapping[str, object], keys: Iterable[str]) -> Manifest:
    return {
        key: Secret(value) if key in keys and not isinstance(value, Secret) else value
        for key, value in properties.items()
    }
