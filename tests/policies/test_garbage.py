"""Nothing that anybody registers makes the judge raise."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import cases

from infra.names import ENDPOINT, FLEET
from policies.judge import judge
from policies.objects import AUTOSCALERS, WITH_PODS
from policies.rule import Resource

_RESOURCES = [resource for case in cases() for resource in case.resources]
_TYPES = sorted({ENDPOINT, FLEET, *(type_.replace("*", "v1") for type_ in (*AUTOSCALERS, *WITH_PODS))})
_KEYS = sorted(
    {key for resource in _RESOURCES for key in resource.props}
    | {"metadata", "spec", "labels", "template", "containers", "limits", "resources", "query", "triggers"}
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([*_KEYS, "", "0", "é", "2026-13-45", "a" * 300, "sum(vllm:"])
    | st.text(max_size=20)
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=8,
)
_PROPERTIES = st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4)


@given(st.lists(st.tuples(st.sampled_from(_TYPES), _PROPERTIES), max_size=2))
@settings(max_examples=100, deadline=None)
def test_odd_properties_raise_nothing(written: list[tuple[str, dict[str, object]]]) -> None:
    """Any properties of any judged type give violations, or none."""
    resources = [
        Resource(type=type_, name=f"odd-{index}", props=props) for index, (type_, props) in enumerate(written)
    ]

    violations = judge(resources, as_of=date(2026, 11, 21), levels={})

    assert all(violation.message for violation in violations)
    assert not any("rule itself failed" in violation.message for violation in violations)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in _paths(child, (*path, key)))]


def _with(value: object, path: tuple[str | int, ...], put: object) -> object:
    if not path:
        return put
    if isinstance(value, dict):
        return {key: _with(child, path[1:], put) if key == path[0] else child for key, child in value.items()}
    assert isinstance(value, list)
    return [_with(child, path[1:], put) if index == path[0] else child for index, child in enumerate(value)]


@given(data=st.data(), resource=st.sampled_from(_RESOURCES), put=_JSON)
@settings(max_examples=600, deadline=None)
def test_one_odd_value_in_good_properties_raises_nothing(
    data: st.DataObject, resource: Resource, put: object
) -> None:
    """Whatever stands in the place of one value, rules answer about the rest or say what they cannot read."""
    path = data.draw(st.sampled_from(_paths(dict(resource.props))[1:]))
    broken = _with(dict(resource.props), path, put)
    assert isinstance(broken, dict)

    violations = judge(
        (Resource(type=resource.type, name=resource.name, props=broken),), as_of=date(2026, 11, 21), levels={}
    )

    assert not any("rule itself failed" in violation.message for violation in violations)
