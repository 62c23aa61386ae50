"""Dataclasses as JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.capacity.load import Load
from infra.page.values import from_json, modules_of, to_json
from page.toy import OFFERS


def test_offers_come_back_as_they_were() -> None:
    """Every number, name and class of what a page carries survives, to the last bit."""
    assert OFFERS == from_json(json.loads(json.dumps(to_json(OFFERS))))


@given(st.builds(Load, input_tokens=st.integers(), cache_hit=st.floats(allow_nan=False)))
def test_any_number_comes_back(load: Load) -> None:
    """No float is rounded and no whole number becomes a float."""
    back = from_json(json.loads(json.dumps(to_json(load))))

    assert repr(load) == repr(back)


def test_a_document_names_the_modules_it_needs() -> None:
    """A page knows from its offers which modules it must carry."""
    named = modules_of(to_json(OFFERS))

    assert {"infra.page.offers", "infra.capacity.sizing", "page.toy"} <= named


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, object(), {"class": "x"}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    """Nothing is turned into text, dropped or mistaken for a dataclass."""
    with pytest.raises(TypeError):
        to_json(value)
