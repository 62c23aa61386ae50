"""`modelunits size`: what it prints, and what it says when it cannot."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli.main import app

ROOT = Path(__file__).parents[2]
LOAD = ("--requests-per-second", "12", "--input", "3000", "--output", "300")
QWEN = ("--model", "qwen3-32b", *LOAD)
PROD = ("--stack", "prod")


def run(*args: str) -> Result:
    """Run the command on this project."""
    return CliRunner().invoke(app, ["size", "--root", str(ROOT), *args], env={"COLUMNS": None})


def document(*args: str) -> dict[str, Any]:
    """Return the answer as JSON."""
    result = run(*args, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_first_line_is_what_to_buy() -> None:
    """Units, steps, GPUs, machines and what their share and whole machines cost come first, and agree."""
    lines = run(*QWEN, "--template", "h100-single", *PROD).stdout.splitlines()
    found = re.fullmatch(
        r"(\d+) units \((\d+) steps of 1\) = (\d+) GPUs on (\d+) machines; "
        r"their share costs ([\d,.]+) USD per hour, whole ([\d,.]+)",
        lines[0],
    )

    assert found
    units, steps, gpus, machines = map(int, found.groups()[:4])
    assert units == steps
    assert gpus == units * 2
    assert machines == -(-gpus // 8)
    assert float(found[5].replace(",", "")) == gpus / 8 * 52
    assert float(found[6].replace(",", "")) == machines * 52


def test_whole_machines_have_one_price() -> None:
    """Where the units fill their machines, nothing is said of a share."""
    found = document(*QWEN, "--template", "h20-single", *PROD)

    assert found["headline"].endswith(f"machines, {found['whole_machines_hourly']:,.2f} USD per hour")


def warned(*args: str) -> list[str]:
    """Return the warnings of an answer, once every format has shown them."""
    found: list[str] = document(*args)["warnings"]
    table, markdown = (run(*args, "--format", form).stdout for form in ("table", "markdown"))
    for warning in found:
        assert f"Warning: {warning}" in re.sub(r"\s+", " ", table)
        assert f"**Warning:** {warning}\n" in markdown
    return found


def test_a_promise_that_random_arrivals_break_is_told() -> None:
    """The mean TTFT at the asked rate is above the promise; so many units as are named keep it."""
    load = ("--requests-per-second", "2", "--input", "30000", "--output", "300")
    args = (
        "--model",
        "qwen3-32b",
        "--template",
        "h20-single",
        *load,
        "--ttft-ms",
        "20000",
        "--tpot-ms",
        "100",
    )
    found = warned(*args)[0]
    told = re.fullmatch(
        r"At the asked rate the mean TTFT is [\d,]+ ms, above the promise of 20,000 ms: (\d+) units keep it",
        found,
    )
    assert told
    one_step = document(*args)["alternatives"][0]["step"]["requests_per_second"]["value"]

    def at(units: int) -> list[str]:
        """Return the warnings with so many units, which are those of a headroom."""
        more = document(*args, "--headroom", str((units / 2 - 0.01) * one_step / 2))
        assert more["headline"].startswith(f"{units} units")
        return [text for text in more["warnings"] if text.startswith("At the asked rate")]

    assert at(int(told[1]) - 2)
    assert not at(int(told[1]))


def test_a_promise_within_the_error_is_told() -> None:
    """A tighter one would not be kept at all."""
    args = (*QWEN, "--template", "h20-single", *PROD, "--tpot-ms", "100")

    assert any("the expected error of TTFT" in text for text in warned(*args, "--ttft-ms", "900"))
    assert not any("the expected error" in text for text in warned(*args, "--ttft-ms", "60000"))


def test_machines_that_a_stack_has_not_are_told() -> None:
    """More machines than the environment allows are no plan."""
    load = ("--requests-per-second", "150", "--input", "3000", "--output", "300")
    found = warned("--model", "qwen3-32b", "--template", "h100-single", *load, *PROD)

    assert any(text.startswith("stack prod allows 10 machines of h100-8") for text in found)


@pytest.mark.parametrize("args", [("--template", "h20-h200-pd"), (), ("--adapters", "2")])
def test_tables_read_well_at_a_hundred_columns(args: tuple[str, ...]) -> None:
    """No line is longer than 100 columns, and no cell is folded."""
    lines = run(*QWEN, *PROD, *args).stdout.splitlines()

    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("columns", [None, "60", "130"])
def test_the_width_that_is_asked_for_is_taken(columns: str | None) -> None:
    """Piped text is 100 columns wide, or as COLUMNS says; where it is narrow, no number breaks."""
    args = ["size", "--root", str(ROOT), *QWEN, *PROD, "--template", "h100-single"]
    shown = CliRunner().invoke(app, args, env={"COLUMNS": columns}).stdout
    told = [line for line in shown.splitlines() if line.startswith("qwen3-32b on")]
    wide = int(columns or "100")

    assert wide - 15 < len(told[0]) <= wide
    numbers = document(*QWEN, *PROD, "--template", "h100-single")["alternatives"]
    for one in numbers:
        assert f"{one['tpot_ms']['value']:.1f} ±10%" in shown
        assert f"{one['step']['total_tps']['value']:,.0f} ±10%" in shown


def test_every_tier_of_a_template() -> None:
    """With a template, every tier is compared, and the asked one is chosen."""
    found = document(*QWEN, "--template", "h20-single", "--tier", "economy")

    assert [one["tier"] for one in found["alternatives"]] == ["fast", "balanced", "economy"]
    assert found["chosen"] == {"template": "h20-single", "tier": "economy"}


def test_every_template_of_a_model() -> None:
    """Without a template, all that serve the model are compared, and those that cannot are said to be."""
    found = document(*QWEN)
    compared = {one["template"] for one in found["alternatives"]}
    left_out = found["left_out"]

    assert compared | set(left_out) == {path.stem for path in (ROOT / "templates").glob("*.yaml")}
    assert "GiB more than there is" in left_out["l40s-single"]
    assert "takes no images" in left_out["l40s-h100-h20-epd"]


def test_every_number_says_how_far_to_trust_it() -> None:
    """Wherever a number with a range stands, its label and its expected error stand too."""
    labels = {"measured", "calibrated", "estimated", "extrapolated"}

    def numbers(value: object) -> list[dict[str, float]]:
        if isinstance(value, list):
            return [found for one in value for found in numbers(one)]
        if not isinstance(value, dict):
            return []
        here = [value] if "low" in value else []
        return here + [found for one in value.values() for found in numbers(one)]

    found = numbers(document(*QWEN, *PROD)["alternatives"])

    assert len(found) > 100
    assert all(number["label"] in labels and number["expected_error"] > 0 for number in found)
    assert all(number["low"] <= number["value"] <= number["high"] for number in found)


def test_the_slowest_role_is_named_with_what_it_runs_out_of() -> None:
    """Of roles apart one sets the rate, and the table shows which."""
    args = (*QWEN, "--template", "h20-h200-pd", *PROD)
    found = document(*args)["alternatives"][0]["bottleneck"]

    assert found["role"] in ("prefill", "decode")
    assert found["limit"] in ("memory", "bandwidth", "compute")
    assert f"{found['role']}: {found['limit']}" in run(*args).stdout


def test_a_role_that_encodes_has_an_image_to_encode() -> None:
    """Where a role encodes images, every request is taken to bring one, and the answer says so."""
    args = ("--model", "qwen3-vl-32b", *LOAD)
    found = document(*args)
    images = {one["template"]: one["image_tokens"] for one in found["alternatives"]}

    assert images["l40s-h100-h20-epd"] == 1024
    assert images["h20-single"] == 0
    assert "1,024 tokens are taken to be one" in run(*args).stdout


def test_a_price_that_nobody_gave_is_not_zero() -> None:
    """H20 machines have no public price: n/a without a stack's."""
    table = run(*QWEN, "--template", "h20-single").stdout
    first = document(*QWEN, "--template", "h20-single")["alternatives"][0]

    assert table.splitlines()[0].endswith(", n/a per hour")
    assert set(first["cost"].values()) == {None}


