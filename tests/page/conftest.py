"""The page of the tests, made once."""

from importlib.resources import files
from pathlib import Path

import pytest

from infra.page.offers import Asked
from infra.page.page import PageInputs, page
from infra.page.runtime import runtime
from page.toy import OFFERS


@pytest.fixture(scope="session")
def made_page() -> str:
    """Return a page of made-up offers."""
    web = {file.name: file.read_text(encoding="utf-8") for file in (files("infra.page") / "web").iterdir()}
    asked = Asked(
        model="qwen3-32b",
        template="h200-single",
        tier="balanced",
        requests_per_second=12.0,
        headroom=1.2,
    )
    return page(PageInputs(offers=OFFERS, asked=asked, made="Made for a test.", runtime=runtime(), web=web))


@pytest.fixture(scope="session")
def page_file(made_page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return that page as a file."""
    file = tmp_path_factory.mktemp("page") / "calculator.html"
    file.write_text(made_page, encoding="utf-8")
    return file
