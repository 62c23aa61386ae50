"""How questions to Prometheus are put together."""

from collections.abc import Sequence

from infra.render.queries import ENDPOINT_LABEL, ROLE_LABEL, STACK_LABEL

TTFT = "vllm:time_to_first_token_seconds"
TPOT = "vllm:inter_token_latency_seconds"
"""Every token weighs the same; vLLM's figure per request is 0 for the requests of a prefill engine."""
WAITS_IN_ENGINE = "vllm:request_queue_time_seconds"
KV_CACHE_USE = "vllm:kv_cache_usage_perc"
PREEMPTIONS = "vllm:num_preemptions_total"

TTFT_PROMISE = "modelunits:ttft_promise:seconds"
TPOT_PROMISE = "modelunits:tpot_promise:seconds"
QUEUE_BOUND = "modelunits:queue_bound:requests"
"""What the plan says, as series: recorded with the alert rules, compared with what happens."""

HELD = "modelunits:held:requests"
"""Requests that the gateways hold while no engine takes them."""


def per_second(series: str, of: str, window: str, by: Sequence[str]) -> str:
    """Ask how fast counters grow, summed by some labels."""
    return f"sum by ({_list(by)}) (rate({series}{{{of}}}[{window}]))"


def total(series: str, of: str, by: Sequence[str]) -> str:
    """Ask for the sum of gauges by some labels."""
    return f"sum by ({_list(by)}) ({series}{{{of}}})"


def quantile(share: float, histogram: str, of: str, window: str, by: Sequence[str]) -> str:
    """Ask below which value a share of a histogram lies."""
    return f"histogram_quantile({share}, {per_second(f'{histogram}_bucket', of, window, ('le', *by))})"


def mean(histogram: str, of: str, window: str, by: Sequence[str]) -> str:
    """Ask for the mean of a histogram; none where nothing was counted: 0 / 0 is no value that compares."""
    of_all = per_second(f"{histogram}_sum", of, window, by)
    return f"({of_all} / {per_second(f'{histogram}_count', of, window, by)}) >= 0"


def mean_through_roles(histogram: str, of: str, window: str) -> str:
    """Ask for a mean latency of endpoints.

    Why a sum: where prefill and decode are apart, a request passes one role after the other, and each
    role's engines count their own part.
    """
    by_role = mean(histogram, of, window, (STACK_LABEL, ENDPOINT_LABEL, ROLE_LABEL))
    return f"sum by ({STACK_LABEL}, {ENDPOINT_LABEL}) ({by_role})"


def _list(labels: Sequence[str]) -> str:
    return ", ".join(labels)
