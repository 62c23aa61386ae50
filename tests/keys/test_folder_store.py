"""Keys in a folder: nothing is forgotten, nothing leaks, and two runs do not overwrite each other."""

import json
import multiprocessing
import os
import secrets
import shutil
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from infra.keys.book import KEYS_PER_TEAM, Key, KeysError, TooManyKeysError
from infra.keys.contents import BOOK_FILE, Contents, texts, with_key, without_key
from infra.keys.files import PREFIX
from infra.keys.folder import FolderStore
from infra.render.gateway.keys import KEYS_FILE

TEAMS = ("search", "vision")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def create(store: FolderStore, team: str = "search", description: str = "batch jobs") -> tuple[str, str]:
    """Keep a new key; return its id and secret."""
    key = Key(id=f"k{secrets.token_hex(4)}", team=team, description=description, created=NOON)
    secret = f"mu-{secrets.token_urlsafe(32)}"
    store.change(lambda contents: with_key(contents, key, secret, TEAMS))
    return key.id, secret


def revoke(store: FolderStore, key_id: str) -> None:
    """Take a key away."""
    store.change(lambda contents: without_key(contents, key_id))


def working(store: FolderStore) -> dict[str, str]:
    """Return every key that the gateway would take: secret by client."""
    resource = json.loads((store.folder / KEYS_FILE).read_text())["resources"][0]
    return {one["client"]: one["key"] for one in resource["typed_config"]["credentials"]}


class AnyOrder(RuleBasedStateMachine):
    """Creates and revokes in any order, against a plain dictionary."""

    ids = Bundle("ids")

    @initialize()
    def begin(self) -> None:
        """Begin with nothing."""
        self.folder = Path(tempfile.mkdtemp())
        self.store = FolderStore(self.folder / "keys")
        self.store.prepare()
        self.expected: dict[str, str] = {}
        self.ever: set[str] = set()

    @rule(target=ids, team=st.sampled_from(TEAMS), description=st.text(min_size=1, max_size=5))
    def create(self, team: str, description: str) -> str:
        """Create a key, or be refused for a reason that the model knows."""
        of_team = [client for client in self.expected if client.startswith(f"{team}.")]
        try:
            key_id, secret = create(self.store, team, description)
        except TooManyKeysError as refused:
            assert KEYS_PER_TEAM == len(of_team)
            self.says_no_secret(str(refused))
            return "k-none"
        except KeysError as refused:
            assert not description.strip() or not description.isprintable()
            self.says_no_secret(str(refused))
            return "k-none"
        assert len(of_team) < KEYS_PER_TEAM
        self.expected[f"{team}.{key_id}"] = secret
        self.ever.add(secret)
        return key_id

    @rule(key_id=consumes(ids))
    def revoke(self, key_id: str) -> None:
        """Revoke a key that there is, or is not."""
        client = next((one for one in self.expected if one.endswith(f".{key_id}")), None)
        try:
            revoke(self.store, key_id)
        except KeysError as refused:
            assert client is None
            self.says_no_secret(str(refused))
        else:
            assert client is not None
            del self.expected[client]

    @invariant()
    def every_live_key_works_and_no_other(self) -> None:
        """The gateway's file, the book and the model agree; the book holds no secret."""
        if not hasattr(self, "store"):
            return
        assert self.expected == working(self.store)
        contents = self.store.read()
        assert set(self.expected) == {f"{key.team}.{key.id}" for key in contents.book.keys}
        self.says_no_secret((self.store.folder / BOOK_FILE).read_text())
        self.says_no_secret(repr(contents))

    def says_no_secret(self, text: str) -> None:
        """Find no secret, present or past, in a text that people see."""
        assert not [secret for secret in self.ever if secret in text]

    def teardown(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)


