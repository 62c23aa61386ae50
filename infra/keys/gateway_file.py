"""Keys out of the gateway's own file: the one place that holds them, so none can differ from it. Pure."""

from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from infra.keys.book import KeysError
from infra.render.gateway.keys import CallerKey

_NO_KEYS = "is not a file of keys"


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


def caller_keys(text: str) -> tuple[CallerKey, ...]:
    """Return the keys of a text that `key_file` made.

    Raises:
        KeysError: Envoy would refuse it and go on with the keys that it has; says why, without them.
    """
    try:
        (resource,) = _FILE_TYPE.validate_json(text)["resources"]
    except (ValidationError, ValueError):
        raise KeysError(_NO_KEYS) from None
    found = []
    for credential in resource["typed_config"]["credentials"]:
        team, dot, key_id = credential["client"].partition(".")
        if not (team and dot and key_id):
            raise KeysError(_NO_KEYS)
        if not credential["key"]:
            raise KeysError(f"has an empty secret, of key {key_id}")
        found.append(CallerKey(id=key_id, team=team, secret=credential["key"]))
    _refuse_duplicates(found)
    return tuple(found)


def _refuse_duplicates(callers: Iterable[CallerKey]) -> None:
    first: dict[str, CallerKey] = {}
    for one in callers:
        before = first.setdefault(one.secret, one)
        if before is not one:
            raise KeysError(f"has one secret for two keys: {before.id}, {one.id}")
