"""One file for `envoy --mode validate`, which checks what a bootstrap holds and follows no other file."""

import json
from collections.abc import Mapping
from typing import cast

from infra.render.gateway.bootstrap import BOOTSTRAP_FILE, CLUSTERS_FILE, LISTENERS_FILE
from infra.render.gateway.keys import key_file
from infra.render.gateway.listeners import ROUTES_FILE
from infra.render.manifest import Json

_Object = dict[str, Json]


def one_file(files: Mapping[str, str]) -> str:
    """Return a bootstrap that holds the listeners, clusters and routes of a gateway's files.

    The filter of keys gets a list without keys; the certificate is left out: it is another machine's file.
    """
    (bootstrap,) = _objects(f"[{files[BOOTSTRAP_FILE]}]")
    (routes,) = _resources(files[ROUTES_FILE])
    del bootstrap["dynamic_resources"]
    listeners = _resources(files[LISTENERS_FILE])
    for chain in (chain for listener in listeners for chain in _list(listener["filter_chains"])):
        chain.pop("transport_socket", None)
        for each in _list(chain["filters"]):
            _inline(cast("_Object", each["typed_config"]), routes)
    bootstrap["static_resources"] = {"clusters": _resources(files[CLUSTERS_FILE]), "listeners": listeners}
    return json.dumps(bootstrap)


def _inline(http: _Object, routes: _Object) -> None:
    if http.pop("rds", None):
        http["route_config"] = routes
    for each in _list(http["http_filters"]):
        if each.pop("config_discovery", None):
            (keys,) = _objects(f"[{key_file(())}]")
            (extension,) = _list(keys["resources"])
            each["typed_config"] = extension["typed_config"]


def _resources(file: str) -> list[_Object]:
    (content,) = _objects(f"[{file}]")
    found = _list(content["resources"])
    for each in found:
        del each["@type"]
    return found


def _objects(text: str) -> list[_Object]:
    return _list(json.loads(text))


def _list(value: Json) -> list[_Object]:
    return cast("list[_Object]", value)
