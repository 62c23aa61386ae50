"""Names and labels of what the gateway tells Prometheus; dashboards, alerts and autoscalers ask for these."""

STACK_LABEL = "modelunits_stack"
ENDPOINT_LABEL = "modelunits_endpoint"
"""The endpoint's name, such as `chat`; empty where a request asked for none that there is."""

KEY_LABEL = "modelunits_key"
"""`<team>.<key id>`; empty where no valid key came."""

STATUS_LABEL = "modelunits_status"
"""The HTTP status."""

REASON_LABEL = "modelunits_reason"
"""Why a request was refused: the `code` of the error."""

PREFIX = "modelunits"
"""Of the stats as Envoy names them."""

REQUESTS = "envoy_modelunits_requests"
"""Counter, by endpoint, key and status: every request, refused or not, at its end."""

REFUSALS = "envoy_modelunits_refusals"
"""Counter, by endpoint, key and reason: requests that the gateway answered with an error of its own."""

INPUT_TOKENS = "envoy_modelunits_input_tokens"
OUTPUT_TOKENS = "envoy_modelunits_output_tokens"
"""Counters, by endpoint and key: tokens as engines counted them, streams included."""

DURATION_MS = "envoy_modelunits_duration_ms"
"""Histogram, by endpoint and key: from a request's first byte in to its answer's last byte out."""

TTFT_MS = "envoy_modelunits_ttft_ms"
"""Histogram, by endpoint and key, of streams: from a request's first byte in to the first byte of its
answer's body, with all that it waited for: limits, moderation, a cold start."""

DECODE_MS = "envoy_modelunits_decode_ms"
"""Histogram, by endpoint and key, of streams: from the first byte of the body to the last from the engine."""

STREAM_TOKENS = "envoy_modelunits_stream_tokens"
"""Counter, by endpoint and key: output tokens of streams.

TPOT is the time of decoding divided by these less the first of each stream.
"""

LAST_REQUEST = "envoy_modelunits_last_request_seconds"
"""Gauge, by endpoint and key: when the last request came, in seconds since 1970."""

REMAINING_RETRIES = "envoy_cluster_circuit_breakers_default_remaining_retries"
"""Gauge, by endpoint: how many more requests may be held; the queue's share less this are held."""

ACTIVE_REQUESTS = "envoy_cluster_upstream_rq_active"
"""Gauge, by endpoint: requests in flight to engines."""

PENDING_REQUESTS = "envoy_cluster_upstream_rq_pending_active"
"""Gauge, by endpoint: requests that wait for a connection, within the limit of concurrency."""

UPSTREAM_MS = "envoy_cluster_upstream_rq_time"
"""Histogram, by endpoint: from a request passed on whole to the last byte from the engine."""

LIVE = "envoy_server_live"
"""Gauge: 1 of each gateway that is up."""

CONNECTIONS = "envoy_server_total_connections"
"""Gauge: of callers and to engines."""

CERTIFICATE_DAYS = "envoy_server_days_until_first_cert_expiring"
"""Gauge: until the gateway's certificate ends."""

RATELIMIT_ERRORS = "envoy_cluster_ratelimit_error"
"""Counter: limits that could not be asked for; the requests passed."""

UNCOUNTED = "envoy_http_ext_proc_key_concurrency_failure_mode_allowed"
"""Counter: requests that passed because the limiter of keys' concurrency did not answer."""
