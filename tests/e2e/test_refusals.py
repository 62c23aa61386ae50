"""What breaks a rule is refused at every gate, with its place and what is allowed, and changes nothing."""

from collections.abc import Callable

import pytest

from tests.e2e.project import PACK, ROOT, Finished, Project
from tests.e2e.seen import Seen

pytestmark = pytest.mark.cluster

SAID = (
    "stacks/first/chat.yaml:6:25: units.hourly.max: must be a multiple of the step 2 (nearest: 4 or 6), got 5"
    " [unit-step]"
)

GATES: dict[str, Callable[[Project], Finished]] = {
    "modelunits check": lambda project: project.modelunits("check", "first"),
    "preview with the policy pack": lambda project: project.preview("first", *PACK),
    "up with the policy pack": lambda project: project.up("first", *PACK),
    "plain up": lambda project: project.up(),
}


@pytest.mark.parametrize("gate", GATES)
def test_a_bound_off_the_step_is_refused(gate: str, project: Project, seen: Seen) -> None:
    """File, line, column and the allowed values are said; nothing in the cluster is different."""
    before = seen.written("first")
    project.edit("stacks/first/chat.yaml", "max: 4", "max: 5")

    told = GATES[gate](project)

    assert told.code != 0
    assert SAID in told.output
    assert "Traceback" not in told.output
    assert "unhandled" not in told.output
    assert before == seen.written("first")


def test_the_policy_pack_alone_stops_up_before_the_cluster_changes(project: Project, seen: Seen) -> None:
    """A program that skipped its own gate registers components first, and the pack refuses those."""
    before = seen.written("first")
    project.edit("stacks/first/chat.yaml", "max: 4", "max: 5")
    (project.root / "infra").unlink()
    (project.root / "infra").mkdir()
    (project.root / "infra" / "__main__.py").write_text(UNGUARDED)

    try:
        told = project.up("first", *PACK)
    finally:
        (project.root / "infra" / "__main__.py").unlink()
        (project.root / "infra").rmdir()
        (project.root / "infra").symlink_to(ROOT / "infra")

    assert told.code != 0
    assert "unit-step" in told.output
    assert before == seen.written("first")


UNGUARDED = """
from datetime import date
from pathlib import Path
import pulumi
from infra.build import build
from infra.check import check_stack
checked = check_stack(Path(pulumi.get_root_directory()), "first", date.today())
build(checked.plan, checked.manifests)
"""


def test_an_exemption_lets_pass_with_its_reason_until_its_last_day(project: Project) -> None:
    """The output says who answers for it and until when; the day after, the rule binds again."""
    project.edit("stacks/first/chat.yaml", "max: 4", "max: 5")
    project.edit(
        "stacks/Pulumi.first.yaml",
        "    moderation:",
        "    exemptions:\n"
        "      - {rule: unit-step, endpoint: chat, reason: half a step bought by mistake, owner: a.lee,"
        ' until: "2031-01-31"}\n'
        "    moderation:",
    )

    for command in (project.modelunits("check", "first"), project.preview("first", *PACK)):
        assert command.code == 0, command.output
        assert "half a step bought by mistake" in command.output
        assert "a.lee" in command.output
        assert "2031-01-31" in command.output
    assert project.modelunits("check", "first", "--as-of", "2031-02-01").code != 0
