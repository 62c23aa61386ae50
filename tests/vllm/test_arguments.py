"""Real vLLM accepts every argument list that templates, models and options of endpoints can produce."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from samples import every_template_and_model, sample_plan

from infra.catalog.hf_config import hf_config
from infra.catalog.load import load_catalog
from infra.render.make import Manifest, render

pytestmark = pytest.mark.vllm

CATALOG = load_catalog()
WHOLE_RUN_SECONDS = 1800

OPTIONS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "adapters": {
        "adapters": (
            {"name": "tone", "source": "s3://loras/tone", "rank": 16},
            {"name": "style", "source": "hf://acme/style", "rank": 200},
        )
    },
    "engine-args": {
        "engine_args": {"max-model-len": 16384, "gpu-memory-utilization": 0.85, "enforce-eager": True}
    },
    "headroom": {"headroom": 1.5},
}
WEIGHTS = {"hf": "hf://acme/ours@1f3c", "s3": "s3://models/ours", "pvc": "pvc://models/ours"}


def specs() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield a description, the catalog model and the spec of every endpoint that is tried."""
    for template, model in every_template_and_model():
        # A multiple of every template's step.
        units = {"reserved": 24, "hourly": {"min": 0, "max": 24}}
        base: dict[str, object] = {"template": template, "units": units}
        for option, more in OPTIONS.items():
            yield f"{template} {model} {option}", model, {**base, "model": model, **more}
        for scheme, weights in WEIGHTS.items():
            tuned = {"name": "ours", "base": model, "weights": weights}
            yield f"{template} {model} fine-tune from {scheme}", model, {**base, "model": tuned}


def argument_lists(manifest: Manifest) -> Iterator[list[str]]:
    """Yield what each engine of a workload is started with, as a running group fills it in."""
    spec = manifest.body["spec"]
    assert isinstance(spec, dict)
    group = spec.get("leaderWorkerTemplate")
    for template in (group["leaderTemplate"], group["workerTemplate"]) if group else (spec["template"],):
        (container,) = template["spec"]["containers"]
        if container["command"] == ["vllm", "serve"]:
            filled = (
                argument.replace("$(LWS_LEADER_ADDRESS)", "127.0.0.1").replace("$(LWS_WORKER_INDEX)", "1")
                for argument in container["args"]
            )
            yield list(filled)


def cases() -> Iterator[tuple[str, str, list[str]]]:
    """Yield a description, the catalog model and an argument list, each list once for a model."""
    described = {f"e{index}": spec for index, spec in enumerate(specs())}
    plan = sample_plan({name: spec for name, (_, _, spec) in described.items()})
    ids = {endpoint.name: endpoint.id for endpoint in plan.endpoints}
    seen: set[tuple[str, ...]] = set()
    for manifest in render(plan):
        if manifest.kind in {"Deployment", "LeaderWorkerSet"}:
            what, model, _ = described[manifest.owner]
            for args in argument_lists(manifest):
                same_id = [argument.replace(ids[manifest.owner], "ep-one") for argument in args]
                if (model, *same_id) not in seen:
                    seen.add((model, *same_id))
                    yield f"{what}: {manifest.name.split('-', 1)[1]}", model, same_id


def ask(vllm: Path, cwd: Path, asked: list[dict[str, object]]) -> dict[str, list[str | None]]:
    """Have vLLM parse argument lists in one process; importing it takes longer than all of them."""
    script = Path(__file__).with_name("parse_arguments.py")
    result = subprocess.run(
        [vllm, script],
        input=json.dumps({"cases": asked}),
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=WHOLE_RUN_SECONDS,
        check=False,
    )
    assert 0 == result.returncode, result.stderr
    answer: dict[str, list[str | None]] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_vllm_accepts_every_argument_list(vllm: Path, tmp_path: Path) -> None:
    """Flags parse, and vLLM plans the engine: parallel sizes, context, LoRA ranks, connectors."""
    found = list(cases())
    asked: list[dict[str, object]] = [
        {"args": args, "config": hf_config(CATALOG.models[model])} for _, model, args in found
    ]

    answers = ask(vllm, tmp_path, asked)["answers"]

    refused = [f"{what}: {said}" for (what, _, _), said in zip(found, answers, strict=True) if said]
    assert [] == refused
    assert len(found) >= 3 * len(every_template_and_model())


def test_vllm_refuses_what_it_should(vllm: Path, tmp_path: Path) -> None:
    """The check above can fail: vLLM says no to unknown flags, sizes and connectors."""
    config = hf_config(CATALOG.models["qwen3-32b"])
    wrong = {
        "--max-modle-len=4096": "unrecognized arguments",
        "--tensor-parallel-size=7": "must be divisible by tensor parallel size",
        "--max-model-len=10000000": "max_model_len",
        "--kv-transfer-config={}x": "Invalid JSON",
        '--kv-transfer-config={"kv_connector":"NixlConnektor","kv_role":"kv_producer"}': "NixlConnektor",
    }

    answers = ask(vllm, tmp_path, [{"args": ["any", flag], "config": config} for flag in wrong])["answers"]

    for said, expected in zip(answers, wrong.values(), strict=True):
        assert expected in (said or "nothing")


def test_the_catalogs_flags_are_those_of_vllm(vllm: Path, tmp_path: Path) -> None:
    """`engine_args` are checked against a list in the catalog; it is the parser's own."""
    listed = {
        name
        for flag, facts in CATALOG.engines["0.32.0"].flags.items()
        for name in (flag, *facts.aliases, *([f"no-{flag}"] if facts.negatable else []))
    }

    flags = set(ask(vllm, tmp_path, [])["flags"])

    assert listed == flags - {"help", "h"}
