"""Finds the metrics that a PromQL query names."""

import re
from collections.abc import Iterator

# Parts of a query that hold words which are no metrics. Strings go first: they may hold any bracket.
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")
_COMMENT = re.compile(r"#[^\n]*")
_NAME_MATCHER = re.compile(r"__name__\s*=\s*\"([^\"]+)\"")
_BRACKETS = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]")
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE)
# A word that begins in a number, such as the m of 5m, is a unit; one before a bracket, a function.
_WORD = re.compile(r"(?<![\w.:])[A-Za-z_:][\w:]*(?![\w:])(?!\s*\()")
# Aggregations are here for where their labels come first: sum by (pod) (…).
_KEYWORDS = {
    *("and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf", "nan"),
    *("group_left", "group_right", "start", "end", "atan2", "count_values", "limitk", "limit_ratio"),
    *("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile"),
}


def metric_names(query: str) -> Iterator[str]:
    """Yield every metric name in a query, in order, as often as it is named."""
    yield from _NAME_MATCHER.findall(query)
    bare = _COMMENT.sub("", _STRING.sub('""', query))
    bare = _LABEL_LIST.sub(" ", _BRACKETS.sub(" ", bare))
    yield from (word for word in _WORD.findall(bare) if word.lower() not in _KEYWORDS)
