"""Golden files: what is expected, whole, as files that people read."""

from pathlib import Path


class Golden:
    """Compares texts with golden files, whole and exactly."""

    def __init__(self, update: bool, test: str) -> None:
        self._update = update
        self._test = test

    def check(self, file: Path, actual: str) -> None:
        """Fail where a text is not that of its file, or rewrite the file."""
        if self._update:
            file.write_text(actual, encoding="utf-8")
            return
        expected = file.read_text(encoding="utf-8") if file.exists() else None
        hint = f"if the new text is right: pytest '{self._test}' --update-golden, then read the diff"

        assert expected == actual, hint
