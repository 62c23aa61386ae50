"""Reads properties as the engine sends them.

Why not the SDK's own reader: for every policy anew it turns a resource into JSON-like data, then into values,
then into proxies. Here a resource is read once, and only where a rule wants it.
"""

from collections.abc import Mapping
from typing import cast

from google.protobuf import struct_pb2
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import (
    UNKNOWN_ARCHIVE_VALUE,
    UNKNOWN_ARRAY_VALUE,
    UNKNOWN_ASSET_VALUE,
    UNKNOWN_BOOLEAN_VALUE,
    UNKNOWN_NUMBER_VALUE,
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    unknown_checking_proxy,
)

_UNKNOWNS = frozenset(
    {
        UNKNOWN_ARCHIVE_VALUE,
        UNKNOWN_ARRAY_VALUE,
        UNKNOWN_ASSET_VALUE,
        UNKNOWN_BOOLEAN_VALUE,
        UNKNOWN_NUMBER_VALUE,
        UNKNOWN_OBJECT_VALUE,
        UNKNOWN_STRING_VALUE,
    }
)


def properties(struct: struct_pb2.Struct) -> Mapping[str, object]:
    """Return plain data; where some of it is unknown yet, proxies that raise UnknownValueError."""
    reader = _Reader()
    read = reader.mapping(struct)
    return cast("Mapping[str, object]", unknown_checking_proxy(read)) if reader.met_unknown else read


class _Reader:
    """Reads one resource and remembers whether anything in it was unknown."""

    def __init__(self) -> None:
        self.met_unknown = False

    def mapping(self, struct: struct_pb2.Struct) -> dict[str, object]:
        return {key: self._value(value) for key, value in struct.fields.items()}

    def _value(self, value: struct_pb2.Value) -> object:
        kind = value.WhichOneof("kind")
        if kind == "string_value":
            text = value.string_value
            if text in _UNKNOWNS:
                self.met_unknown = True
            return text
        if kind == "struct_value":
            return self._object(value.struct_value)
        if kind == "number_value":
            return value.number_value
        if kind == "list_value":
            return [self._value(item) for item in value.list_value.values]
        if kind == "bool_value":
            return value.bool_value
        return None

    def _object(self, struct: struct_pb2.Struct) -> object:
        if SPECIAL_SIG_KEY not in struct.fields:
            return self.mapping(struct)
        # A secret is what is in it. Assets and archives no rule judges.
        is_secret = struct.fields[SPECIAL_SIG_KEY].string_value == SPECIAL_SECRET_SIG
        return self._value(struct.fields["value"]) if is_secret else None
