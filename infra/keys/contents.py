"""What a store holds: the book for people, and the keys themselves as the gateway reads them. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from infra.keys import book as books
from infra.keys.book import Book, Key, KeysError
from infra.keys.gateway_file import caller_keys
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file

BOOK_FILE = "book.json"

UNFINISHED = 1
"""Entries of the book without a key that a run may leave which was killed between the two files."""

_BOOK_TYPE = TypeAdapter(Book)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Every key that works, and what each is."""

    book: Book = field(default_factory=Book)
    callers: tuple[CallerKey, ...] = field(default=(), repr=False)
    """In the order of the book."""


def with_key(contents: Contents, key: Key, secret: str, teams: Collection[str]) -> Contents:
    """Return the contents with one more key.

    Raises:
        KeysError: the book does not take it.
    """
    caller = CallerKey(id=key.id, team=key.team, secret=secret)
    return Contents(book=books.add(contents.book, key, teams), callers=(*contents.callers, caller))


def without_key(contents: Contents, key_id: str) -> Contents:
    """Return the contents without a key.

    Raises:
        KeysError: there is no such key.
    """
    book = books.remove(contents.book, key_id)
    return Contents(book=book, callers=tuple(one for one in contents.callers if one.id != key_id))


def texts(contents: Contents) -> Mapping[str, str]:
    """Return the two files, by name."""
    return {
        BOOK_FILE: _BOOK_TYPE.dump_json(contents.book, indent=2).decode() + "\n",
        KEYS_FILE: key_file(contents.callers),
    }


def read_texts(files: Mapping[str, str], where: str) -> Contents:
    """Return what the two files say.

    Why a key must be in both to work: a run that was killed between the files leaves one entry without a
    key, which nobody was ever shown or which was being revoked.

    Raises:
        KeysError: they are damaged; says which and how.
    """
    book = _book(files[BOOK_FILE], where) if BOOK_FILE in files else Book()
    callers = _callers(files[KEYS_FILE], where) if KEYS_FILE in files else ()
    if book.keys and KEYS_FILE not in files:
        raise _damaged(where, KEYS_FILE, "is missing, and the book has keys")
    team_of = {key.id: key.team for key in book.keys}
    by_id = {caller.id: caller for caller in callers}
    if len(by_id) < len(callers) or len(team_of) < len(book.keys):
        raise _damaged(where, KEYS_FILE if len(by_id) < len(callers) else BOOK_FILE, "has two keys of one id")
    if strange := sorted(one.id for one in callers if team_of.get(one.id) != one.team):
        raise _damaged(where, BOOK_FILE, f"does not have, or not for the same team: {', '.join(strange)}")
    if len(book.keys) - len(callers) > UNFINISHED:
        lost = ", ".join(key.id for key in book.keys if key.id not in by_id)
        raise _damaged(where, KEYS_FILE, f"lacks keys that the book has: {lost}")
    kept = tuple(key for key in book.keys if key.id in by_id)
    return Contents(book=Book(keys=kept), callers=tuple(by_id[key.id] for key in kept))


def _book(text: str, where: str) -> Book:
    try:
        return _BOOK_TYPE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _damaged(where, BOOK_FILE, f"{place}: {first['msg']}" if place else first["msg"]) from None


def _callers(text: str, where: str) -> tuple[CallerKey, ...]:
    try:
        return caller_keys(text)
    except KeysError as error:
        raise _damaged(where, KEYS_FILE, str(error)) from None


def _damaged(where: str, file: str, what: str) -> KeysError:
    return KeysError(
        f"{where}: {file} {what}; nothing was changed. Restore it from a backup, "
        f"or remove both {BOOK_FILE} and {KEYS_FILE} to begin without keys"
    )
