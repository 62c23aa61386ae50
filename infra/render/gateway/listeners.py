"""Where callers come in and what happens to a request, in order; and where Prometheus and probes come in."""

from collections.abc import Iterable

from infra.plan.model import Plan
from infra.render.gateway import keys
from infra.render.gateway.answers import plain_answers_filter, replaced_answers
from infra.render.gateway.body import NAMESPACE, answer_filter, body_filter, stream_filter, whole_body_filter
from infra.render.gateway.clusters import ADMIN
from infra.render.gateway.concurrency import concurrency_filter
from infra.render.gateway.limits import KEY, limits_filter
from infra.render.gateway.logs import access_logs
from infra.render.gateway.moderation import ext_proc_filter
from infra.render.gateway.place import Address, Place
from infra.render.gateway.routes import ROUTES_NAME
from infra.render.gateway.usage import usage_filter
from infra.render.manifest import Json, JsonObject

CALLERS = "callers"
METRICS = "metrics"
ROUTES_FILE = "routes.json"
CERTIFICATE_FILE = "certificate.json"
CERTIFICATE = "modelunits.certificate"

HEADERS_SECONDS = 10
HEADERS_KIB = 16
"""Of a request that may have no key: at Envoy's own bound, 60, 20,000 connections would fill a gateway."""

BODY_SECONDS = 300
"""How long a caller may take to send a request: 8 MiB at 30 KB/s."""

FLUSH_SECONDS = 300
"""How long a caller may not read at all once the engine has finished."""

CLOSE_SECONDS = 5
"""How long a caller whose connection is to end may not read the last of an answer."""

IDLE_CONNECTION_SECONDS = 600
STREAMS_PER_CONNECTION = 1000
CONNECTION_BYTES = 256 << 10
"""Read ahead of a caller, who may not even have a key, and written ahead to one who reads slowly."""

HTTP2_WINDOW_BYTES = 1 << 20

_HTTP = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_HEADER_TO_METADATA = "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config"
_HEADER_MUTATION = (
    "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
)
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
_API_KEY_AUTH = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"


def listeners(plan: Plan, place: Place) -> Iterable[JsonObject]:
    """Yield the listeners of a gateway."""
    chain: dict[str, Json] = {"filters": [{"name": "http", "typed_config": _callers(plan, place)}]}
    if place.tls is not None:
        chain["transport_socket"] = _tls(place)
    yield {
        "@type": _LISTENER,
        "name": CALLERS,
        "address": address_of(place.listen),
        "per_connection_buffer_limit_bytes": CONNECTION_BYTES,
        "filter_chains": [chain],
    }
    yield {
        "@type": _LISTENER,
        "name": METRICS,
        "address": address_of(place.metrics),
        # What fills a gateway may be held for an endpoint that wakes only when these are read.
        "bypass_overload_manager": True,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _metrics()}]}],
    }


def certificate(place: Place) -> JsonObject | None:
    """Return the certificate that Envoy watches; None for plain HTTP."""
    if place.tls is None:
        return None
    chain, key = place.tls
    return {
        "@type": _SECRET,
        "name": CERTIFICATE,
        "tls_certificate": {
            "certificate_chain": {"filename": chain},
            "private_key": {"filename": key},
            "watched_directory": {"path": chain.rpartition("/")[0] or "/"},
        },
    }


def address_of(address: Address) -> JsonObject:
    """Return an address as Envoy writes it."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def watched(folder: str, name: str) -> JsonObject:
    """Return a source of configuration: a file that is replaced by renaming, or with its whole folder."""
    source: JsonObject = {"path": f"{folder}/{name}", "watched_directory": {"path": folder}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _callers(plan: Plan, place: Place) -> JsonObject:
    return {
        "@type": _HTTP,
        "stat_prefix": CALLERS,
        "codec_type": "AUTO",
        "server_name": "modelunits",
        "rds": {"route_config_name": ROUTES_NAME, "config_source": watched(place.folder, ROUTES_FILE)},
        "http_filters": list(_filters(plan, place)),
        "access_log": list(access_logs(plan, place)),
        "local_reply_config": replaced_answers(),
        "normalize_path": True,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "use_remote_address": True,
        "skip_xff_append": True,
        "max_request_headers_kb": HEADERS_KIB,
        "request_headers_timeout": f"{HEADERS_SECONDS}s",
        "request_timeout": f"{BODY_SECONDS}s",
        "stream_idle_timeout": f"{FLUSH_SECONDS}s",
        "delayed_close_timeout": f"{CLOSE_SECONDS}s",
        "common_http_protocol_options": {
            "idle_timeout": f"{IDLE_CONNECTION_SECONDS}s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http_protocol_options": {"allow_chunked_length": False},
        "http2_protocol_options": {
            "max_concurrent_streams": STREAMS_PER_CONNECTION,
            "initial_stream_window_size": HTTP2_WINDOW_BYTES,
            "initial_connection_window_size": HTTP2_WINDOW_BYTES,
        },
        # Envoy, vLLM and its router obey headers that begin so: retries, timeouts, ranks, priorities, names.
        "early_header_mutation_extensions": [
            {
                "name": "headers",
                "typed_config": {
                    "@type": _HEADER_MUTATION,
                    "mutations": [{"remove_on_match": {"key_matcher": {"prefix": "x-"}}}],
                },
            }
        ],
    }


def _filters(plan: Plan, place: Place) -> Iterable[JsonObject]:
    yield {
        "name": keys.FILTER_NAME,
        "config_discovery": {
            "config_source": watched(place.keys_folder, keys.KEYS_FILE),
            "type_urls": [_API_KEY_AUTH],
        },
    }
    yield _client()
    yield whole_body_filter()
    yield body_filter()
    yield usage_filter(NAMESPACE)
    # What a key's concurrency refuses must not count against limits per minute.
    if place.concurrency is not None:
        yield concurrency_filter()
    if place.ratelimit is not None:
        yield limits_filter()
    if place.moderator is not None:
        yield ext_proc_filter(plan)
    # Answers pass from the last filter to the first: tokens count where the moderator keeps an answer back.
    yield answer_filter()
    yield stream_filter()
    yield plain_answers_filter()
    router: JsonObject = {"@type": _ROUTER, "suppress_envoy_headers": True}
    yield {"name": "router", "typed_config": router}


def _client() -> JsonObject:
    """Return the filter that keeps who calls, and takes the header away that said so."""
    kept: JsonObject = {"metadata_namespace": NAMESPACE, "key": KEY, "type": "STRING"}
    rule: JsonObject = {"header": keys.CLIENT_HEADER, "on_header_present": kept, "remove": True}
    return {
        "name": "modelunits.client",
        "typed_config": {"@type": _HEADER_TO_METADATA, "request_rules": [rule]},
    }


def _metrics() -> JsonObject:
    get: JsonObject = {"name": ":method", "string_match": {"exact": "GET"}}
    routes: list[Json] = [
        {"match": {"path": path, "headers": [get]}, "route": {"cluster": ADMIN}}
        for path in ("/stats/prometheus", "/ready")
    ]
    return {
        "@type": _HTTP,
        "stat_prefix": METRICS,
        "route_config": {"virtual_hosts": [{"name": METRICS, "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }


def _tls(place: Place) -> JsonObject:
    source = watched(place.folder, CERTIFICATE_FILE)
    secret: JsonObject = {"name": CERTIFICATE, "sds_config": source}
    return {
        "name": "tls",
        "typed_config": {
            "@type": _TLS,
            "common_tls_context": {
                "tls_certificate_sds_secret_configs": [secret],
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            },
        },
    }