AnyOrder.TestCase.settings = settings(max_examples=8, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase


def _create_some(folder: Path, count: int, team: str) -> None:
    for _ in range(count):
        create(FolderStore(folder), team)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Keys that are made at the same moment are all kept."""
    folder = tmp_path / "keys"
    runs = [
        multiprocessing.get_context("spawn").Process(target=_create_some, args=(folder, KEYS_PER_TEAM, team))
        for team in TEAMS
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert [0, 0] == [run.exitcode for run in runs]
    assert 2 * KEYS_PER_TEAM == len(FolderStore(folder).read().book.keys) == len(working(FolderStore(folder)))


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """0600 in a folder of 0700, whatever the umask and whatever was there."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        create(FolderStore(folder))
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert {0o600} == {stat.S_IMODE((folder / name).stat().st_mode) for name in (BOOK_FILE, KEYS_FILE)}


def test_a_gateway_can_start_before_the_first_key(tmp_path: Path) -> None:
    """The file of keys is there, with none in it."""
    store = FolderStore(tmp_path / "keys")

    store.prepare()

    assert {} == working(store)
    assert Contents() == store.read()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """A list of keys of a machine that never served leaves no trace."""
    assert Contents() == FolderStore(tmp_path / "keys").read()
    assert [] == list(tmp_path.iterdir())


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """The file is replaced, not written over: who has opened the former one reads it to its end."""
    store = FolderStore(tmp_path / "keys")
    create(store)
    with (store.folder / KEYS_FILE).open() as opened:
        before = (store.folder / KEYS_FILE).read_text()
        create(store)
        assert before == opened.read()
    assert before != (store.folder / KEYS_FILE).read_text()


@pytest.mark.parametrize("doing", ["create", "revoke"])
def test_a_run_that_is_killed_between_the_files_does_no_harm(tmp_path: Path, doing: str) -> None:
    """The unfinished key does not work and is not listed; the next run tidies up."""
    store = FolderStore(tmp_path / "keys")
    kept, secret = create(store)
    key_file, book = (store.folder / KEYS_FILE).read_text(), (store.folder / BOOK_FILE).read_text()
    other, _ = create(store)
    if doing == "revoke":
        book = (store.folder / BOOK_FILE).read_text()
        revoke(store, other)
        (store.folder / BOOK_FILE).write_text(book)
    else:
        (store.folder / KEYS_FILE).write_text(key_file)
    (store.folder / f"{PREFIX}{KEYS_FILE}-1").write_text("{")

    assert (kept,) == store.read().book.ids
    assert f"search.{kept}" in working(store)
    third, _ = create(store)
    assert (kept, third) == store.read().book.ids
    assert other not in (store.folder / BOOK_FILE).read_text()
    assert secret in working(store).values()
    assert {BOOK_FILE, KEYS_FILE, "lock"} == {file.name for file in store.folder.iterdir()}


def _without(name: str) -> tuple[str, None]:
    return name, None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (*_without(KEYS_FILE), "keys.json is missing, and the book has keys"),
        (*_without(BOOK_FILE), r"book.json does not have, or not for the same team: k\w+, k\w+"),
        (KEYS_FILE, "", "keys.json is not a file of keys"),
        (KEYS_FILE, '{"resources": []}', "keys.json is not a file of keys"),
        (KEYS_FILE, texts(Contents())[KEYS_FILE], r"keys.json lacks keys that the book has: k\w+, k\w+"),
        (BOOK_FILE, "{", "book.json Invalid JSON"),
        (BOOK_FILE, '{"keys": [{"id": "k1"}]}', r"book.json keys.0.team: Field required"),
        (BOOK_FILE, '{"keys": [], "later": 1}', r"book.json later: Unexpected keyword argument"),
        (BOOK_FILE, '{"keys": []}', r"book.json does not have, or not for the same team: k\w+, k\w+"),
    ],
)
def test_a_damaged_store_says_what_and_loses_nothing(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    """Nothing is read into it and nothing written over it, and no key is in the message."""
    store = FolderStore(tmp_path / "keys")
    made = [create(store) for _ in range(2)]
    if text is None:
        (store.folder / name).unlink()
    else:
        (store.folder / name).write_text(text)
    files = {file.name: file.read_bytes() for file in store.folder.iterdir()}

    with pytest.raises(KeysError, match=message) as refused:
        store.read()
    with pytest.raises(KeysError, match=message):
        create(store)

    assert files == {file.name: file.read_bytes() for file in store.folder.iterdir()}
    assert str(store.folder) in str(refused.value)
    assert not [secret for _, secret in made if secret in str(refused.value)]


@pytest.mark.parametrize(
    ("with_secrets", "message"),
    [
        (("mu-one", "mu-one"), r"keys.json has one secret for two keys: k\w+, k\w+"),
        (("mu-one", ""), r"keys.json has an empty secret, of key k\w+"),
    ],
)
def test_secrets_that_envoy_refuses_are_damage(
    tmp_path: Path, with_secrets: tuple[str, str], message: str
) -> None:
    """Envoy would go on with the keys that it has, and a revoked one would still work."""
    store = FolderStore(tmp_path / "keys")
    made = [create(store) for _ in with_secrets]
    text = (store.folder / KEYS_FILE).read_text()
    for (_, secret), other in zip(made, with_secrets, strict=True):
        text = text.replace(secret, other)
    (store.folder / KEYS_FILE).write_text(text)

    with pytest.raises(KeysError, match=message):
        store.read()


def test_a_key_for_two_teams_is_damage(tmp_path: Path) -> None:
    """An entry that somebody moved to another team by hand is found before it grants anything."""
    store = FolderStore(tmp_path / "keys")
    key_id, _ = create(store)
    book = store.folder / BOOK_FILE
    book.write_text(book.read_text().replace('"search"', '"vision"'))

    with pytest.raises(KeysError, match=f"not for the same team: {key_id}"):
        store.read()
