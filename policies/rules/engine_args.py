"""Engine arguments are flags of the pinned vLLM, and none that Model Units decides.

`engine_args` of an endpoint and `args` of a template's role are vLLM flags by their exact names, without
the leading dashes: vLLM would accept an abbreviation, and a later version would read it as another flag.
Flags that follow from the spec, such as the parallel sizes, are written there and nowhere else.

This would **PASS**:

    engine_args: {max-model-len: 32768}

This would **FAIL**, twice:

    engine_args: {max-model: 32768, tensor-parallel-size: 4}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.reading import flag, items, text, text_or_none
from policies.rule import Context, Finding, Path, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    version = text_or_none(resource.props, "engine_version") or ""
    for fact in items(resource.props, "engine_args"):
        name, written_in = text(fact, "name"), text(fact, "written_in")
        in_endpoint = written_in == "engine_args"
        path: Path = ("engine_args", name) if in_endpoint else ("template",)
        where = "" if in_endpoint else f"{text(resource.props, 'template')}: {written_in}.{name}: "
        owner, problem = text_or_none(fact, "owned_by"), text_or_none(fact, "problem")
        if not flag(fact, "known"):
            nearest = text_or_none(fact, "nearest")
            hint = f"; did you mean {nearest}?" if nearest else ""
            yield Finding(path, f"{where}no flag of vLLM {version}".rstrip() + hint)
        elif owner:
            yield Finding(path, f"{where}must not be set: it is decided by {owner}")
        elif problem:
            yield Finding(path, f"{where}{problem}")


RULE = Rule(
    name="engine-args",
    description="Engine arguments are exact flags of the pinned vLLM, and none that Model Units decides.",
    severity="high",
    remediation="Correct the flag's name or value, or write the field of the spec that decides it.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
