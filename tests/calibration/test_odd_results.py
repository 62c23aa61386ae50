"""Whatever stands in a result file, it is a measurement that is judged or a problem: never a crash."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from measured import target

from infra.calibration.files import calibration_at, text, with_results
from infra.calibration.refusals import Stated, refusals
from infra.calibration.results import read_results

FILES = sorted((Path(__file__).parent / "results").glob("*.json"))
TARGET = target()
STATED = Stated(engine_version="0.32.0", warmed_up=True, equal_lengths=True)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(0, 100),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
)


def places(tree: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value but the root."""
    if way:
        yield way
    keys: list[str | int] = []
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = list(range(min(2, len(tree))))
    for key in keys:
        yield from places(tree[key], (*way, key))  # type: ignore[index]


TREES = [json.loads(path.read_text(encoding="utf-8")) for path in FILES]
PLACES = [(index, way) for index, tree in enumerate(TREES) for way in places(tree)]


@settings(max_examples=150)
@given(st.sampled_from(PLACES), ODD)
def test_odd_values_never_crash(place_of: tuple[int, tuple[str | int, ...]], value: object) -> None:
    """Any value in the place of any other is read and judged, and written where nothing is against it."""
    index, way = place_of
    tree = json.loads(json.dumps(TREES[index]))
    place = tree
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_text(json.dumps(tree), encoding="utf-8")
        results, problems = read_results([path])
    against = [one for found in results for one in refusals(found, TARGET, TARGET.predict, STATED)]
    if results and not problems and not against:
        made = with_results(None, TARGET, results, STATED)
        calibration_at(made.points, TARGET.predict)
        assert text(made).startswith("# ")