def test_adapters_are_not_free() -> None:
    """Where nobody measured what adapters cost, the answer says so, in every format."""
    args = (*QWEN, "--template", "h100-single", "--adapters", "2")

    assert document(*args)["lora"] == "unverified"
    for form in ("table", "markdown"):
        assert "LoRA unverified" in run(*args, "--format", form).stdout
    assert document(*QWEN, "--template", "h100-single")["lora"] is None


def test_what_matters_most_comes_first() -> None:
    """Assumptions are in order of how far they move the answer."""
    found = document(*QWEN, "--template", "h100-single", *PROD)["sensitivities"]
    spreads = [one["spread_steps"] for one in found]

    assert len(found) == 5
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 0


def test_everything_wrong_is_said_at_once() -> None:
    """Every option that cannot be is named with what is allowed, and nothing is printed."""
    result = run(
        *("--model", "qwen3-32", "--template", "h20-singel", "--requests-per-second", "nan", "--input", "0"),
        *("--cache-hit", "1", "--headroom", "0", "--ttft-ms", "5", "--adapters", "-1"),
    )

    assert result.exit_code == 1
    assert result.stdout == ""
    named = [line.split()[1] for line in result.stderr.splitlines()]
    assert named == [
        *("--requests-per-second:", "--input:", "--output:", "--cache-hit:", "--adapters:", "--headroom:"),
        *("--ttft-ms:", "--model:", "--template:"),
    ]
    assert "did you mean qwen3-32b?" in result.stderr
    assert "did you mean h20-single?" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--tier", "fst"), "--tier: no template has a tier fst; allowed: balanced, economy, fast"),
        (("--template", "h20-single", "--tier", "fst"), "did you mean fast?"),
        (("--stack", "prd"), "stacks/Pulumi.prd.yaml:1:1: no such stack"),
        (("--template", "l40s-single"), "memory: role serve needs"),
        (("--template", "l40s-single"), "Nearest: h100-single can, with"),
        (
            ("--template", "h20-single", "--ttft-ms", "1", "--tpot-ms", "50"),
            "compute: TTFT of a single prompt",
        ),
        (("--template", "h20-single", "--ttft-ms", "9000", "--tpot-ms", "1"), "bandwidth: TPOT of a single"),
        (("--ttft-ms", "1", "--tpot-ms", "1"), "no template keeps TTFT 1 ms and TPOT 1 ms"),
        (("--template", "a100-single", "--stack", "prod"), "stack prod has no a100-80-8"),
        (("--tier", "fast", "--ttft-ms", "1", "--tpot-ms", "1"), "give either a tier, or"),
        (("--html", "page.html", "--traffic", "log.csv"), "goes with neither --traffic nor --write"),
    ],
)
def test_what_cannot_be_says_why(args: tuple[str, ...], said: str) -> None:
    """What limits is said, and the nearest that can."""
    result = run(*QWEN, *args)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert said in result.stderr


