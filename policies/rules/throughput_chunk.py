"""Bounds in tokens/s are whole chunks.

A chunk is what one step of the template serves at the endpoint's tier, input and output tokens together.
`throughput.min` and `throughput.max` are multiples of it, because they become whole steps of hourly units.

With a chunk of 6000 tokens/s, this would **PASS**:

    throughput: {min: 6000, max: 18000}

This would **FAIL**:

    throughput: {min: 6000, max: 15000}
"""

from collections.abc import Iterator

from infra.names import ENDPOINT
from policies.multiples import multiple
from policies.reading import at, whole
from policies.rule import Context, Finding, Resource, Rule


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    throughput = at(resource.props, "throughput")
    if throughput is None:
        return
    chunk = whole(throughput, "chunk_tps")
    for bound in ("min", "max"):
        value = whole(throughput, f"{bound}_tps")
        yield from multiple(("throughput", bound), value, chunk, "chunk", " tokens/s")


RULE = Rule(
    name="throughput-chunk",
    description="Bounds in tokens/s are whole chunks: what one step serves at the tier.",
    severity="high",
    remediation="Write the nearest multiple of the chunk that the message names, or choose another tier.",
    applies_to=(ENDPOINT,),
    check=_check,
    doc=__doc__,
)
