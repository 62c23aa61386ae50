"""Keys of one machine: two files in a folder of their own."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.keys.book import KeysError
from infra.keys.contents import BOOK_FILE, Contents, read_texts, texts
from infra.keys.files import PREFIX, put_if_changed
from infra.render.gateway.keys import KEYS_FILE

FILE_MODE = 0o600
FOLDER_MODE = 0o700

LOCK = "lock"


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Keeps keys in a folder that its owner alone may read."""

    folder: Path

    def read(self) -> Contents:
        """Return the keys as they are now; none where there is no folder."""
        if not self.folder.is_dir():
            return Contents()
        with self._alone():
            return self._contents()

    def change(self, decide: Callable[[Contents], Contents]) -> Contents:
        """Put what `decide` makes of the present keys in their place; two runs take turns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(FOLDER_MODE)
        with self._alone():
            before = self._contents()
            after = decide(before)
            new = texts(after)
            # A run that is killed in between leaves an entry without a key, never a key without an entry.
            adds = set(after.book.ids) - set(before.book.ids)
            for name in (BOOK_FILE, KEYS_FILE) if adds else (KEYS_FILE, BOOK_FILE):
                put_if_changed(self.folder / name, new[name], FILE_MODE)
        return after

    def prepare(self) -> Contents:
        """Make the files where there are none, so that a gateway can start before the first key."""
        return self.change(lambda contents: contents)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _contents(self) -> Contents:
        for left_by_a_killed_run in self.folder.glob(f"{PREFIX}*"):
            left_by_a_killed_run.unlink(missing_ok=True)
        files = {}
        for name in (BOOK_FILE, KEYS_FILE):
            try:
                files[name] = (self.folder / name).read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            except UnicodeDecodeError:
                raise KeysError(f"{self.folder}: {name} is not text; nothing was changed") from None
        return read_texts(files, str(self.folder))
