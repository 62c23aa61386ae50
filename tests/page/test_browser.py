"""The page in headless Chromium: it shows what the same modules answer here, and what the command says."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from typer.testing import CliRunner

from infra.cli.main import app
from infra.cli.size_page import size_page
from infra.page.answers import answering
from infra.page.tell import figure
from infra.page.values import to_json
from page.browsing import READY, START_MS, ask, opened, tables
from page.chromium import chromium
from page.test_answers import ASKED
from page.test_size_page import wanted
from page.toy import OFFERS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def shown(browser: Browser, page_file: Path) -> Page:
    """Return a page of made-up offers, started; tests leave their own questions in it."""
    return opened(browser, page_file)


@pytest.fixture(scope="module")
def project_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return the page of this project's templates at the local stack's prices, started."""
    file = tmp_path_factory.mktemp("project") / "calculator.html"
    size_page(file, ROOT, "qwen3-32b", "h20-single", "local", wanted())
    return opened(browser, file)


@pytest.mark.parametrize(
    "question",
    [
        {"model": "qwen3-32b", "template": "h200-single", "tier": "fast", "requests_per_second": 12},
        {"template": "h20-h200-pd", "tier": "balanced", "input_tokens": 8000, "headroom": 1.35},
        {"model": "gpt-oss-120b", "template": "h100-single", "tier": "economy", "cache_hit": 0.4},
        {"tier": "own limits", "ttft_ms": 2500, "tpot_ms": 45.5, "output_tokens": 900},
    ],
)
def test_the_page_says_what_the_command_says(project_page: Page, question: dict[str, object]) -> None:
    """Run as it stands, the command that the page tells prints the page's numbers."""
    ask(project_page, **question)
    command = shlex.split(project_page.inner_text("#command"))
    result = CliRunner().invoke(app, [*command[1:], "--root", str(ROOT), "--format", "json"])
    assert 0 == result.exit_code, result.output
    told = json.loads(result.stdout)
    own = next(
        one
        for one in told["alternatives"]
        if (one["template"], one["tier"]) == (told["chosen"]["template"], told["chosen"]["tier"])
    )
    rows = {row[0]: row[1:] for table in tables(project_page)[:3] for row in table}

    assert project_page.inner_text("#headline").split()[0] == f"{own['units']['value']:,.0f}"
    assert rows["TTFT, mean"][0].startswith(f"{figure(own['ttft_ms']['value'])} ms ")
    assert rows["TTFT of 99 %"][1].startswith(f"{figure(own['open_loop_ttft_ms']['p99']['value'])} ms ")
    assert rows["TPOT, mean"][0].startswith(f"{figure(own['tpot_ms']['value'])} ms ")
    assert rows["TPOT, mean"][-1] == own["tpot_ms"]["label"]
    for column, of in enumerate((own["unit"], own["step"])):
        assert rows["Requests/s"][column].startswith(f"{figure(of['requests_per_second']['value'])} ")
        assert rows["Tokens/s, in and out"][column].startswith(f"{figure(of['total_tps']['value'])} ")
        assert rows["Output tokens/s"][column].startswith(f"{figure(of['output_tps']['value'])} ")
    assert rows["Hourly units, per hour"][0].startswith(f"{own['cost']['hourly']['value']:,.2f} ")
    assert rows["Reserved units, per month"][0].startswith(
        f"{own['cost']['monthly_reserved']['value']:,.2f} "
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"requests_per_second": 171.3, "headroom": 1.07},
        {"tier": "fast", "cache_hit": 0.37, "input_tokens": 12345},
        {"model": "llama-3.3-70b-fp8", "template": "h20-single", "tier": "economy", "output_tokens": 2000},
    ],
)
def test_figures_equal_those_of_python_here(shown: Page, changed: dict[str, object]) -> None:
    """Typing a question shows, in every cell, what the same modules answer outside a browser."""
    ask(shown, **(ASKED | changed))
    expected = json.loads(answering(json.dumps(to_json(OFFERS)))(json.dumps(ASKED | changed)))

    assert [table["rows"] for table in (*expected["numbers"], *expected["tables"])] == tables(shown)
    for name in ("headline", "detail", "basis", "command"):
        assert expected[name] == shown.inner_text(f"#{name}")
    assert len(expected["cost"]["series"]) == shown.locator("#cost path").count()
    marked = [tier for tier in expected["latency"]["tiers"] if tier["point"]]
    assert 2 * len(marked) == shown.locator("#latency circle").count()


def test_figures_are_there_before_python_is(browser: Browser, page_file: Path) -> None:
    """The first answer was made with the page, and is shown while its Python starts."""
    page = browser.new_page()
    page.goto(page_file.as_uri())

    assert "true" == page.get_attribute("#answer", "aria-busy")
    assert page.inner_text("#headline").endswith("units")
    page.close()


def test_own_limits_are_asked_for_and_refused_with_a_reason(shown: Page) -> None:
    """Own latencies start from the tier's; what cannot be kept is said, and old figures go away."""
    ask(shown, **ASKED)
    ask(shown, tier="own limits")
    assert "60" == shown.input_value("[name=tpot_ms]")
    assert shown.is_visible("#result")
    ask(shown, ttft_ms=1500, tpot_ms=2)

    assert "bandwidth: TPOT of a single request" in shown.inner_text("#problems")
    assert not shown.is_visible("#result")


def test_an_empty_field_is_named(shown: Page) -> None:
    """A field that is being typed into gives a hint, not an exception."""
    ask(shown, **ASKED)
    ask(shown, output_tokens="")

    assert "Output tokens: must be a number from 1 to 10,000,000" == shown.inner_text("#problems")
    assert "true" == shown.get_attribute("[name=output_tokens]", "aria-invalid")


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_asks_no_one(
    browser: Browser, page_file: Path, tmp_path: Path, look: Any, width: int
) -> None:
    """On a desk or a telephone, light or dark: nothing sticks out, nothing fails, nothing leaves the page."""
    asked: list[str] = []
    failed: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)
    context.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    context.on("weberror", lambda error: failed.append(str(error.error)))
    page = context.new_page()
    page.on("console", lambda message: failed.append(message.text))
    page.set_default_timeout(START_MS)
    page.goto(page_file.as_uri())
    page.wait_for_selector(READY)
    page.screenshot(path=tmp_path / f"{look}-{width}.png", full_page=True)

    assert [] == failed
    assert {"file", "blob", "data"} >= set(asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
