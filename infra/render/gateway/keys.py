"""The file of keys that Envoy watches: who may come in, by secret."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

KEYS_FILE = "keys.json"
FILTER_NAME = "modelunits.keys"
"""The name under which Envoy's listener asks for the keys."""

CLIENT_HEADER = "x-modelunits-key"
"""Carries `<team>.<key id>` between Envoy's filters; callers cannot set it and engines do not see it."""

_API_KEY_AUTH = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
_EXTENSION = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerKey:
    """An API key: its id and team are shown, its secret is not."""

    id: str
    team: str
    secret: str = field(repr=False)


def key_file(keys: Iterable[CallerKey]) -> str:
    """Return keys.json; Envoy takes a new one while streams run, once it is renamed into its place."""
    credentials = [
        {"key": key.secret, "client": f"{key.team}.{key.id}"}
        for key in sorted(keys, key=lambda key: (key.team, key.id))
    ]
    return json.dumps(
        {
            "resources": [
                {
                    "@type": _EXTENSION,
                    "name": FILTER_NAME,
                    "typed_config": {
                        "@type": _API_KEY_AUTH,
                        "credentials": credentials,
                        "key_sources": [{"header": "Authorization"}],
                        "forwarding": {"header": CLIENT_HEADER, "hide_credentials": True},
                    },
                }
            ]
        },
        indent=1,
    )
