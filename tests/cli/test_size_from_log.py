"""`modelunits size --traffic`: a log instead of a rate."""

import json
from pathlib import Path

import pytest
from test_traffic_page import write_day
from typer.testing import CliRunner, Result

from infra.cli.main import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the log of a working day, with two lines that are broken."""
    file = tmp_path_factory.mktemp("log") / "requests.csv"
    write_day(file)
    return file


def run(*args: str, model: str = "qwen3-32b") -> Result:
    """Run the command on this project."""
    return CliRunner().invoke(app, ["size", "--root", str(ROOT), "--model", model, *args])


@pytest.mark.parametrize("args", [("--template", "l40s-single"), ()])
def test_the_headline_is_the_neediest_minute(day: Path, args: tuple[str, ...]) -> None:
    """Units of the answer are those that the log needs at its peak, reserved and hourly together."""
    result = run("--traffic", str(day), "--stack", "prod", *args, "--format", "json", model="llama-3.1-8b")
    found = json.loads(result.stdout)
    chosen = next(
        one
        for one in found["alternatives"]
        if (one["template"], one["tier"]) == tuple(found["chosen"].values())
    )
    log = found["traffic"]

    assert chosen["units"]["value"] == log["peak_units"]
    assert log["commitment"]["reserved_units"] + log["commitment"]["hourly_max_units"] == log["peak_units"]
    assert max(hour["units"] for hour in log["most_units_by_hour"]) == log["peak_units"]
    assert log["requests"] == 35310
    assert found["load"]["input_tokens"] == 2576


def test_every_format_shows_the_log(day: Path) -> None:
    """Percentiles, the busiest minute, the plot and what was left out stand in tables and Markdown."""
    for form in ("table", "markdown"):
        shown = run(
            "--traffic", str(day), "--stack", "prod", "--template", "h20-single", "--format", form
        ).stdout
        for text in (
            "12:57 UTC",
            "9,420",
            "█ units needed",
            "2 of 35,312 lines",
            "all by the hour",
            "weekends",
        ):
            assert text in shown
        assert form == "markdown" or max(map(len, shown.splitlines())) <= 100


def test_a_log_says_what_it_says(day: Path) -> None:
    """A rate or lengths beside a log are problems, as is a file that cannot be read."""
    result = run("--traffic", str(day), "--requests-per-second", "1", "--input", "5", "--output", "5")
    missing = run("--traffic", "nowhere.csv")

    assert (result.exit_code, missing.exit_code) == (1, 1)
    assert result.stderr.count("comes from the log of --traffic") == 3
    assert missing.stderr.startswith("nowhere.csv:1:1: cannot be read: ")


def test_without_prices_nothing_is_said_of_what_to_reserve(day: Path) -> None:
    """The catalog has no monthly prices; the units are told all the same."""
    result = run("--traffic", str(day), "--template", "h20-single")

    assert result.exit_code == 0
    assert "What to reserve takes a monthly and an hourly price" in result.stdout
    assert "What to buy" not in result.stdout
