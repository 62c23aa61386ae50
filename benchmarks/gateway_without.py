"""Our gateway without one of its parts: where the time goes. None of these may stand before an engine."""

import json
from collections.abc import Callable, Mapping

from infra.render.gateway import body, concurrency, limits, moderation
from infra.render.gateway.bootstrap import LISTENERS_FILE
from infra.render.gateway.listeners import ROUTES_FILE

Files = Mapping[str, str]
Change = Callable[[Files], Files]
"""What is changed in Envoy's files, by name."""


def parts() -> Mapping[str, Change]:
    """Return what can be left out, by name."""
    return {
        "the log": _of_listener(lambda http: http.update(access_log=http["access_log"][2:])),
        "counts": _of_listener(lambda http: http.update(access_log=http["access_log"][:2])),
        "refusals": _of_routes(_no_refusals),
        "limits, which this endpoint has not": _filters_without(limits.FILTER_NAME, concurrency.FILTER_NAME),
        "moderation, which this endpoint has not": _filters_without(moderation.FILTER_NAME),
        "tokens of answers": _filters_without(body.ANSWER_FILTER_NAME),
        "tokens of streams": _filters_without(body.STREAM_FILTER_NAME),
        "bodies, and refusals": _both(_filters_without(body.FILTER_NAME), _of_routes(_any_model)),
    }


def _both(first: Change, second: Change) -> Change:
    return lambda files: second(first(files))


def _of_listener(change: Callable[[dict], object]) -> Change:
    return _in(LISTENERS_FILE, lambda found: change(found["filter_chains"][0]["filters"][0]["typed_config"]))


def _of_routes(change: Callable[[dict], object]) -> Change:
    return _in(ROUTES_FILE, lambda found: change(found["virtual_hosts"][0]))


def _in(file: str, change: Callable[[dict], object]) -> Change:
    def changed(files: Files) -> Files:
        content = json.loads(files[file])
        change(content["resources"][0])
        return {**files, file: json.dumps(content)}

    return changed


def _filters_without(*names: str) -> Change:
    def leave_out(http: dict) -> None:
        http["http_filters"] = [each for each in http["http_filters"] if each["name"] not in names]

    return _of_listener(leave_out)


def _no_refusals(host: dict) -> None:
    host["routes"] = [route for route in host["routes"] if "route" in route]


def _any_model(host: dict) -> None:
    _no_refusals(host)
    host["routes"] = [{**host["routes"][0], "match": {"prefix": "/"}}]
