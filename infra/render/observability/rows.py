"""What the dashboard of a stack shows: for callers, for promises, for engines, for the gateway itself."""

from infra.render.gateway import metrics
from infra.render.gateway.errors import MODERATION_UNAVAILABLE
from infra.render.observability.by_key import by_key
from infra.render.observability.choices import CHOSEN, STACK, WINDOW
from infra.render.observability.expressions import (
    HELD,
    KV_CACHE_USE,
    PREEMPTIONS,
    QUEUE_BOUND,
    TPOT,
    TPOT_PROMISE,
    TTFT,
    TTFT_PROMISE,
    WAITS_IN_ENGINE,
    mean_through_roles,
    per_second,
    quantile,
    total,
)
from infra.render.observability.panels import Panel, Query, Row
from infra.render.queries import ENDPOINT_LABEL, ROLE_LABEL, RUNNING, WAITING

_BY_ENDPOINT = (ENDPOINT_LABEL,)
_BY_ROLE = (ENDPOINT_LABEL, ROLE_LABEL)

_ENDPOINT = f"{{{{{ENDPOINT_LABEL}}}}}"
_ROLE = f"{_ENDPOINT} {{{{{ROLE_LABEL}}}}}"


def rows() -> tuple[Row, ...]:
    """Return every row, from what callers see to what the gateway is made of."""
    return (_callers(), by_key(), _promises(), _engines(), _gateway())


def _callers() -> Row:
    answers = per_second(metrics.REQUESTS, CHOSEN, WINDOW, (ENDPOINT_LABEL, metrics.STATUS_LABEL))
    refusals = per_second(metrics.REFUSALS, CHOSEN, WINDOW, (ENDPOINT_LABEL, metrics.REASON_LABEL))
    return Row(
        title="Callers",
        panels=(
            Panel(
                title="Requests",
                says="At their end, by endpoint and status; endpoint '-' where none was named.",
                unit="reqps",
                queries=(Query(expression=answers, legend=f"{_ENDPOINT} {{{{{metrics.STATUS_LABEL}}}}}"),),
            ),
            Panel(
                title="Refusals",
                says="What the gateway answered itself, by the code in the error; none wakes an engine.",
                unit="reqps",
                queries=(Query(expression=refusals, legend=f"{_ENDPOINT} {{{{{metrics.REASON_LABEL}}}}}"),),
            ),
            Panel(
                title="Tokens",
                says="As the engines counted them, streams included.",
                unit="short",
                queries=(
                    _rate(metrics.INPUT_TOKENS, f"{_ENDPOINT} in"),
                    _rate(metrics.OUTPUT_TOKENS, f"{_ENDPOINT} out"),
                ),
            ),
            Panel(
                title="Whole answers",
                says="From a request's first byte in to its answer's last byte out.",
                unit="ms",
                queries=tuple(_quantile(share, metrics.DURATION_MS) for share in (0.5, 0.99)),
            ),
        ),
    )


def _promises() -> Row:
    return Row(
        title="The tier's promise",
        panels=(
            _promise("TTFT", "Time to first token", TTFT, TTFT_PROMISE),
            _promise("TPOT", "Time per output token after the first", TPOT, TPOT_PROMISE),
            Panel(
                title="Time waited in engines",
                says="The part of TTFT in which a request waits for its turn; scale out where it grows.",
                unit="s",
                queries=(
                    Query(
                        expression=quantile(0.95, WAITS_IN_ENGINE, CHOSEN, WINDOW, _BY_ROLE),
                        legend=f"{_ROLE} p95",
                    ),
                ),
            ),
        ),
    )


def _promise(title: str, what: str, histogram: str, promise: str) -> Panel:
    shares = tuple(
        Query(
            expression=quantile(share, histogram, CHOSEN, WINDOW, _BY_ROLE),
            legend=f"{_ROLE} p{share * 100:g}",
        )
        for share in (0.5, 0.95, 0.99)
    )
    return Panel(
        title=title,
        says=f"{what}, as engines measure it. The promise is for the mean; where prefill and decode are "
        "apart, means of both add up.",
        unit="s",
        queries=(
            Query(expression=total(promise, CHOSEN, _BY_ENDPOINT), legend=f"{_ENDPOINT} promise"),
            Query(expression=mean_through_roles(histogram, CHOSEN, WINDOW), legend=f"{_ENDPOINT} mean"),
            *shares,
        ),
    )


