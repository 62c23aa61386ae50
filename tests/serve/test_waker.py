"""The stand-in for KEDA: who wakes, who sleeps, and what it reads of the gateway."""

from math import inf

from infra.local.serve.waker import Decision, Seen, State, Traffic, decide, traffic

HELD = Traffic(held=3, active=0)
RUNNING = Traffic(held=0, active=1)
NONE = Traffic(held=0, active=0)


def _seen(name: str, state: State, requests: Traffic, *, idle: float = 0, after: float = 600) -> Seen:
    return Seen(
        name=name, state=state, traffic=requests, memory_gib=2, idle_seconds=idle, sleeps_after_seconds=after
    )


def test_a_held_request_wakes_its_endpoint_and_no_other() -> None:
    """One that sleeps without requests goes on sleeping; one that wakes is not woken twice."""
    seen = (
        _seen("called", State.ASLEEP, HELD),
        _seen("quiet", State.ASLEEP, NONE),
        _seen("waking", State.WAKING, HELD),
    )
    assert Decision(wake=("called",)) == decide(seen, free_gib=16)


def test_an_endpoint_sleeps_when_idle_for_long_enough_and_never_with_a_request() -> None:
    """Running requests count, however old they are."""
    seen = (
        _seen("idle", State.AWAKE, NONE, idle=600),
        _seen("busy", State.AWAKE, RUNNING, idle=900),
        _seen("fresh", State.AWAKE, NONE, idle=599),
        _seen("needed", State.AWAKE, NONE, idle=9000, after=inf),
    )
    assert Decision(sleep=("idle",)) == decide(seen, free_gib=16)


def test_as_many_wake_as_memory_allows() -> None:
    """Memory that a waking endpoint has not taken yet is not given away again."""
    seen = tuple(_seen(name, State.ASLEEP, HELD) for name in "abc")
    assert Decision(wake=("a", "b"), short_of_memory=("c",)) == decide(seen, free_gib=5)
    waking = (_seen("w", State.WAKING, HELD), *seen)
    assert Decision(wake=("a",), short_of_memory=("b", "c")) == decide(waking, free_gib=5)


def test_where_memory_is_short_the_longest_idle_endpoint_makes_room() -> None:
    """It sleeps first; the other wakes at the next look. Busy, needed and just woken ones stay."""
    seen = (
        _seen("called", State.ASLEEP, HELD),
        _seen("busy", State.AWAKE, RUNNING),
        _seen("needed", State.AWAKE, NONE, idle=500, after=inf),
        _seen("woken", State.AWAKE, NONE, idle=1),
        _seen("shorter", State.AWAKE, NONE, idle=20),
        _seen("longer", State.AWAKE, NONE, idle=30),
    )
    assert Decision(sleep=("longer",), short_of_memory=("called",)) == decide(seen, free_gib=1)


EXPOSITION = """\
# TYPE envoy_cluster_circuit_breakers_default_remaining_retries gauge
envoy_cluster_circuit_breakers_default_remaining_retries{modelunits_stack="s",modelunits_endpoint="chat",\
envoy_cluster_name="x"} 97
envoy_cluster_circuit_breakers_default_remaining_retries{modelunits_stack="s",modelunits_endpoint="agent"} 50
envoy_cluster_upstream_rq_active{modelunits_stack="s",modelunits_endpoint="agent"} 4
envoy_cluster_upstream_rq_active{modelunits_stack="s",envoy_cluster_name="moderator"} 9
envoy_cluster_upstream_rq_pending_active{modelunits_stack="s",modelunits_endpoint="agent"} 2
envoy_cluster_upstream_rq_active_overflow{modelunits_stack="s",modelunits_endpoint="agent"} 7
"""


def test_held_requests_are_what_the_queue_has_less() -> None:
    """An endpoint of which the gateway tells nothing has no requests."""
    found = traffic(EXPOSITION, {"chat": 100, "agent": 50, "other": 10})
    expected = {"chat": Traffic(held=3, active=0), "agent": Traffic(held=0, active=6), "other": NONE}
    assert expected == found
