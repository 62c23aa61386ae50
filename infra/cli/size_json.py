"""The answer of `modelunits size` as JSON: every number with its range, label and expected error."""

from collections.abc import Mapping
from math import isfinite

from infra.capacity.sensitivity import Outcome, Sensitivity
from infra.capacity.serving import RoleMemory
from infra.cli.size_answer import Answer, Entry, Figures, Number, Rates
from infra.cli.size_words import headline, notes

Json = Mapping[str, object]


def size_document(answer: Answer) -> Json:
    """Return the whole answer."""
    load = answer.demand.load
    return {
        "headline": headline(answer),
        "warnings": list(answer.warnings),
        "model": answer.model,
        "prices_of": answer.market,
        "currency": answer.currency,
        "load": {
            "requests_per_second": answer.demand.requests_per_second,
            "input_tokens": load.input_tokens,
            "output_tokens": load.output_tokens,
            "cache_hit": load.cache_hit,
            "adapters": load.adapters,
            "headroom": answer.demand.headroom,
        },
        "chosen": _names(answer.chosen),
        "whole_machines_hourly": answer.whole_hourly,
        "alternatives": [_entry(entry, answer) for entry in answer.entries],
        "left_out": dict(answer.left_out),
        "sensitivities": [_sensitivity(one) for one in answer.sensitivities],
        "lora": "unverified" if answer.lora_unverified else None,
        "notes": list(notes(answer)),
    }


def _names(entry: Entry) -> Json:
    return {"template": entry.alternative.template, "tier": entry.alternative.tier}


def _entry(entry: Entry, answer: Answer) -> Json:
    one, by = entry.alternative, entry.provenance
    sized = one.sized
    return {
        **_names(entry),
        "promise": {"ttft_ms": one.promise.ttft_ms, "tpot_ms": one.promise.tpot_ms},
        "provenance": {
            "label": by.label,
            "source": by.source,
            "ttft_error": by.ttft_error,
            "tpot_error": by.tpot_error,
            "tps_error": by.tps_error,
        },
        "too_slow": str(one.too_slow) if one.too_slow else None,
        "bottleneck": {"role": sized.held.bottleneck, "limit": sized.held.limit} if sized else None,
        "steps": sized.steps if sized else None,
        "units_per_step": one.offer.units_per_step,
        "image_tokens": one.offer.image_tokens,
        **(_figures(entry.figures) if entry.figures else {}),
        "memory": [_memory(memory, answer.gib_error) for memory in entry.memory],
    }


def _figures(found: Figures) -> Json:
    seen = found.open_loop_ttft_ms
    return {
        "units": _number(found.units),
        "gpus": _number(found.gpus),
        "machines": _number(found.machines),
        "concurrency_per_group": _number(found.concurrency),
        "ttft_ms": _number(found.ttft_ms),
        "tpot_ms": _number(found.tpot_ms),
        "open_loop_ttft_ms": {name: _number(number) for name, number in seen.items()} if seen else None,
        "unit": _rates(found.unit),
        "step": _rates(found.step),
        "cost": {
            "hourly": _number(found.hourly),
            "monthly_by_the_hour": _number(found.monthly_hourly),
            "monthly_reserved": _number(found.monthly_reserved),
            "per_million_tokens": _number(found.per_million_tokens),
        },
    }


def _rates(rates: Rates) -> Json:
    return {
        "requests_per_second": _number(rates.requests_per_second),
        "output_tps": _number(rates.output_tps),
        "total_tps": _number(rates.total_tps),
    }


def _number(number: Number | None) -> Json | None:
    if number is None:
        return None
    return {
        "value": _rounded(number.value),
        "low": _rounded(number.low),
        "high": _rounded(number.high),
        "label": number.label,
        "expected_error": number.error,
    }


def _memory(memory: RoleMemory, gib_error: float) -> Json:
    return {
        "role": memory.role,
        "gpu": memory.gpu,
        "gpus": memory.gpus,
        "weights_gib": round(memory.weights_gib, 2),
        "kv_gib": round(memory.kv_gib, 2),
        "adapters_gib": round(memory.adapters_gib, 2),
        "overhead_gib": round(memory.overhead_gib, 2),
        "available_gib": round(memory.available_gib, 2),
        "headroom_gib": round(memory.headroom_gib, 2),
        "fits": memory.fits,
        "label": "estimated",
        "expected_error_gib": gib_error,
    }


def _sensitivity(one: Sensitivity) -> Json:
    return {
        "assumption": one.assumption,
        "spread_steps": round(one.spread, 2) if isfinite(one.spread) else None,
        "less": _outcome(one.less),
        "more": _outcome(one.more),
    }


def _outcome(outcome: Outcome) -> Json:
    return {"value": outcome.told, "units": outcome.units, "hourly": outcome.hourly}


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
