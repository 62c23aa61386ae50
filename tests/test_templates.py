"""The templates that come with Model Units can do what they say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.capacity.roles import role_fit, role_stack
from infra.catalog.load import load_catalog
from infra.catalog.model import Model
from infra.plan.memory import GPU_MEMORY_UTILIZATION
from infra.spec.load import load_stack
from infra.spec.template import Role, Template

ROOT = Path(__file__).parent.parent
CATALOG = load_catalog()
ENVIRONMENT = """\
config:
  modelunits:environment: {nodes: existing, machines: {h100-8: {max: 1}}, teams: {any: {}}}
"""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Read all templates the way a stack does."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "templates", root / "templates")
    (root / "Pulumi.yaml").write_text("name: any\n")
    (root / "stacks").mkdir()
    (root / "stacks/Pulumi.any.yaml").write_text(ENVIRONMENT)
    loaded = load_stack(root, "any")
    assert loaded.problems == ()
    assert loaded.stack is not None
    return {name: written.value for name, written in loaded.stack.templates.items()}


def _gpus(role: Role) -> int:
    return role.tensor_parallel * role.pipeline_parallel * role.data_parallel


def _models(template: Template) -> list[Model]:
    return [CATALOG.models[name] for name in template.performance]


def test_there_is_a_template_for_every_shape_and_step(templates: dict[str, Template]) -> None:
    """Four machines alone, an instance over two, two pairs, a trio; steps of one and more."""
    singles = {t.roles["serve"].machine for t in templates.values() if t.shape == "single"}
    machines = [{role.machine for role in t.roles.values()} for t in templates.values()]
    spanning = [
        name
        for name, t in templates.items()
        for role in t.roles.values()
        if _gpus(role) > CATALOG.machines[role.machine].gpus
    ]
    steps = {t.groups_per_step * sum(role.count for role in t.roles.values()) for t in templates.values()}
    assert len(templates) >= 8
    assert len(singles) >= 4
    assert len([m for m in machines if len(m) == 2]) >= 2
    assert len([m for m in machines if len(m) == 3]) >= 1
    assert spanning == ["h100-two-node"]
    assert {1, 2, 4, 6} == steps


def test_instances_fill_machines_evenly(templates: dict[str, Template]) -> None:
    """An instance divides its machine, or takes whole ones."""
    for template in templates.values():
        for role in template.roles.values():
            gpus, of_machine = _gpus(role), CATALOG.machines[role.machine].gpus
            assert of_machine % gpus == 0 or gpus % of_machine == 0


def test_tensor_parallelism_divides_heads_and_does_not_shrink_on_the_way(
    templates: dict[str, Template],
) -> None:
    """Decode has at least the tensor parallelism of prefill, unless the cache is copied anyway."""
    for template in templates.values():
        for model in _models(template):
            for name, role in template.roles.items():
                assert name == "encode" or model.attention.heads % role.tensor_parallel == 0
            if "decode" in template.roles and model.attention.kind == "gqa":
                sizes = {name: role.tensor_parallel for name, role in template.roles.items()}
                assert sizes["decode"] >= sizes["prefill"]


def test_every_role_holds_every_model_at_every_tier(templates: dict[str, Template]) -> None:
    """Weights, the tier's sequences, or one of the longest, fit in each GPU."""
    for template in templates.values():
        for model in _models(template):
            for tier in template.performance[model.name].values():
                for name, role in template.roles.items():
                    machine = CATALOG.machines[role.machine]
                    stack = role_stack(
                        machine,
                        CATALOG.gpus[machine.gpu],
                        {"gpu-memory-utilization": GPU_MEMORY_UTILIZATION, **role.args},
                        count=role.count,
                        tensor_parallel=role.tensor_parallel,
                        pipeline_parallel=role.pipeline_parallel,
                        data_parallel=role.data_parallel,
                    )
                    fit = role_fit(model, name, stack, tier.concurrency)
                    assert fit.fits, (model.name, name, fit)


def test_arguments_and_connectors_exist_in_the_pinned_engine(templates: dict[str, Template]) -> None:
    """Flags and connectors are those of the template's engine version, and its image is that version's."""
    for template in templates.values():
        engine = CATALOG.engines[template.engine.version]
        assert template.engine.image == f"vllm/vllm-openai:v{engine.version}"
        for role in template.roles.values():
            assert set(role.args) <= set(engine.flags)
        if template.kv_transfer:
            assert template.kv_transfer.connector in engine.kv_connectors
        if template.ec_transfer:
            assert template.ec_transfer.connector in engine.ec_connectors


def test_only_multimodal_models_have_images_to_encode(templates: dict[str, Template]) -> None:
    """A model without an encoder does not appear where a role encodes."""
    encoding = [template for template in templates.values() if "encode" in template.roles]
    assert all(model.multimodal for template in encoding for model in _models(template))


def _tool(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/performance_tables.py"), str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_performance_tables_are_what_the_formula_gives() -> None:
    """The committed tables are the generated ones."""
    result = _tool(ROOT, "--check")
    assert (result.returncode, result.stderr) == (0, "")


def _mine(root: Path, table: str) -> Path:
    """Write a template with this table into a project, and return its file."""
    text = (ROOT / "templates/l40s-single.yaml").read_text()
    file = root / "templates/mine.yaml"
    file.parent.mkdir()
    file.write_text(f"{text[: text.index(chr(10) + 'performance:')]}\nperformance:{table}\n")
    return file


def test_a_measured_row_survives_and_every_model_is_filled(tmp_path: Path) -> None:
    """A new template takes no table; numbers from a real machine are never overwritten."""
    measured = (
        '{ttft_ms: 700, tpot_ms: 44, concurrency: 16, tps: 3500, label: measured, source: "bench.json"}'
    )
    file = _mine(tmp_path, f" # mine\n  qwen3-8b:\n    balanced: {measured}")
    assert _tool(tmp_path, "--check").stderr == "stale, run `make catalog`: mine\n"
    assert _tool(tmp_path).returncode == 0
    table = file.read_text()
    assert "\nperformance: # mine\n" in table
    assert f"    balanced: {measured}\n" in table
    assert "  gpt-oss-20b:\n    fast: {ttft_ms: " in table
    assert _tool(tmp_path, "--check").returncode == 0


def test_an_empty_table_is_filled(tmp_path: Path) -> None:
    """`performance: {}` is how a template begins."""
    file = _mine(tmp_path, " {}")
    assert _tool(tmp_path).returncode == 0
    assert "\nperformance:\n  gpt-oss-20b:\n" in file.read_text()


def test_a_model_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """The generator says which listed model a template cannot serve, and why; nothing is written."""
    row = '{ttft_ms: 7, tpot_ms: 4, concurrency: 1, tps: 5, label: estimated, source: "here"}'
    file = _mine(tmp_path, f"\n  kimi-k2:\n    balanced: {row}")
    before = file.read_text()
    result = _tool(tmp_path)
    assert result.returncode == 1
    assert "  kimi-k2: memory: role serve needs " in result.stderr
    assert file.read_text() == before
