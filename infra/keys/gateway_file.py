"""Keys out of the gateway's own file: the one place that holds them, so none can differ from it. Pure."""

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from infra.render.gateway.keys import CallerKey


class _Credential(TypedDict):
    key: str
    client: str


class _Settings(TypedDict):
    credentials: list[_Credential]


class _Resource(TypedDict):
    typed_config: _Settings


class _File(TypedDict):
    resources: list[_Resource]


_FILE_TYPE = TypeAdapter(_File)


def caller_keys(text: str) -> tuple[CallerKey, ...] | None:
    """Return the keys of a text that `key_file` made; None where it is none."""
    try:
        (resource,) = _FILE_TYPE.validate_json(text)["resources"]
    except (ValidationError, ValueError):
        return None
    found = []
    for credential in resource["typed_config"]["credentials"]:
        team, dot, key_id = credential["client"].partition(".")
        if not (team and dot and key_id and credential["key"]):
            return None
        found.append(CallerKey(id=key_id, team=team, secret=credential["key"]))
    return tuple(found)
