"""Envoy itself takes every file that is rendered, and says what is wrong with one that is broken."""

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest
from real_gateway import OPEN, plan_of
from samples import ROOT

from infra.check import check_stack
from infra.local.envoy import envoy_program, new_enough, validate
from infra.local.progress import Progress
from infra.plan.model import Plan
from infra.render.gateway.keys import CallerKey, key_file
from infra.render.gateway.make import gateway_files, ratelimit_config
from infra.render.gateway.moderation import FILTER_NAME, ext_proc_off, ext_proc_on
from infra.render.gateway.place import Address, Place

DAY = date(2026, 11, 21)
LIMITS = {
    "requests_per_minute": 60,
    "tokens_per_minute": 1000,
    "concurrency": 8,
    "queue": 10,
    "per_key": {"requests_per_minute": 6, "tokens_per_minute": 100, "concurrency": 4, "queue": 2},
}
EVERYTHING = plan_of(
    {
        "chat": {
            **OPEN,
            "limits": LIMITS,
            "adapters": ({"name": "tone", "source": "pvc://l/t", "rank": 16},),
        },
        "agent": {"model": "qwen3-32b", "template": "h20-h200-pd", "units": {"hourly": {"min": 0, "max": 8}}},
    },
    of_other=("agent",),
)


def _stack(name: str) -> Plan:
    plan = check_stack(ROOT, name, DAY).plan

    assert plan is not None

    return plan


def _place(plan: Plan) -> Place:
    address = Address(host="127.0.0.1", port=1)
    return Place(
        folder="/etc/envoy",
        keys_folder="/etc/keys",
        listen=Address(host="0.0.0.0", port=8000),
        metrics=Address(host="0.0.0.0", port=9000),
        admin=Address(host="127.0.0.1", port=9901),
        access_log="/dev/stdout",
        ratelimit=address,
        moderator=address,
        concurrency=address,
        upstreams={endpoint.id: Address(host="chat.dev.svc", port=8000) for endpoint in plan.endpoints},
        tls=("/tls/tls.crt", "/tls/tls.key"),
        replicas=3,
    )


@pytest.fixture(scope="module")
def envoy() -> Path:
    """Return Envoy."""
    return envoy_program(Progress())


@pytest.mark.parametrize("plan", [EVERYTHING, *map(_stack, ("dev", "prod", "local"))], ids=lambda p: p.stack)
def test_envoy_takes_what_is_rendered(envoy: Path, plan: Plan) -> None:
    """Of the repository's stacks and of a stack with every feature; with and without helpers and TLS."""
    place = _place(plan)
    bare = dataclasses.replace(place, ratelimit=None, concurrency=None, tls=None)

    assert validate(envoy, gateway_files(plan, place)) is None
    assert validate(envoy, gateway_files(plan, bare)) is None


def test_no_place_without_a_moderator_is_rendered_for_moderated_endpoints() -> None:
    """A door that forgets its moderator is not made: it would pass everything."""
    place = dataclasses.replace(_place(EVERYTHING), moderator=None)

    with pytest.raises(ValueError, match="no moderator"):
        gateway_files(EVERYTHING, place)


def test_every_way_to_an_engine_says_whether_answers_are_judged() -> None:
    """Without a word on its route, a request would be judged and its answer would not."""
    files = gateway_files(EVERYTHING, _place(EVERYTHING))
    routes = json.loads(files["routes.json"])["resources"][0]["virtual_hosts"][0]["routes"]
    moderated = {endpoint.id: endpoint.moderation.enabled for endpoint in EVERYTHING.endpoints}
    said = {
        route["name"]: route["typed_per_filter_config"][FILTER_NAME] for route in routes if "route" in route
    }

    assert set(moderated.values()) == {True, False}
    assert said == {
        name: ext_proc_on()[FILTER_NAME] if judged else ext_proc_off()[FILTER_NAME]
        for name, judged in moderated.items()
    }


def test_envoy_says_what_is_wrong(envoy: Path) -> None:
    """A field that Envoy does not know is named, in whichever file it is."""
    for name in ("listeners.json", "clusters.json", "routes.json"):
        files = dict(gateway_files(EVERYTHING, _place(EVERYTHING)))
        content = json.loads(files[name])
        content["resources"][0]["no_such_field"] = 1
        files[name] = json.dumps(content)

        assert "no_such_field" in (validate(envoy, files) or "")


def test_files_are_the_same_whenever_they_are_rendered() -> None:
    """Their order is that of the plan: a change of a file is a change of what it says."""
    place = _place(EVERYTHING)

    assert gateway_files(EVERYTHING, place) == gateway_files(EVERYTHING, place)


def test_a_key_is_in_the_file_of_keys_and_nowhere_else() -> None:
    """Its secret is not in what Python prints of it either."""
    key = CallerKey(id="k1", team="search", secret="mu-hidden")

    assert "mu-hidden" in key_file([key])
    assert "search.k1" in key_file([key])
    assert "mu-hidden" not in repr(key)


def test_limits_of_ratelimit_are_those_of_the_endpoints() -> None:
    """Keys are counted apart, each by the same limit; endpoints without limits are not there."""
    (chat, agent) = (endpoint.id for endpoint in EVERYTHING.endpoints)
    if not chat.startswith("ep-chat"):
        chat, agent = agent, chat

    def per_minute(count: int) -> dict[str, object]:
        return {"unit": "minute", "requests_per_unit": count}

    assert json.loads(ratelimit_config(EVERYTHING)) == {
        "domain": "modelunits",
        "descriptors": [
            {"key": "requests", "value": chat, "rate_limit": per_minute(60)},
            {
                "key": "requests_per_key",
                "value": chat,
                "descriptors": [{"key": "key", "rate_limit": per_minute(6)}],
            },
            {"key": "tokens", "value": chat, "rate_limit": per_minute(1000)},
            {
                "key": "tokens_per_key",
                "value": chat,
                "descriptors": [{"key": "key", "rate_limit": per_minute(100)}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("line", "enough"),
    [
        ("envoy  version: 0ebf/1.38.3/Clean/RELEASE/BoringSSL", True),
        ("envoy  version: 0ebf/1.40.0/Modified/RELEASE/BoringSSL", True),
        ("envoy  version: 0ebf/2.0.0/Clean/RELEASE/BoringSSL", True),
        ("envoy  version: 0ebf/1.37.9/Clean/RELEASE/BoringSSL", False),
        ("", False),
    ],
)
def test_an_old_envoy_is_not_taken(line: str, enough: bool) -> None:
    """Version 1.38 is the first whose filters do all of it."""
    assert new_enough(line) is enough


def test_turns_are_taken_after_what_is_refused_at_once_and_before_what_costs_most() -> None:
    """What has no turn is not counted for limits per minute, and no judge is asked about it."""
    files = gateway_files(EVERYTHING, _place(EVERYTHING))
    filters = json.loads(files["listeners.json"])["resources"][0]["filter_chains"][0]["filters"][0]
    names = [each["name"] for each in filters["typed_config"]["http_filters"]]
    asked = [names.index(f"modelunits.{name}") for name in ("body", "concurrency", "limits", "moderation")]

    assert asked == sorted(asked)