@pytest.mark.parametrize(
    "load",
    [
        ("--requests-per-second", "1e7", "--input", "3000", "--output", "300"),
        ("--requests-per-second", "-1", "--input", "3000", "--output", "300"),
        ("--requests-per-second", "inf", "--input", "3000", "--output", "300"),
        ("--requests-per-second", "1", "--input", "40000", "--output", "3000"),
        ("--requests-per-second", "1", "--input", "-5", "--output", "300"),
    ],
)
def test_absurd_loads_are_refused(load: tuple[str, ...]) -> None:
    """Loads that nobody has, and requests beyond the model's context, are no question."""
    result = run("--model", "qwen3-32b", *load)

    assert result.exit_code == 1
    assert result.stderr.startswith("modelunits: --")


def test_a_load_of_next_to_nothing_takes_a_step() -> None:
    """The least that can be bought is one step."""
    found = document(
        *("--model", "qwen3-32b", "--template", "h20-single"),
        *("--requests-per-second", "0.0001", "--input", "1", "--output", "1"),
    )

    assert [one["steps"] for one in found["alternatives"]] == [1, 1, 1]


def test_a_page_needs_no_question(tmp_path: Path) -> None:
    """With --html alone the page is written, with every model and template to ask for."""
    result = run("--html", str(tmp_path / "page.html"))

    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "qwen3-32b" in page
    assert "h20-single" in page


def test_without_a_page_a_model_is_needed() -> None:
    """Its names are listed."""
    result = run(*LOAD)

    assert result.exit_code == 1
    assert result.stderr.startswith("modelunits: --model: is needed; allowed: deepseek-r1, ")


def test_rows_of_a_template_s_table_count(tmp_path: Path) -> None:
    """A tier of another name promises what its row says, and a measured row is the answer near its load."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "templates").mkdir()
    text = (ROOT / "templates/h100-single.yaml").read_text()
    row = 'ttft_ms: 900, tpot_ms: 40, concurrency: 24, tps: 6600, label: {label}, source: "bench.json"'
    rows = {"balanced": "measured", "night": "estimated"}
    lines = [f"    {tier}: {{{row.format(label=label)}}}" for tier, label in rows.items()]
    table = "\n".join(("\nperformance:", "  qwen3-32b:", *lines, ""))
    (tmp_path / "templates/mine.yaml").write_text(text[: text.index("\nperformance:")] + table)

    def asked(*args: str) -> dict[str | None, dict[str, Any]]:
        load = ("--requests-per-second", "12", "--output", "300", *args)
        options = ("--root", str(tmp_path), "--model", "qwen3-32b", "--template", "mine", "--format", "json")
        found = json.loads(CliRunner().invoke(app, ["size", *options, *load]).stdout)
        return {one["tier"]: one for one in found["alternatives"]}

    near, far = asked("--input", "3100"), asked("--input", "6000")

    assert near["night"]["promise"] == {"ttft_ms": 900, "tpot_ms": 40}
    assert near["night"]["ttft_ms"]["label"] == "estimated"
    assert near["balanced"]["ttft_ms"] == {
        "value": 900,
        "low": pytest.approx(810),
        "high": pytest.approx(990),
        "label": "measured",
        "expected_error": 0.1,
    }
    assert near["balanced"]["step"]["total_tps"]["value"] == 6600
    assert far["balanced"]["ttft_ms"]["label"] == "estimated"
