"""What a calibration is of: a model, on the engines of one group, by one version of vLLM."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.group import Group
from infra.capacity.load import Load
from infra.capacity.performance import perform
from infra.capacity.roles import RoleStack
from infra.catalog.model import Model


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

    def predict(self, load: Load, concurrency: int) -> tuple[float, float]:
        """Return TTFT and TPOT in milliseconds as the calculator has them without calibration."""
        found = perform(self.group, load, concurrency)
        return found.ttft_ms, found.tpot_ms


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
