"""Every edit of `docs/edits.md` does to running engines what the page says."""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.check import check_stack
from infra.order import WORKLOADS, ordered

ROOT = Path(__file__).parent.parent
DAY = date(2026, 11, 21)

Files = dict[str, Any]
"""Documents by path, as YAML reads them."""

CHAT, AGENT, PAIR = "stacks/first/chat.yaml", "stacks/first/agent.yaml", "templates/pair.yaml"
ENVIRONMENT = "stacks/Pulumi.first.yaml"


def _put(file: str, *path: str, value: object) -> Callable[[Files], None]:
    def edit(files: Files) -> None:
        place = files[file]
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value

    return edit


def _environment(*path: str, value: object) -> Callable[[Files], None]:
    return _put(ENVIRONMENT, "config", "modelunits:environment", *path, value=value)


def _rename(files: Files) -> None:
    files["stacks/first/talk.yaml"] = files.pop(CHAT)


def _throughput(files: Files) -> None:
    files[CHAT]["units"].pop("hourly")
    files[CHAT]["throughput"] = {"min": 0, "max": 2 * 2 * 3230}


BOUGHT = [{"id": "po-1", "units": 4, "start": date(2026, 1, 1), "months": 120}]

EDITS: dict[str, Callable[[Files], None]] = {
    "`units.hourly`": _put(CHAT, "units", "hourly", value={"min": 2, "max": 6}),
    "`units.reserved`": _put(CHAT, "units", "reserved", value=4),
    "`purchases`": _put(CHAT, "units", value={"purchases": BOUGHT, "hourly": {"max": 4}}),
    "`throughput`": _throughput,
    "`tier`": _put(CHAT, "tier", value="fast"),
    "`headroom`": _put(CHAT, "headroom", value=1.5),
    "`sleep_after`": _put(AGENT, "sleep_after", value="1h"),
    "`limits`": _put(CHAT, "limits", value={"concurrency": 9}),
    "`moderation`": _put(
        CHAT, "moderation", value={"enabled": False, "reason": "internal only", "confirmed_by": "a.lee"}
    ),
    "`features`": _put(CHAT, "features", value={"structured_output": True}),
    "`engine_args`": _put(CHAT, "engine_args", value={"max-num-seqs": 8}),
    "`adapters`": _put(CHAT, "adapters", value=[{"name": "tone", "source": "s3://loras/tone", "rank": 16}]),
    "`model`": _put(CHAT, "model", value={"name": "ft", "base": "qwen3-8b", "weights": "s3://models/ft"}),
    "`template`, same roles": _put(CHAT, "template", value="single-h100"),
    "`template`, other roles": _put(CHAT, "template", value="split"),
    "`team`": _put(CHAT, "team", value="assistants"),
    "the file's name": _rename,
    "`performance`": _put(PAIR, "performance", "qwen3-8b", "balanced", "tps", value=3000.0),
    "`groups_per_step`": _put(PAIR, "groups_per_step", value=1),
    "`unsupported_features`": _put(PAIR, "unsupported_features", value=["responses_api"]),
    "`roles.<role>.count`": _put(PAIR, "roles", "serve", "count", value=2),
    "`engine`": _put(PAIR, "engine", "image", value="vllm/vllm-openai:v0.32.0-patched"),
    "`roles.<role>.args`": _put(PAIR, "roles", "serve", "args", value={"max-num-seqs": 8}),
    "`roles.<role>.tensor_parallel`": _put(PAIR, "roles", "serve", "tensor_parallel", value=2),
    "the same, over more machines": _put(PAIR, "roles", "serve", "tensor_parallel", value=16),
    "`roles.<role>.machine`": _put(PAIR, "roles", "serve", "machine", value="h100-1"),
    "`startup_timeout`": _put(PAIR, "startup_timeout", value="20m"),
    "`drain_timeout`": _put(PAIR, "drain_timeout", value="20m"),
    "`prices`": _environment("prices", value={"l40s-1": {"hourly": 1.0, "monthly": 2.0}}),
    "`teams.<team>.quota`": _environment("teams", "search", "quota", value={"l40s-1": 12}),
    "`machines.<machine>.max`": _environment("machines", "l40s-1", "max", value=20),
    "`machines.<machine>.node_class`": _environment("machines", "l40s-1", "node_class", "name", value="b"),
    "`exemptions`": _environment(
        "exemptions",
        value=[
            {
                "rule": "unit-step",
                "endpoint": "chat",
                "reason": "none needed",
                "owner": "a.lee",
                "until": "2030-01-01",
            }
        ],
    ),
}

BY_PULUMI = {"`cluster.identifier`"}
"""Edits that change no manifest: what they do is the provider's to decide."""


def _rows() -> dict[str, str]:
    cells = re.findall(r"^\| ([^|]+) \| (keeps|restarts|starts anew) \|", _page(), re.MULTILINE)
    return dict(cells)


def _page() -> str:
    return (ROOT / "docs" / "edits.md").read_text()


@pytest.fixture(scope="module")
def files() -> Files:
    """The project of the end-to-end tests on larger machines, with a second tier and a like template."""
    project = ROOT / "tests" / "e2e" / "project"
    found = {
        str(path.relative_to(project)): yaml.safe_load(path.read_text()) for path in project.rglob("*.yaml")
    }
    machines = found[ENVIRONMENT]["config"]["modelunits:environment"]["machines"]
    machines["l40s-8"] = machines["l40s-1"]
    pair = found[PAIR]
    pair["roles"]["serve"]["machine"] = "l40s-8"
    pair["performance"]["qwen3-8b"]["fast"] = {
        **pair["performance"]["qwen3-8b"]["balanced"],
        "concurrency": 4,
    }
    other = deepcopy(pair)
    other["roles"]["serve"]["machine"] = "h100-1"
    found["templates/single-h100.yaml"] = other
    return found


def _workloads(files: Mapping[str, object], root: Path) -> dict[str, object]:
    """Return the pods that each workload starts, by the workload's name."""
    for name, document in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(yaml.safe_dump(document, sort_keys=False))
    checked = check_stack(root, "first", DAY)
    assert checked.plan is not None
    found: dict[str, object] = {}
    for step in ordered(checked.plan, checked.manifests):
        body: Any = step.manifest.body
        if body["kind"] in WORKLOADS and "router" not in step.name:
            pods = body["spec"].get("template") or body["spec"]["leaderWorkerTemplate"]
            found[f"{body['kind']} {step.name}"] = pods
    assert found, checked.problems
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_does_what_the_page_says(edit: str, files: Files, tmp_path: Path) -> None:
    """Engines keep running, restart in place, or start anew beside the old ones."""
    before = _workloads(files, tmp_path / "before")
    edited = deepcopy(files)
    EDITS[edit](edited)

    after = _workloads(edited, tmp_path / "after")

    if before.keys() - after.keys():
        seen = "starts anew"
    elif all(after[name] == pods for name, pods in before.items()):
        seen = "keeps"
    else:
        seen = "restarts"
    assert _rows()[edit] == seen


def test_every_row_of_the_page_is_tested() -> None:
    """A row without an edit, or an edit without a row, is an untested promise."""
    assert EDITS.keys() | BY_PULUMI == _rows().keys()
