"""Files for Envoy: in its order, whole, and only where something changed."""

import time
from pathlib import Path

from infra.keys.mirror import SETTLE_SECONDS, in_order, mirror

FILES = dict.fromkeys(("bootstrap.json", "clusters.json", "listeners.json", "routes.json"), "{}")


def test_nothing_refers_to_what_comes_later() -> None:
    """Clusters are there before the routes to them, whatever else there is."""
    names = ("routes.json", "zone.txt", "listeners.json", "a.json", "clusters.json", "bootstrap.json")

    assert (
        "bootstrap.json",
        "clusters.json",
        "a.json",
        "zone.txt",
        "listeners.json",
        "routes.json",
    ) == in_order(names)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """A file that says the same keeps its inode: Envoy hears nothing."""
    folder = tmp_path / "config"

    assert tuple(FILES) == mirror(folder, FILES)
    inodes = {file.name: file.stat().st_ino for file in folder.iterdir()}
    assert () == mirror(folder, FILES)
    assert ("routes.json",) == mirror(folder, {**FILES, "routes.json": "[]"})

    changed = {file.name for file in folder.iterdir() if file.stat().st_ino != inodes[file.name]}
    assert {"routes.json"} == changed


def test_what_is_no_longer_there_goes_last(tmp_path: Path) -> None:
    """A file that was left out is removed, after all others have been written."""
    mirror(tmp_path, {**FILES, "old.json": "{}"})

    assert ("routes.json", "old.json") == mirror(tmp_path, {**FILES, "routes.json": "[]"})
    assert set(FILES) == {file.name for file in tmp_path.iterdir()}


def test_envoy_gets_time_to_take_new_clusters(tmp_path: Path) -> None:
    """Routes wait for the clusters before them, but not at the first start and not for themselves."""

    def took(files: dict[str, str]) -> float:
        began = time.monotonic()
        mirror(tmp_path, files)
        return time.monotonic() - began

    assert took(FILES) < SETTLE_SECONDS
    assert took({**FILES, "routes.json": "[]"}) < SETTLE_SECONDS
    assert took({**FILES, "clusters.json": "[]", "routes.json": "[1]"}) >= SETTLE_SECONDS


def test_a_line_break_is_part_of_a_file(tmp_path: Path) -> None:
    """Files are the object's texts to the byte."""
    mirror(tmp_path, {"words.txt": "a\r\nb\n"})

    assert b"a\r\nb\n" == (tmp_path / "words.txt").read_bytes()
    assert () == mirror(tmp_path, {"words.txt": "a\r\nb\n"})
