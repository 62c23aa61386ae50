"""A ConfigMap holds at most 1 MiB; the API server refuses more.

The gateway's files are in one: 64 KiB that every stack has, and 4 KiB for each endpoint.

This would **PASS**:

    kind: ConfigMap
    metadata: {name: gateway-config, labels: {modelunits.dev/stack: prod}}
    data: {routes.json: "…"}            # 200 KB

This would **FAIL**: the same with 300 endpoints, because `data` is larger than 1 MiB.
"""

from collections.abc import Iterator

from policies.objects import is_ours, object_name
from policies.reading import mapping_or_none
from policies.rule import Context, Finding, Resource, Rule

LARGEST_BYTES = 1 << 20
"""Kubernetes' own limit (MaxSecretSize, which ConfigMaps share)."""


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    if not is_ours(resource):
        return
    data = mapping_or_none(resource.props, "data")
    size = sum(len(f"{name}{text}".encode()) for name, text in data.items())
    if size > LARGEST_BYTES:
        yield Finding(
            ("data",),
            f"must be at most 1 MiB together, got {size / LARGEST_BYTES:.2f} MiB: "
            f"move endpoints to another stack, whose gateway has a {object_name(resource)} of its own",
        )


RULE = Rule(
    name="config-map-size",
    description="The gateway's files fit into a ConfigMap.",
    severity="high",
    remediation="Move endpoints to another stack.",
    applies_to=("kubernetes:core/*:ConfigMap",),
    check=_check,
    doc=__doc__,
)
