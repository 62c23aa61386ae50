"""Plans for tests: endpoints written as values, on the templates and machines that come with Model Units."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from infra.catalog.load import load_catalog
from infra.plan.make import make_plan
from infra.plan.model import Plan
from infra.spec.endpoint import Endpoint
from infra.spec.environment import Environment
from infra.spec.load import load_stack
from infra.spec.stack import Position, Source, Stack, Written

ROOT = Path(__file__).parent.parent
DAY = date(2026, 11, 21)


@cache
def real_stack() -> Stack:
    """Return the stack `prod` of this repository, for its templates."""
    loaded = load_stack(ROOT, "prod")

    assert loaded.stack is not None, loaded.problems

    return loaded.stack


def sample_plan(
    endpoints: Mapping[str, Mapping[str, object]],
    *,
    nodes: Literal["karpenter", "existing"] = "karpenter",
    **environment_fields: object,
) -> Plan:
    """Return the plan of some endpoints by name, in a stack that has every machine of the catalog."""
    nowhere = Source(Position("sample.yaml", 1, 1), {})
    machines = {
        name: {
            "node_class": {"group": "karpenter.example.com", "kind": "NodeClass", "name": "gpu"},
            "instance_types": (f"gpu-{name}",),
            "reserved": 1000,
            "max": 2000,
        }
        for name in load_catalog().machines
    }
    environment = Environment.model_validate(
        {"nodes": nodes, "machines": machines, "teams": {"search": {}}, **environment_fields}
    )
    stack = Stack(
        project="sample",
        name="test",
        environment=Written("environment", environment, nowhere),
        templates=real_stack().templates,
        endpoints=tuple(
            Written(name, Endpoint.model_validate({"team": "search", **spec}), nowhere)
            for name, spec in endpoints.items()
        ),
    )
    planned = make_plan(stack, load_catalog(), DAY)

    assert planned.problems == ()

    return planned.plan


def every_template_and_model() -> list[tuple[str, str]]:
    """Return each template with each model of its performance table."""
    return [
        (name, model)
        for name, template in sorted(real_stack().templates.items())
        for model in sorted(template.value.performance)
    ]
