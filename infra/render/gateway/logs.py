"""What the gateway writes down: a JSON line per request, without prompts or keys, and counts.

Labels come from this file and from the list of keys only, never from what callers send: they are few.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.plan.model import Plan
from infra.render.gateway import errors, metrics, moderation
from infra.render.gateway.answers import BY_A_ROUTE, replaced_when, status_is
from infra.render.gateway.body import NAMESPACE, STREAM_TOKENS
from infra.render.gateway.limits import KEY
from infra.render.gateway.place import Place
from infra.render.manifest import Json, JsonObject

_FILE = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
_STATS = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"

_ENDPOINT = f"%METADATA(ROUTE:{NAMESPACE}:endpoint)%"
_KEY = f"%DYNAMIC_METADATA({NAMESPACE}:{KEY})%"

LONGEST_PATH = 200
LONGEST_TRACE = 55
"""Characters of a `traceparent` (W3C Trace Context, version 00)."""

_FIRST_BYTE = "COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:ms)"
"""Of the answer's body: a stream's status line leaves the engine before its first token."""

_DECODING = "COMMON_DURATION(US_RX_BODY_BEG:US_RX_END:ms)"

LINE: JsonObject = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace": f"%REQ(TRACEPARENT):{LONGEST_TRACE}%",
    "key": _KEY,
    "team": f"%METADATA(ROUTE:{NAMESPACE}:team)%",
    "endpoint": _ENDPOINT,
    "method": "%REQ(:METHOD):10%",
    "path": f"%PATH(NQ:ORIG_OR_PATH):{LONGEST_PATH}%",
    "status": "%RESPONSE_CODE%",
    "refusal": f"%METADATA(ROUTE:{NAMESPACE}:refusal)%",
    "param": f"%METADATA(ROUTE:{NAMESPACE}:param)%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "moderation": f"%METADATA(ROUTE:{NAMESPACE}:moderation)%",
    "verdict": f"%DYNAMIC_METADATA({moderation.FILTER_NAME}:verdict)%",
    "input_tokens": f"%DYNAMIC_METADATA({NAMESPACE}:input_tokens)%",
    "output_tokens": f"%DYNAMIC_METADATA({NAMESPACE}:output_tokens)%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "tries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "first_byte_ms": f"%{_FIRST_BYTE}%",
    "duration_ms": "%DURATION%",
}
"""The fields of a line of the access log."""


def access_logs(plan: Plan, place: Place) -> Iterable[JsonObject]:
    """Yield the loggers of the callers' listener."""
    # Without a key the request's body is not read, and its route is not the one that refuses it.
    no_key: JsonObject = {**LINE, "refusal": errors.INVALID_KEY.code}
    yield {**_lines(place, LINE), "filter": status_is("NE", errors.INVALID_KEY.status)}
    yield {**_lines(place, no_key), "filter": status_is("EQ", errors.INVALID_KEY.status)}
    count = _Counting(stack=plan.stack)
    yield count.requests()
    yield {**count.answered(), "filter": _kept("input_tokens")}
    yield {**count.streamed(), "filter": _kept(STREAM_TOKENS)}
    yield count.refused(f"%METADATA(ROUTE:{NAMESPACE}:refusal)%", BY_A_ROUTE)
    for error, when in (*replaced_when(), (errors.CONTENT_REFUSED, _verdict("input"))):
        yield count.refused(error.code, when)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counting:
    """Loggers that count, with labels that every count has."""

    stack: str

    def requests(self) -> JsonObject:
        """Return the logger of every request: how many there were, and when the last one came."""
        came: JsonObject = {
            "stat": self._stat("last_request_seconds"),
            "value_format": "%START_TIME(%s)%",
            "set": {"log_type": "DownstreamEnd"},
        }
        counter = self.counter("requests", _tag(metrics.STATUS_LABEL, "%RESPONSE_CODE%"))
        return self.stats(counters=[counter], gauges=[came])

    def refused(self, reason: str, when: JsonObject) -> JsonObject:
        """Return the logger that counts what a filter finds as refused for a reason."""
        counter = self.counter("refusals", _tag(metrics.REASON_LABEL, reason))
        return {**self.stats(counters=[counter]), "filter": when}

    def answered(self) -> JsonObject:
        """Return the logger of what engines answered: tokens and time."""
        tokens = [self.tokens(name) for name in ("input_tokens", "output_tokens")]
        return self.stats(counters=tokens, histograms=[self.time("duration_ms", "DURATION")])

    def streamed(self) -> JsonObject:
        """Return the logger of streams: how soon they began, and how long their tokens took."""
        times = [self.time("ttft_ms", _FIRST_BYTE), self.time("decode_ms", _DECODING)]
        return self.stats(counters=[self.tokens(STREAM_TOKENS)], histograms=times)

    def tokens(self, name: str) -> JsonObject:
        """Return a count of tokens, by what Envoy keeps of an answer."""
        return {"stat": self._stat(name), "value_format": f"%DYNAMIC_METADATA({NAMESPACE}:{name})%"}

    def time(self, name: str, measured: str) -> JsonObject:
        """Return a histogram of a time that Envoy measures."""
        return {"stat": self._stat(name), "unit": "Milliseconds", "value_format": f"%{measured}%"}

    def counter(self, name: str, tag: JsonObject) -> JsonObject:
        """Return a count of requests."""
        return {"stat": self._stat(name, tag), "value_fixed": 1}

    def stats(
        self,
        *,
        counters: Sequence[JsonObject],
        histograms: Sequence[JsonObject] = (),
        gauges: Sequence[JsonObject] = (),
    ) -> JsonObject:
        """Return a logger that counts."""
        typed: JsonObject = {
            "@type": _STATS,
            "stat_prefix": metrics.PREFIX,
            "counters": counters,
            "histograms": histograms,
            "gauges": gauges,
        }
        return {"name": "stats", "typed_config": typed}

    def _stat(self, name: str, *tags: JsonObject) -> JsonObject:
        # Envoy's own fixed tags are not put on stats of loggers.
        always = (
            _tag(metrics.STACK_LABEL, self.stack),
            _tag(metrics.ENDPOINT_LABEL, _ENDPOINT),
            _tag(metrics.KEY_LABEL, _KEY),
        )
        return {"name": name, "tags": [*always, *tags]}


def _lines(place: Place, line: JsonObject) -> JsonObject:
    return {
        "name": "file",
        "typed_config": {"@type": _FILE, "path": place.access_log, "log_format": {"json_format": line}},
    }


def _tag(name: str, value: str) -> JsonObject:
    return {"name": name, "value_format": value}


def _kept(key: str) -> JsonObject:
    path: list[Json] = [{"key": key}]
    matcher: JsonObject = {"filter": NAMESPACE, "path": path, "value": {"present_match": True}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _verdict(verdict: str) -> JsonObject:
    path: list[Json] = [{"key": "verdict"}]
    value: JsonObject = {"string_match": {"exact": verdict}}
    matcher: JsonObject = {"filter": moderation.FILTER_NAME, "path": path, "value": value}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}
