"""What filters share that ask a program of ours about requests: Envoy's external processing."""

from infra.render.manifest import JsonObject

_EXT_PROC = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3"
PROCESSOR = f"{_EXT_PROC}.ExternalProcessor"


def overridden(filter_name: str, overrides: JsonObject) -> JsonObject:
    """Return the entry of a route's typed_per_filter_config that changes a filter there."""
    return {filter_name: {"@type": f"{_EXT_PROC}.ExtProcPerRoute", "overrides": overrides}}


def switched_off(filter_name: str) -> JsonObject:
    """Return the entry of typed_per_filter_config that switches a filter off."""
    return {filter_name: {"@type": f"{_EXT_PROC}.ExtProcPerRoute", "disabled": True}}
