"""Drive a page as a reader does."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

START_MS = 120_000
"""Python in a page starts in two seconds, in twenty where two cores are shared by many."""
READY = "#answer[aria-busy=false]"


def opened(browser: Browser, file: Path, **settings: Any) -> Page:
    """Return a page that has answered its first question."""
    page = browser.new_page(**settings)
    page.set_default_timeout(START_MS)
    page.goto(file.as_uri())
    page.wait_for_selector(READY)
    return page


def ask(page: Page, **fields: object) -> None:
    """Fill in fields, one after the other, and wait for the answer."""
    for name, value in fields.items():
        field = page.locator(f"[name={name}]")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))
    page.wait_for_selector(READY)


def tables(page: Page) -> list[list[list[str]]]:
    """Return the text of every cell, by table and row."""
    found: list[list[list[str]]] = page.locator("table").evaluate_all(
        "all => all.map(table => [...table.tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent)))"
    )
    return found
