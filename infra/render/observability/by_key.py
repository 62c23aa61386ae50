"""What the dashboard shows of each key: how much it asks for, and how fast it is served."""

from infra.render.gateway import metrics
from infra.render.observability.choices import CHOSEN, WINDOW
from infra.render.observability.expressions import mean, per_second
from infra.render.observability.panels import Panel, Query, Row
from infra.render.queries import ENDPOINT_LABEL

_BY_KEY = (metrics.KEY_LABEL,)
_BY_ENDPOINT_AND_KEY = (ENDPOINT_LABEL, metrics.KEY_LABEL)

_KEY = f"{{{{{metrics.KEY_LABEL}}}}}"
_ENDPOINT_AND_KEY = f"{{{{{ENDPOINT_LABEL}}}}} {_KEY}"


def by_key() -> Row:
    """Return the row of keys."""
    return Row(
        title="Keys",
        panels=(
            _counted("Requests by key", "Key '-': no valid key came.", "reqps", metrics.REQUESTS),
            _counted("Tokens in by key", "As engines counted them.", "short", metrics.INPUT_TOKENS),
            _counted("Tokens out by key", "As engines counted them.", "short", metrics.OUTPUT_TOKENS),
            _measured(
                "TTFT by key",
                "Mean of streams, from a request's first byte in to the first one of the answer's body, with "
                "all that it waited for: limits, moderation, a cold start.",
                mean(metrics.TTFT_MS, CHOSEN, WINDOW, _BY_ENDPOINT_AND_KEY),
            ),
            _measured(
                "TPOT by key",
                "Mean of streams, of each output token after the first.",
                _tpot(),
            ),
        ),
    )


def _tpot() -> str:
    decoding, tokens, streams = (
        per_second(series, CHOSEN, WINDOW, _BY_ENDPOINT_AND_KEY)
        for series in (f"{metrics.DECODE_MS}_sum", metrics.STREAM_TOKENS, f"{metrics.TTFT_MS}_count")
    )
    # Nothing where no stream had a second token: 0 / 0 is no value.
    return f"({decoding} / ({tokens} - {streams} > 0)) >= 0"


def _counted(title: str, says: str, unit: str, counter: str) -> Panel:
    query = Query(expression=per_second(counter, CHOSEN, WINDOW, _BY_KEY), legend=_KEY)
    return Panel(title=title, says=says, unit=unit, queries=(query,))


def _measured(title: str, says: str, expression: str) -> Panel:
    query = Query(expression=expression, legend=_ENDPOINT_AND_KEY)
    return Panel(title=title, says=says, unit="ms", queries=(query,))
