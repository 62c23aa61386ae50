"""From the fields of the page to a question, or to what of them makes no sense."""

from collections.abc import Iterator, Mapping

from infra.capacity.sizing import Promise
from infra.page.offers import Asked
from infra.page.view import Problem

Fields = Mapping[str, str | float | None]
"""What is typed; None where a field is empty."""

_BOUNDS = {
    "requests_per_second": ("Requests per second", 0.001, 1_000_000),
    "input_tokens": ("Input tokens", 1, 10_000_000),
    "output_tokens": ("Output tokens", 1, 10_000_000),
    "cache_hit": ("Cache hit", 0, 0.999),
    "headroom": ("Headroom", 1, 10),
    "ttft_ms": ("TTFT", 0.1, 3_600_000),
    "tpot_ms": ("TPOT", 0.1, 3_600_000),
}
_OWN = ("ttft_ms", "tpot_ms")


def problems(typed: Fields) -> tuple[Problem, ...]:
    """Return every field that cannot be answered, with what it may be."""
    return tuple(_problems(typed))


def question(typed: Fields) -> Asked:
    """Return what fields without problems ask."""
    number = {name: float(value) for name, value in typed.items() if isinstance(value, int | float)}
    tier = typed["tier"]
    return Asked(
        model=str(typed["model"]),
        template=str(typed["template"]),
        tier=None if tier is None else str(tier),
        own=Promise(ttft_ms=number["ttft_ms"], tpot_ms=number["tpot_ms"]) if tier is None else None,
        requests_per_second=number["requests_per_second"],
        input_tokens=int(number["input_tokens"]),
        output_tokens=int(number["output_tokens"]),
        cache_hit=number["cache_hit"],
        headroom=number["headroom"],
    )


def fields(asked: Asked) -> Fields:
    """Return the fields that ask a question."""
    own = asked.own
    return {
        "model": asked.model,
        "template": asked.template,
        "tier": asked.tier,
        "requests_per_second": asked.requests_per_second,
        "input_tokens": asked.input_tokens,
        "output_tokens": asked.output_tokens,
        "cache_hit": asked.cache_hit,
        "headroom": asked.headroom,
        **({"ttft_ms": own.ttft_ms, "tpot_ms": own.tpot_ms} if own else {}),
    }


def _problems(typed: Fields) -> Iterator[Problem]:
    for field, (name, least, most) in _BOUNDS.items():
        if field in _OWN and typed["tier"] is not None:
            continue
        value = typed.get(field)
        if not isinstance(value, int | float):
            yield Problem(field=field, text=f"{name}: must be a number from {least:,} to {most:,}")
        elif not least <= value <= most:
            yield Problem(field=field, text=f"{name}: must be from {least:,} to {most:,}, got {value:,}")
        elif field.endswith("_tokens") and value != int(value):
            yield Problem(field=field, text=f"{name}: must be a whole number, got {value:,}")
