"""What a calibration is of: a model, on the engines of one group, by one version of vLLM."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt

from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.measurement import Run
from infra.capacity.performance import perform
from infra.capacity.replay import closed_loop, replay
from infra.capacity.roles import RoleStack
from infra.catalog.model import Model

MOST_REPLAYED = 50
"""Requests replayed for each in flight: by then the first wave is a fiftieth of the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model and a group that serves it, as measurements must have had them."""

    name: str
    """Of the model in the catalog."""
    model: Model
    engine_version: str
    roles: Mapping[str, RoleStack]
    group: Group
    """The same, as the calculator takes it."""

    @property
    def writing(self) -> RoleStack:
        """Return the role that writes answers."""
        return self.roles["decode"] if "decode" in self.roles else self.roles["serve"]

    @property
    def precision(self) -> str:
        """Return the format in which weights are held."""
        return self.writing.precision or self.model.precision

    @property
    def file(self) -> str:
        """Return the calibration file, from the project's folder."""
        return f"calibrations/{self.name}/{self.layout}.yaml"

    @property
    def layout(self) -> str:
        """Return the group in one word: `h100-tp2-bf16`, `prefill-3x-h20-tp4-decode-h200-tp4-fp8`."""
        alone = set(self.roles) == {"serve"}
        return "-".join(
            (*(_engines("" if alone else role, stack) for role, stack in self.roles.items()), self.precision)
        )

    def room(self, load: Load) -> int:
        """Return how many requests a group holds at once without one that waits."""
        engine = self.group.roles["decode"] if "decode" in self.group.roles else self.group.roles["serve"]
        here = min(engine.max_num_seqs, engine.kv.sequences(load.context_tokens))
        return engine.count * engine.ranks * here

    def predict(self, run: Run) -> tuple[float, float]:
        """Return the mean TTFT and TPOT, in milliseconds, that a run should see without calibration.

        A closed loop on engines of one role is replayed from its first request; others are taken as steady.
        """
        engine = self.group.roles.get("serve")
        if engine is None or not run.held:
            found = perform(self.group, run.load, run.concurrency)
            return found.ttft_ms, found.tpot_ms
        # Lengths drawn evenly from `shortest` to 1 of the longest have this spread.
        half_width = min(1.0, sqrt(3) * run.spread)
        shortest = (1 - half_width) / (1 + half_width)
        longest = replace(
            run.load,
            input_tokens=round(run.load.input_tokens * (1 + half_width)),
            output_tokens=round(run.load.output_tokens * (1 + half_width)),
        )
        most = MOST_REPLAYED * run.concurrency
        requests = closed_loop(longest, max(run.concurrency, min(run.requests, most)), shortest)
        seen = replay(engine, requests, run.concurrency)
        return seen.ttft_mean_ms, seen.tpot_mean_ms


def minor(version: str) -> str:
    """Return what decides about speed in a version: `0.32` of `0.32.1`."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def _engines(role: str, stack: RoleStack) -> str:
    instance = stack.pool.instance
    parts = [role] if role else []
    if stack.pool.count > 1:
        parts.append(f"{stack.pool.count}x")
    parts += [instance.gpu.name, f"tp{instance.tensor_parallel}"]
    if instance.pipeline_parallel > 1:
        parts.append(f"pp{instance.pipeline_parallel}")
    if instance.data_parallel > 1:
        parts.append(f"dp{instance.data_parallel}")
    if stack.expert_parallel:
        parts.append("ep")
    if instance.kv_cache_dtype != "auto":
        parts.append(f"kv-{instance.kv_cache_dtype.replace('_', '-')}")
    return "-".join(parts)
