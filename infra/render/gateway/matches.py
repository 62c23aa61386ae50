"""How routes ask about a request: its headers, and what Envoy keeps of its body and its key."""

from collections.abc import Sequence

from infra.render.gateway.body import NAMESPACE
from infra.render.gateway.limits import KEY
from infra.render.gateway.refusals import Between, Condition, OneOf, Present
from infra.render.manifest import Json, JsonObject


def header(name: str, regex: str, *, holds: bool) -> JsonObject:
    """Return what holds where a header, up to its query, is as a regular expression says."""
    # The path of this header still has its query.
    match: JsonObject = {"safe_regex": {"regex": rf"{regex}(\?.*)?"}}
    return {"name": name, "string_match": match, "invert_match": not holds}


def method(method: str, *, holds: bool = True) -> JsonObject:
    """Return what holds where the method is this one."""
    return {"name": ":method", "string_match": {"exact": method}, "invert_match": not holds}


def team_is(team: str) -> JsonObject:
    """Return what holds where the key is of a team."""
    return _kept(KEY, {"string_match": {"prefix": f"{team}."}})


def present(key: str) -> JsonObject:
    """Return what holds where something is kept under a key."""
    return _kept(key, {"present_match": True})


def text(key: str, *, holds: bool) -> JsonObject:
    """Return what holds where a text that is not empty is kept under a key."""
    return _kept(key, {"string_match": {"safe_regex": {"regex": "(?s).+"}}}, holds=holds)


def one_of(key: str, values: Sequence[bool | float | str]) -> JsonObject:
    """Return what holds where one of some values is kept under a key."""
    exact = [_exact(value) for value in values]
    return _kept(key, exact[0] if len(exact) == 1 else {"or_match": {"value_matchers": exact}})


def condition_met(condition: Condition) -> JsonObject:
    """Return what holds where a condition of the table of refusals is met."""
    match condition.value:
        case Present():
            return _kept(condition.key, {"present_match": True}, holds=condition.holds)
        case Between(low=low, high=high):
            # Envoy's ranges leave their end out.
            within: list[Json] = [{"double_match": {"range": {"start": low, "end": high}}}, _exact(high)]
            return _kept(condition.key, {"or_match": {"value_matchers": within}}, holds=condition.holds)
        case OneOf(values=values):
            return {**one_of(condition.key, values), "invert": not condition.holds}


def _exact(value: bool | float | str) -> JsonObject:
    match value:
        case bool():
            return {"bool_match": value}
        case str():
            return {"string_match": {"exact": value}}
        case _:
            return {"double_match": {"exact": value}}


def _kept(key: str, value: JsonObject, *, holds: bool = True) -> JsonObject:
    return {"filter": NAMESPACE, "path": [{"key": key}], "value": value, "invert": not holds}