def _engines() -> Row:
    cache = f"max by ({ENDPOINT_LABEL}, {ROLE_LABEL}) ({KV_CACHE_USE}{{{CHOSEN}}})"
    return Row(
        title="Engines",
        panels=(
            Panel(
                title="Running",
                says="Requests in model execution batches.",
                unit="short",
                queries=(Query(expression=total(RUNNING, CHOSEN, _BY_ROLE), legend=_ROLE),),
            ),
            Panel(
                title="Waiting",
                says="Inside engines; in the gateway for a connection, within the limit of concurrency; held "
                "while no engine takes them. Where the gateway's are over the bound, callers get 429.",
                unit="short",
                queries=(
                    Query(expression=total(WAITING, CHOSEN, _BY_ENDPOINT), legend=f"{_ENDPOINT} in engines"),
                    Query(
                        expression=total(metrics.PENDING_REQUESTS, CHOSEN, _BY_ENDPOINT),
                        legend=f"{_ENDPOINT} for a connection",
                    ),
                    Query(expression=total(HELD, CHOSEN, _BY_ENDPOINT), legend=f"{_ENDPOINT} held"),
                    Query(expression=total(QUEUE_BOUND, CHOSEN, _BY_ENDPOINT), legend=f"{_ENDPOINT} bound"),
                ),
            ),
            Panel(
                title="KV cache in use",
                says="The fullest engine of each role. Near 100 % engines preempt requests.",
                unit="percentunit",
                queries=(Query(expression=cache, legend=_ROLE),),
            ),
            Panel(
                title="Preemptions",
                says="Requests that lost their KV cache and start again: the endpoint is short of memory.",
                unit="ops",
                queries=(_rate(PREEMPTIONS, _ENDPOINT),),
            ),
        ),
    )


def _gateway() -> Row:
    per_answer = (
        f"({per_second(f'{metrics.DURATION_MS}_sum', CHOSEN, WINDOW, _BY_ENDPOINT)}"
        f" - {per_second(f'{metrics.UPSTREAM_MS}_sum', CHOSEN, WINDOW, _BY_ENDPOINT)})"
        f" / {per_second(f'{metrics.UPSTREAM_MS}_count', CHOSEN, WINDOW, _BY_ENDPOINT)}"
    )
    return Row(
        title="Gateway",
        panels=(
            Panel(
                title="Latency added",
                says="Mean per answer: receiving the request, key, limits, moderation. Answers that broke "
                "off count in full.",
                unit="ms",
                queries=(Query(expression=f"{per_answer} >= 0", legend=_ENDPOINT),),
            ),
            Panel(
                title="Limits and moderation that failed",
                says="Limits fail open: requests passed uncounted. Moderation fails closed: callers got 503.",
                unit="reqps",
                queries=(
                    _rate(metrics.RATELIMIT_ERRORS, f"{_ENDPOINT} limits not asked"),
                    Query(
                        expression=per_second(
                            metrics.REFUSALS,
                            f'{CHOSEN},{metrics.REASON_LABEL}="{MODERATION_UNAVAILABLE.code}"',
                            WINDOW,
                            _BY_ENDPOINT,
                        ),
                        legend=f"{_ENDPOINT} not judged",
                    ),
                ),
            ),
            Panel(
                title="Gateways and connections",
                says="Gateways that are live, and connections of callers and to engines.",
                unit="short",
                queries=(
                    Query(expression=f"sum({metrics.LIVE}{{{STACK}}})", legend="gateways"),
                    Query(expression=f"sum({metrics.CONNECTIONS}{{{STACK}}})", legend="connections"),
                ),
            ),
        ),
    )


def _rate(series: str, legend: str) -> Query:
    return Query(expression=per_second(series, CHOSEN, WINDOW, _BY_ENDPOINT), legend=legend)


def _quantile(share: float, histogram: str) -> Query:
    return Query(
        expression=quantile(share, histogram, CHOSEN, WINDOW, _BY_ENDPOINT),
        legend=f"{_ENDPOINT} p{share * 100:g}",
    )
