"""The book of keys: what it takes, and how it says no."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.keys.book import KEYS_PER_TEAM, Book, Key, KeysError, TooManyKeysError, add, remove

TEAMS = ("search", "vision")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def key(number: int = 0, **more: object) -> Key:
    """Return a key that the book takes."""
    facts = {
        "id": f"k0000000{number}",
        "team": "search",
        "description": "batch jobs",
        "created": NOON,
        **more,
    }
    return Key(**facts)  # type: ignore[arg-type]


def full() -> Book:
    """Return a book in which a team has all its keys."""
    book = Book()
    for number in range(KEYS_PER_TEAM):
        book = add(book, key(number), TEAMS)
    return book


def test_keys_stay_in_the_order_in_which_they_were_made() -> None:
    """The oldest is first: it is the one to rotate."""
    assert tuple(f"k0000000{number}" for number in range(KEYS_PER_TEAM)) == full().ids


def test_a_team_has_five_keys_at_most() -> None:
    """The sixth is refused with the five that there are; another team is free to have one."""
    with pytest.raises(
        TooManyKeysError, match="team search has 5 keys and may have 5: revoke one first"
    ) as refused:
        add(full(), key(7), TEAMS)

    assert full().keys == refused.value.keys
    assert "k00000008" in add(full(), key(8, team="vision"), TEAMS).ids


def test_a_revoked_key_makes_room() -> None:
    """Five are counted now, not ever."""
    book = add(remove(full(), "k00000002"), key(7), TEAMS)

    assert KEYS_PER_TEAM == len(book.of("search"))
    assert "k00000002" not in book.ids


def test_an_instant_is_kept_to_the_second_and_in_utc() -> None:
    """The same instant reads the same, wherever the key was made."""
    local = datetime(2026, 11, 21, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))

    (kept,) = add(Book(), key(created=local), TEAMS).keys

    assert "2026-11-21T12:00:00+00:00" == kept.created.isoformat()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"team": "serach"},
            "--team: no team 'serach' in the environment; allowed: search, vision; did you mean search?",
        ),
        ({"team": "x" * 46}, "--team: no team of 46 characters in the environment; allowed: search, vision"),
        ({"description": " "}, "--description: is required: say who uses the key, for what"),
        ({"description": "a\nb"}, "--description: must be printable characters on one line"),
        ({"description": "\x1b[31m"}, "--description: must be printable characters on one line"),
        ({"description": "x" * 201}, "--description: must be at most 200 characters, got 201"),
        (
            {"team": "", "description": ""},
            "--team: no team '' in the environment; allowed: search, vision; "
            "--description: is required: say who uses the key, for what",
        ),
    ],
)
def test_what_the_book_does_not_take(more: dict[str, object], message: str) -> None:
    """Everything wrong is said at once, with what is allowed."""
    with pytest.raises(KeysError) as refused:
        add(Book(), key(**more), TEAMS)

    assert message == str(refused.value)


def test_the_longest_description_is_taken() -> None:
    """200 characters of any script."""
    assert 200 == len(add(Book(), key(description="密" * 200), TEAMS).keys[0].description)


def test_an_unknown_id_is_told_the_nearest() -> None:
    """Somebody who revokes in a hurry mistypes; who pastes the key itself does not see it repeated."""
    with pytest.raises(
        KeysError, match=r"no key 'k0000002'; allowed: k00000000, .*; did you mean k0000000\d\?"
    ):
        remove(full(), "k0000002")
    with pytest.raises(KeysError, match="no key of 46 characters; allowed: k00000000") as refused:
        remove(full(), "mu-" + "s" * 43)
    assert "sss" not in str(refused.value)
