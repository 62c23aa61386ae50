"""What the page shows for a question, asked as its JavaScript asks."""

import json
from typing import Any

import pytest

from infra.page.answers import answering
from infra.page.values import to_json
from page.toy import OFFERS

ASKED = {
    "model": "qwen3-32b",
    "template": "h200-single",
    "tier": "balanced",
    "requests_per_second": 12,
    "input_tokens": 3000,
    "output_tokens": 300,
    "cache_hit": 0,
    "headroom": 1.2,
}


def answer(**changed: object) -> Any:
    """Return what the page gets."""
    return json.loads(answering(json.dumps(to_json(OFFERS)))(json.dumps({**ASKED, **changed})))


def figures(shown: Any) -> dict[str, list[str]]:
    """Return the rows of the answer's tables by their first cell."""
    return {row[0]: row[1:] for table in shown["numbers"] for row in table["rows"]}


@pytest.mark.parametrize("headroom", [1, 1.2, 3, 10])
def test_units_are_whole_steps_with_headroom(headroom: float) -> None:
    """The fewest steps that hold the load times the headroom; a step of this template has two units."""
    shown = answer(template="h20-single", headroom=headroom)
    unit, step, every = (float(cell.split()[0]) for cell in figures(shown)["Requests/s"][:3])
    units = int(shown["headline"].split()[0])

    assert units % 2 == 0
    assert step == pytest.approx(2 * unit, rel=0.01)
    assert every >= 12 * headroom * 0.99
    assert every - step < 12 * headroom * 1.01


def test_every_figure_has_an_error_and_a_label() -> None:
    """No number stands alone."""
    rows = figures(answer()).values()

    assert rows
    assert all(row[-1] == "estimated" for row in rows)
    assert all("±" in cell for row in rows for cell in row[:-1] if cell)


def test_latency_at_the_load_is_below_that_at_the_limit() -> None:
    """With headroom, callers see less than the promise; waits at random make the slow ones slower."""
    mean, tail = (figures(answer(headroom=3))[name] for name in ("TTFT, mean", "TTFT of 99 %"))

    assert float(mean[1].split()[0]) < float(mean[0].split()[0]) <= 3000
    assert float(tail[1].split()[0]) >= float(mean[1].split()[0])


def test_the_command_is_told_in_full() -> None:
    """The command line under the numbers asks for the same as the fields."""
    told = answer(tier=None, ttft_ms=1500, tpot_ms=40.5, cache_hit=0.4)["command"]

    assert told == (
        "modelunits size --model qwen3-32b --template h200-single --requests-per-second 12 --input 3000 "
        "--output 300 --cache-hit 0.4 --ttft-ms 1500 --tpot-ms 40.5 --headroom 1.2"
    )


def test_all_bad_fields_are_told_at_once() -> None:
    """Empty, absurd and broken numbers are refused together, with what is allowed."""
    problems = answer(requests_per_second=0, input_tokens=1.5, output_tokens=None, cache_hit=2)["problems"]

    assert [
        "Requests per second: must be from 0.001 to 1,000,000, got 0",
        "Input tokens: must be a whole number, got 1.5",
        "Output tokens: must be a number from 1 to 10,000,000",
        "Cache hit: must be from 0 to 0.999, got 2",
    ] == [problem["text"] for problem in problems]


def test_a_promise_that_cannot_be_kept_says_why_and_who_can() -> None:
    """A TPOT below what one request alone takes is refused with the limit and the templates that keep it."""
    shown = answer(template="h20-single", tier=None, ttft_ms=1500, tpot_ms=10)

    assert "" == shown["headline"]
    assert 1 == len(shown["problems"])
    assert shown["problems"][0]["text"].startswith(
        "h20-single cannot serve this: bandwidth: TPOT of a single"
    )
    assert shown["problems"][0]["text"].endswith("; templates that can: h200-single, b200-single")


def test_a_request_longer_than_the_context_is_refused() -> None:
    """What the engines would not accept is not sized; the tables keep a row that says so."""
    shown = answer(input_tokens=40000)

    assert (
        "a request has 40,300 tokens, the engines accept 32,768; no template" in shown["problems"][0]["text"]
    )
    assert all("context" in row[-1] for table in shown["tables"] for row in table["rows"])


def test_cost_rises_in_whole_steps() -> None:
    """Every stair is one step's price, and the asked load's stair is the cost of the answer."""
    shown = answer()
    stairs = {line["name"]: line["points"] for line in shown["cost"]["series"]}
    own = stairs["h200-single"]
    paid = max(cost for load, cost in own if load < 12)

    assert set(stairs) == {"h20-single", "h200-single", "b200-single"}
    assert figures(shown)["Hourly units, per hour"][0].startswith(f"{paid:,.2f} USD ")


def test_a_template_without_a_price_is_sized_but_not_drawn() -> None:
    """What has no price costs nothing that could be drawn, and is not called free."""
    shown = answer(model="llama-3.3-70b-fp8", template="h20-single")

    assert ["h200-single"] == [line["name"] for line in shown["cost"]["series"]]
    assert "unknown per hour" in shown["detail"]


@pytest.mark.parametrize("tier", ["fast", "balanced", "economy"])
def test_a_tier_is_marked_where_both_latencies_are_kept(tier: str) -> None:
    """The dot of a tier lies below both of its lines."""
    mark = next(mark for mark in answer()["latency"]["tiers"] if mark["name"] == tier)
    _, ttft_ms, tpot_ms = mark["point"]

    assert ttft_ms <= mark["ttft_ms"]
    assert tpot_ms <= mark["tpot_ms"]
