"""Golden problems: what people see for what they wrote wrong, word for word.

Each folder of `tests/problems` holds only what it changes of the valid project in `base`.
"""

import shutil
from pathlib import Path

import pytest
from golden import Golden

from infra.spec.load import load_stack

CASES = Path(__file__).parent / "problems"
BASE = CASES / "base"
ANSWER = "problems.txt"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path != BASE))
def test_problems(case: str, tmp_path: Path, golden: Golden) -> None:
    """Every problem of all files is reported at once, in file order, with what is allowed."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(CASES / case, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(ANSWER))

    problems = load_stack(tmp_path, "dev").problems

    golden.check(CASES / case / ANSWER, "".join(f"{problem}\n" for problem in problems))


def test_the_base_of_all_cases_is_valid() -> None:
    """A case shows nothing but its own mistakes, because the project it changes has none."""
    assert load_stack(BASE, "dev").problems == ()
