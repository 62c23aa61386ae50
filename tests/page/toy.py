"""Offers with made-up engines: the page's arithmetic is the engine's, whatever the numbers."""

from dataclasses import dataclass
from math import log, sqrt

from infra.capacity.group import Group, KvSpace, RoleEngine
from infra.capacity.sizing import Offer, Promise
from infra.capacity.steps import Label, Provenance
from infra.page.offers import Listed, Offers

TIERS = {
    "fast": Promise(ttft_ms=1500, tpot_ms=30),
    "balanced": Promise(ttft_ms=3000, tpot_ms=60),
    "economy": Promise(ttft_ms=6000, tpot_ms=110),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySteps:
    """Step times of a GPU that is this much slower than another, with a root and a logarithm in them."""

    slowness: float
    provenance: Provenance

    def dense_ms(self, tokens: float, *, mixed: bool) -> float:
        """Return what grows with tokens."""
        return self.slowness * (9 + 0.04 * tokens + log(1 + tokens)) * (1.25 if mixed else 1.0)

    def prefill_attention_ms(self, new_tokens: float, past_tokens: float) -> float:
        """Return what grows with pairs of tokens."""
        return 1e-6 * new_tokens * (past_tokens + new_tokens / 2)

    def decode_attention_ms(self, sequences: float, context_tokens: float) -> float:
        """Return what grows with the context."""
        return 2e-6 * self.slowness * sequences * context_tokens + 0.01 * sqrt(sequences)


def offer(slowness: float, step: int, hourly: float | None, label: Label = "estimated") -> Listed:
    """Return a template of one role."""
    provenance = Provenance(
        label=label, source="made-up numbers", ttft_error=0.4, tpot_error=0.12, tps_error=0.13
    )
    engine = RoleEngine(
        steps=ToySteps(slowness=slowness, provenance=provenance),
        max_num_seqs=256,
        max_num_batched_tokens=8192,
        kv=KvSpace(free_bytes=120e9, bytes_per_token=65536.0),
    )
    offered = Offer(
        group=Group(roles={"serve": engine}, provenance=provenance),
        groups_per_step=step,
        units_per_step=step,
        gpus_per_step=4 * step,
        machines_per_step={"made-up-8": step / 2},
        hourly_per_step=hourly,
        monthly_per_step=None if hourly is None else 450 * hourly,
        tiers=TIERS,
    )
    return Listed(offer=offered, longest_tokens=32768)


OFFERS = Offers(
    currency="USD",
    models={
        "qwen3-32b": {
            "h20-single": offer(1.6, 2, 34.0, "extrapolated"),
            "h200-single": offer(0.8, 1, 31.6),
            "b200-single": offer(0.5, 1, 57.0),
        },
        "llama-3.3-70b-fp8": {"h200-single": offer(1.5, 1, 31.6), "h20-single": offer(2.6, 2, None)},
    },
)
