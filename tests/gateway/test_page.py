"""The page for callers names every error and every parameter that is refused."""

from samples import ROOT

from infra.render.gateway.errors import ERRORS
from infra.render.gateway.refusals import INTERNAL, PARAMETERS, STRUCTURED_OUTPUT

PAGE = (ROOT / "docs" / "gateway.md").read_text()


def test_every_error_is_on_the_page() -> None:
    """With its status and code, as a row of the table."""
    refused = [refusal.error for refusal in (*INTERNAL, *PARAMETERS, *STRUCTURED_OUTPUT)]

    assert [
        error.code for error in (*ERRORS, *refused) if f"| {error.status} | `{error.code}` |" not in PAGE
    ] == []


def test_every_refused_parameter_is_on_the_page() -> None:
    """By the name that the answer gives."""
    named = {refusal.error.param for refusal in (*INTERNAL, *PARAMETERS, *STRUCTURED_OUTPUT)}

    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_errors_that_say_when_to_come_back_are_those_that_pass_by_themselves() -> None:
    """429 and 503 always do; nothing else does."""
    assert {error.code for error in ERRORS if error.retry_after_seconds} == {
        error.code for error in ERRORS if error.status in {429, 503}
    }
