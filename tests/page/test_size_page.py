"""What `modelunits size --html` puts into a page, and what it refuses."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from infra.cli.size_check import Wanted
from infra.cli.size_page import size_page

ROOT = Path(__file__).parents[2]


def wanted(**given: Any) -> Wanted:
    """Return the numbers of a command line."""
    nothing: dict[str, Any] = {
        "requests_per_second": None,
        "input_tokens": None,
        "output_tokens": None,
        "cache_hit": None,
        "adapters": 0,
        "tier": None,
        "ttft_ms": None,
        "tpot_ms": None,
        "headroom": 1.0,
        "from_log": False,
    }
    return Wanted(**(nothing | given))


def test_a_page_starts_with_what_was_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command's numbers stand in the fields; the others are those of the reference load."""
    file = tmp_path / "page.html"
    asked = wanted(requests_per_second=7.5, output_tokens=900, ttft_ms=2000.0, tpot_ms=40.0)
    size_page(file, ROOT, "qwen3-32b", "h200-single", "local", asked)
    block = re.search(r'id="choices">(.*?)</script>', file.read_text(), re.S)
    assert block
    choices = json.loads(block[1])

    assert re.fullmatch(rf"{re.escape(str(file))}: \d+ models, [78]\.\d MB\n", capsys.readouterr().out)
    assert choices["asked"] == {
        "model": "qwen3-32b",
        "template": "h200-single",
        "tier": None,
        "requests_per_second": 7.5,
        "input_tokens": 3000,
        "output_tokens": 900,
        "cache_hit": 0.0,
        "headroom": 1.0,
        "ttft_ms": 2000.0,
        "tpot_ms": 40.0,
    }
    assert choices["answer"]["headline"].endswith(("unit", "units"))
    assert "h200-single" in choices["models"]["qwen3-32b"]


@pytest.mark.parametrize(
    ("model", "template", "given", "complaints"),
    [
        ("qwen3-33b", None, {}, ["--model: no template serves qwen3-33b; allowed: "]),
        ("qwen3-32b", "h200", {"adapters": 2}, ["--adapters: the page has no", "--template: h200 does not"]),
        ("qwen3-32b", "h200-single", {"tier": "fastest"}, ["--tier: no tier fastest; allowed: balanced, "]),
        (
            "qwen3-32b",
            "h200-single",
            {"requests_per_second": 0.0, "input_tokens": 0},
            ["Requests per second: must be from", "Input tokens: must be from"],
        ),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    template: str | None,
    given: dict[str, Any],
    complaints: list[str],
) -> None:
    """Unknown names and absurd numbers end the command with what is allowed."""
    with pytest.raises(typer.Exit):
        size_page(tmp_path / "page.html", ROOT, model, template, "local", wanted(**given))
    told = capsys.readouterr().err.splitlines()

    assert len(complaints) == len(told)
    assert all(line.startswith(f"modelunits: {start}") for line, start in zip(told, complaints, strict=True))
    assert not any(tmp_path.iterdir())
