"""The last gate of `modelunits check`: Envoy itself reads the gateway's files, where Envoy is there."""

from pathlib import Path

from infra.check import Checked
from infra.local.envoy import installed_envoy, validate
from infra.problems import Problem
from infra.render.gateway.make import gateway_files
from infra.render.gateway_common import place

RULE = "gateway-files"


def gateway_problems(stack: str, checked: Checked, envoy: Path | None = None) -> tuple[Problem, ...]:
    """Return what Envoy says against a stack's files; nothing without Envoy, a gateway or a whole plan."""
    plan = checked.plan
    if checked.problems or plan is None or plan.gateway is None:
        return ()
    program = envoy or installed_envoy()
    if program is None:
        return ()
    said = validate(program, gateway_files(plan, place(plan, plan.gateway)))
    if said is None:
        return ()
    return (Problem(f"stacks/Pulumi.{stack}.yaml", 1, 1, f"Envoy refuses the gateway's files: {said}", RULE),)
