"""The counting alone: who runs, who waits, who is refused, and whose turn comes next."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.concurrency.turns import Caller, Limit, Turn, Turns

CALLER = Caller(endpoint="ep-chat-000000", key="search.k00000001")
OTHER_KEY = Caller(endpoint="ep-chat-000000", key="search.k00000002")
OTHER_ENDPOINT = Caller(endpoint="ep-code-000000", key="search.k00000001")
TWO_AND_TWO = Limit(concurrency=2, queue=2)


def _take(turns: Turns, count: int, limit: Limit = TWO_AND_TWO, caller: Caller = CALLER) -> list[Turn | None]:
    return [turns.take(caller, limit, lambda: None) for _ in range(count)]


def _said(turns: list[Turn | None]) -> list[str]:
    return ["refused" if turn is None else "runs" if turn.has_come else "waits" for turn in turns]


def test_so_many_run_so_many_wait_and_the_rest_is_refused() -> None:
    """Concurrency and queue are both exact."""
    assert _said(_take(Turns(), 6)) == ["runs", "runs", "waits", "waits", "refused", "refused"]


def test_without_a_queue_nothing_waits() -> None:
    """What may not run at once is refused."""
    assert _said(_take(Turns(), 2, Limit(concurrency=1, queue=0))) == ["runs", "refused"]


@pytest.mark.parametrize("other", [OTHER_KEY, OTHER_ENDPOINT])
def test_callers_are_counted_apart(other: Caller) -> None:
    """Neither another key nor the same key at another endpoint notices."""
    turns = Turns()
    _take(turns, 5)

    assert _said(_take(turns, 1, caller=other)) == ["runs"]


def test_turns_come_in_the_order_in_which_requests_came() -> None:
    """Each end lets exactly the next one run; who leaves the queue is passed over."""
    turns, order = Turns(), list[int]()
    limit = Limit(concurrency=1, queue=9)
    taken = [turns.take(CALLER, limit, lambda number=number: order.append(number)) for number in range(5)]
    first, second, gone, fourth, _ = (turn for turn in taken if turn)
    turns.leave(gone)
    for ended in (first, second, fourth):
        turns.leave(ended)

    assert order == [0, 1, 3, 4]


def test_whoever_leaves_the_queue_makes_room_in_it() -> None:
    """A caller who hangs up while waiting takes nobody's place."""
    turns = Turns()
    _, _, waits, _, refused = _take(turns, 5)

    assert waits is not None
    assert refused is None

    turns.leave(waits)

    assert _said(_take(turns, 2)) == ["waits", "refused"]


def test_a_raised_limit_lets_those_run_that_wait() -> None:
    """The limit that came last holds for all; the first in the queue is still the first to run."""
    turns = Turns()
    waiting = _take(turns, 4)[2:]
    _take(turns, 1, Limit(concurrency=4, queue=2))

    assert _said(waiting) == ["runs", "runs"]


def test_a_lowered_limit_ends_nothing() -> None:
    """What runs goes on; nothing new begins until fewer run than may."""
    turns = Turns()
    running = _take(turns, 2)
    lower = Limit(concurrency=1, queue=1)
    (waits,) = _take(turns, 1, lower)
    for turn, then in zip(running, ("waits", "runs"), strict=True):
        assert turn is not None
        turns.leave(turn)

        assert _said([waits]) == [then]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5)), st.integers(1, 3), st.integers(0, 3))
def test_whatever_comes_and_goes_bounds_hold_and_nothing_is_left(
    leaves: list[int], concurrency: int, queue: int
) -> None:
    """After each step no place is free while somebody waits; when all have left, nobody is remembered."""
    turns, here = Turns(), list[Turn]()
    for leave in leaves:
        if leave < len(here):
            turns.leave(here.pop(leave))
        else:
            taken = turns.take(CALLER, Limit(concurrency=concurrency, queue=queue), lambda: None)
            assert (taken is None) == (len(here) == concurrency + queue)
            here += [taken] if taken else []
        running = sum(turn.has_come for turn in here)

        assert running == min(len(here), concurrency)
    for turn in here:
        turns.leave(turn)

    assert turns.callers() == 0
