"""Autoscalers ask for metrics that exist.

KEDA reads an unknown metric as 0, so a renamed metric never scales anything, without any error. Every
metric named in a ScaledObject's Prometheus query, or in a PrometheusRule, is one that the pinned vLLM or the
gateway reports, or that the PrometheusRule records itself. In objects of other programs only names that begin
with `vllm:` are judged.

This would **PASS**:

    query: sum(vllm:num_requests_running{namespace="search"}) or vector(0)

This would **FAIL**, because vLLM renamed the metric:

    query: sum(vllm:gpu_cache_usage_perc{namespace="search"}) or vector(0)
"""

from collections.abc import Iterator
from difflib import get_close_matches

from policies.engine_metrics import GATEWAY_METRICS, VLLM_METRICS, VLLM_VERSION
from policies.objects import SCALED_OBJECT, is_ours
from policies.promql import metric_names
from policies.reading import items_or_none, text_or_none
from policies.rule import Context, Finding, Path, Resource, Rule

_KNOWN = VLLM_METRICS | GATEWAY_METRICS
_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    ours = is_ours(resource)
    recorded = frozenset(_recorded(resource))
    for path, query in _queries(resource):
        for name in metric_names(query):
            if not (ours or name.startswith("vllm:")) or name in recorded or _is_known(name):
                continue
            near = get_close_matches(name, _KNOWN, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Finding(path, f"neither vLLM {VLLM_VERSION} nor the gateway reports {name}{hint}")


def _queries(resource: Resource) -> Iterator[tuple[Path, str]]:
    for index, trigger in enumerate(items_or_none(resource.props, "spec", "triggers")):
        query = text_or_none(trigger, "metadata", "query")
        if query is not None and text_or_none(trigger, "type") == "prometheus":
            yield ("spec", "triggers", index, "metadata", "query"), query
    for index, group in enumerate(items_or_none(resource.props, "spec", "groups")):
        for number, rule in enumerate(items_or_none(group, "rules")):
            expression = text_or_none(rule, "expr")
            if expression is not None:
                yield ("spec", "groups", index, "rules", number, "expr"), expression


def _recorded(resource: Resource) -> Iterator[str]:
    for group in items_or_none(resource.props, "spec", "groups"):
        for rule in items_or_none(group, "rules"):
            name = text_or_none(rule, "record")
            if name is not None:
                yield name


def _is_known(name: str) -> bool:
    bases = (name.removesuffix(suffix) for suffix in _HISTOGRAM_SUFFIXES)
    return name in _KNOWN or any(base in _KNOWN for base in bases)


RULE = Rule(
    name="known-metrics",
    description="Autoscalers and alerts ask for metrics that the pinned vLLM or the gateway reports.",
    severity="high",
    remediation="Use the metric's present name, listed in policies/metrics.json.",
    applies_to=(SCALED_OBJECT, "kubernetes:monitoring.coreos.com/*:PrometheusRule"),
    check=_check,
    doc=__doc__,
)
