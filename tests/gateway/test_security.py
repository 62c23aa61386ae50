"""Ways around the key, the team, the model and the features: what the gateway answers, and what engines see.

A request that an engine sees is always read by it as the gateway has read it. `test_fuzz_bodies` looks for
more ways than people think of.
"""

import gzip
import json
import subprocess
import zlib

import httpx
import pytest
from fake_engine import FakeEngine
from raw import Answer, chat_request, chunked, send
from real_gateway import OTHER, SEARCH, Door

JSON_OBJECT = '"response_format":{"type":"json_object"}'
TEXT = '"response_format":{"type":"text"}'
MIB = 1 << 20
NOT_JSON, NO_MODEL, UNKNOWN = (400, "invalid_json"), (400, "missing_model"), (404, "model_not_found")
FEATURE, BAD, NO_API = (400, "unsupported_feature"), (400, "bad_request"), (404, "unsupported_api")
TOO_LARGE, NO_KEY, VERSION = (
    (413, "body_too_large"),
    (401, "invalid_api_key"),
    (426, "unsupported_http_version"),
)
HEADERS = (431, "headers_too_large")


def _body(door: Door, fields: str, *, model: str = "plain") -> bytes:
    return f'{{"model":"{door.gateway.id_of(model)}","messages":[],{fields}}}'.encode()


def _says(answer: Answer) -> tuple[int, str | None]:
    found = json.loads(answer.text) if answer.text.startswith("{") else {}
    return answer.status, found.get("error", {}).get("code")


def _refused(door: Door, request: bytes) -> tuple[int, str | None]:
    """Send a request that no engine may see, and return what it was answered."""
    before = door.reached()
    said = _says(send(door.gateway.place.listen.port, request))

    assert door.reached() == before, "an engine has seen the request"

    return said


def _seen(door: Door, request: bytes) -> FakeEngine:
    """Send a request that the own engine sees, and only that."""
    own, theirs = len(door.engine.seen), len(door.secret.seen)
    answer = send(door.gateway.place.listen.port, request)

    assert (answer.status, len(door.engine.seen), len(door.secret.seen)) == (200, own + 1, theirs)

    return door.engine


FIELDS = {
    "the last of two keys counts": (f"{TEXT},{JSON_OBJECT}", FEATURE),
    "the last of two keys inside counts": ('"response_format":{"type":"text","type":"json_object"}', FEATURE),
    "a key in escapes": ('"response\\u005fformat":{"type":"json_object"}', FEATURE),
    "a value in escapes": ('"response_format":{"type":"json\\u005fobject"}', FEATURE),
    "lists nested a million deep": (f'"x":{"[" * MIB}{"]" * MIB}', NOT_JSON),
    "objects nested a million deep": ('"x":' + '{"":' * MIB, NOT_JSON),
    "NaN": ('"temperature":NaN', NOT_JSON),
    "minus infinity": ('"temperature":-Infinity', NOT_JSON),
    "a number that is infinite": ('"n":1e999', NOT_JSON),
    "a number of 4000 digits": (f'"seed":{"9" * 4000}', NOT_JSON),
    "a comment": ('"a":1/*b*/', NOT_JSON),
    "a comma too many": ('"a":1,', NOT_JSON),
    "half a surrogate pair": ('"a":"\\ud800"', NOT_JSON),
    "a line break in a text": ('"a":"\n"', NOT_JSON),
    "9 MiB": (f'"a":"{"x" * 9 * MIB}"', TOO_LARGE),
}


@pytest.mark.parametrize("name", FIELDS)
def test_tricks_with_fields_do_not_pass(door: Door, name: str) -> None:
    """A refused field stays refused however it is written; what cannot be read safely is not read."""
    fields, expected = FIELDS[name]

    assert _refused(door, chat_request(_body(door, fields), key=SEARCH.secret)) == expected


MODELS = {
    "the last of two models counts": ('"model":"{own}","model":"{secret}"', UNKNOWN),
    "a key in escapes": ('"m\\u006fdel":"{secret}"', UNKNOWN),
    "two ids around a NUL": ('"model":"{own}\\u0000{secret}"', UNKNOWN),
    "a space before it": ('"model":" {own}"', UNKNOWN),
    "another team's adapter": ('"model":"{secret}:tone"', UNKNOWN),
    "an adapter that is not there": ('"model":"{own}:tone"', UNKNOWN),
    "an id and more": ('"model":"{own}x"', UNKNOWN),
    "an id and much more": (f'"model":"{{own}}{"x" * 100_000}"', NO_MODEL),
    "a list": ('"model":["{own}"]', NO_MODEL),
    "an object": ('"model":{{"a":"{own}"}}', NO_MODEL),
    "a number": ('"model":1', NO_MODEL),
    "nothing": ('"model":""', NO_MODEL),
    "null": ('"model":null', NO_MODEL),
    "its key in capitals": ('"Model":"{own}"', NO_MODEL),
    "its key in wide letters": ('"\uff4dodel":"{own}"', NO_MODEL),
}


@pytest.mark.parametrize("name", MODELS)
def test_tricks_with_the_model_do_not_pass(door: Door, name: str) -> None:
    """Only the exact id of an endpoint of one's own team leads anywhere."""
    model, expected = MODELS[name]
    fields = model.format(own=door.gateway.id_of("plain"), secret=door.gateway.id_of("secret"))

    assert _refused(door, chat_request(f'{{{fields},"messages":[]}}'.encode(), key=SEARCH.secret)) == expected


BODIES = {
    "UTF-16": (lambda body: body.decode().encode("utf-16"), NOT_JSON),
    "UTF-16 without its mark": (lambda body: body.decode().encode("utf-16-le"), NOT_JSON),
    "UTF-16, most significant first": (lambda body: body.decode().encode("utf-16-be"), NOT_JSON),
    "UTF-32": (lambda body: body.decode().encode("utf-32"), NOT_JSON),
    "UTF-32 without its mark": (lambda body: body.decode().encode("utf-32-le"), NOT_JSON),
    "UTF-8 with a mark": (lambda body: b"\xef\xbb\xbf" + body, FEATURE),
    "bytes that are not UTF-8": (lambda body: body.replace(b"json_object", b"json_object\xff"), NOT_JSON),
    "gzip": (gzip.compress, NOT_JSON),
    "deflate": (zlib.compress, NOT_JSON),
    "inside a list": (lambda body: b"[" + body + b"]", NO_MODEL),
    "two objects": (lambda body: body + body, NOT_JSON),
    "a text": (lambda _: b'"x"', NO_MODEL),
    "null": (lambda _: b"null", NO_MODEL),
    "spaces": (lambda _: b"  ", NOT_JSON),
    "nothing": (lambda _: b"", NO_MODEL),
    "an object without end": (lambda body: body[:-1], NOT_JSON),
    "single quotes": (lambda body: body.replace(b'"', b"'"), NOT_JSON),
}


@pytest.mark.parametrize("name", BODIES)
def test_tricks_with_the_bodys_encoding_do_not_pass(door: Door, name: str) -> None:
    """vLLM's parser reads UTF-16 and UTF-32; the gateway does not let through what it cannot read."""
    encode, expected = BODIES[name]
    body = encode(_body(door, JSON_OBJECT))
    for headers in ((), (b"Content-Encoding: gzip",)):
        assert _refused(door, chat_request(body, key=SEARCH.secret, headers=headers)) == expected


def test_a_chunked_body_is_read_like_any_other(door: Door) -> None:
    """In chunks of three bytes, and with a trailer that names another content type."""
    transfer = {"length": False, "headers": (b"Transfer-Encoding: chunked",)}
    pieces = chunked(_body(door, JSON_OBJECT), 3)
    with_trailer = pieces[:-2] + b"Content-Type: text/plain\r\n\r\n"
    too_much = chunked(_body(door, f'"a":"{"x" * 9 * MIB}"'), MIB)

    assert _refused(door, chat_request(pieces, key=SEARCH.secret, **transfer)) == FEATURE
    assert _refused(door, chat_request(with_trailer, key=SEARCH.secret, **transfer)) == FEATURE
    assert _refused(door, chat_request(too_much, key=SEARCH.secret, **transfer)) == TOO_LARGE
    assert _seen(door, chat_request(chunked(_body(door, TEXT), 3), key=SEARCH.secret, **transfer))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/json, text/plain",
        b"text/plain, application/json",
        b"application/vnd.api+json",
        b"application/json ; a",
    ],
)
def test_another_content_type_is_refused(door: Door, content_type: bytes | None) -> None:
    """The gateway reads as JSON what vLLM reads as JSON, and refuses everything else."""
    request = chat_request(_body(door, TEXT), key=SEARCH.secret, content_type=content_type)

    assert _refused(door, request) == NOT_JSON


@pytest.mark.parametrize("content_type", [b"Application/JSON", b"application/json;charset=utf-8"])
def test_json_by_another_spelling_is_json(door: Door, content_type: bytes) -> None:
    """Clients write the header in several ways; its features are refused all the same."""
    for fields, expected in ((TEXT, None), (JSON_OBJECT, FEATURE)):
        request = chat_request(_body(door, fields), key=SEARCH.secret, content_type=content_type)

        assert _refused(door, request) == expected if expected else _seen(door, request)


MESSAGES = {
    "length and chunks": ((b"Transfer-Encoding: chunked",), BAD),
    "two lengths": ((b"Content-Length: 5",), BAD),
    "a space before the colon": ((b"Transfer-Encoding : chunked",), BAD),
    "an encoding that is none": ((b"Transfer-Encoding: xchunked",), BAD),
    "chunks within gzip": ((b"Transfer-Encoding: gzip, chunked",), BAD),
    "two content types": ((b"Content-Type: text/plain",), NOT_JSON),
    "a name with an underscore": ((b"x_modelunits_key: other.k00000003",), BAD),
    "17 KiB": ((b"A: " + b"a" * (17 << 10),), HEADERS),
    "200 headers": (tuple(b"a%d: b" % number for number in range(200)), HEADERS),
    "an upgrade": ((b"Upgrade: websocket", b"Connection: upgrade"), VERSION),
    "two keys": ((b"Authorization: Bearer " + OTHER.secret.encode(),), NO_KEY),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_that_two_servers_read_differently_are_refused(door: Door, name: str) -> None:
    """Smuggling lives from such differences."""
    headers, (status, code) = MESSAGES[name]
    said = _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, headers=headers))

    assert said == (status, code)


@pytest.mark.parametrize(
    "header",
    [
        b"X-ModelUnits-Key: other.k00000003",
        b"X-Envoy-Original-Path: /v1/completions",
        b"X-Envoy-Upstream-Rq-Timeout-Ms: 1",
        b"X-Envoy-Max-Retries: 0",
        b"X-Envoy-Retry-On: 5xx",
        b"X-Envoy-Upstream-Alt-Stat-Name: mine",
        b"X-Data-Parallel-Rank: 7",
        b"X-Vllm-Priority: -100",
        b"X-Session-ID: theirs",
        b"X-Request-Id: theirs",
        b"X-Forwarded-For: 10.0.0.1",
        b"X-HTTP-Method-Override: GET",
        b"Upgrade: h2c",
    ],
)
def test_headers_that_envoy_or_engines_would_obey_are_taken_away(door: Door, header: bytes) -> None:
    """Retries, timeouts, names of counts, ranks, priorities and sessions are not the caller's to set."""
    name, _, value = header.decode().lower().partition(": ")
    engine = _seen(door, chat_request(_body(door, TEXT), key=SEARCH.secret, headers=(header,)))

    assert engine.seen[-1].headers.get(name) != value
    assert engine.seen[-1].path == "/v1/chat/completions"

    theirs = _body(door, TEXT, model="secret")

    assert _refused(door, chat_request(theirs, key=SEARCH.secret, headers=(header,))) == UNKNOWN


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Authorization: Bearer",
        b"Authorization: Bearer ",
        b"Authorization: Basic {key}",
        b"Authorization: Bearer  {key}",
        b"Authorization: Bearer {key}x",
        b"Authorization: Bearer {upper}",
        b"Authorization: Bearer search.k00000001",
        b"Authorization: Bearer {key}, Bearer {key}",
        b"Api-Key: {key}",
        b"X-Api-Key: {key}",
        b"Proxy-Authorization: Bearer {key}",
        b"Cookie: Authorization={key}",
    ],
)
def test_without_a_valid_key_nothing_is_answered(door: Door, header: bytes) -> None:
    """Whatever the path, the method and the body: 401, before anything of them is looked at."""
    key = SEARCH.secret.encode()
    sent = header.replace(b"{key}", key).replace(b"{upper}", key.upper())
    for start in (b"POST /v1/chat/completions", b"GET /v1/models", b"POST /v1/responses", b"GET /none"):
        body = _body(door, JSON_OBJECT) if start.startswith(b"POST") else b""
        lines = [start + b" HTTP/1.1", b"Host: gateway", b"Content-Type: application/json"]
        lines += [b"Content-Length: %d" % len(body), *([sent] if sent else [])]

        assert _refused(door, b"\r\n".join((*lines, b"", body))) == NO_KEY


def test_a_key_in_the_query_is_no_key(door: Door) -> None:
    """Addresses are written into logs on their way."""
    answer = httpx.get(f"{door.gateway.url}/v1/models?Authorization={SEARCH.secret}&api_key={SEARCH.secret}")

    assert answer.status_code == 401


ELSEWHERE = [
    "/v1/chat/completions/",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions/..",
    "/V1/chat/completions",
    "/v1/chat/Completions",
    "/v1/chat/completions;a",
    "/v1/chat/completions%20",
    "/v1/chat/completions%2e%2e",
    "/v1/chat/completions/batch",
    "/v1/chat/completions/../../completions",
    "/v1/completions",
    "/v1/responses",
    "/api/v3/responses",
    "/api/v3/context/create",
    "/api/v3/context/chat/completions",
    "/api/v3/bots/chat/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/audio/transcriptions",
    "/v2/chat/completions",
    "/inference/v1/generate",
    "/invocations",
    "/tokenize",
    "/detokenize",
    "/metrics",
    "/health",
    "/load",
    "/version",
    "/docs",
    "/openapi.json",
    "/collective_rpc",
    "/sleep",
    "/stats/prometheus",
    "/ready",
    "/",
    "http://elsewhere/v1/completions",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_every_path_that_is_not_listed_is_none(door: Door, path: str) -> None:
    """Engines have many more, some of them open to anyone; the gateway knows two."""
    start = f"POST {path} HTTP/1.1".encode()

    assert _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start)) == NO_API


@pytest.mark.parametrize(
    "path",
    [
        "*",
        "/v1/chat%2fcompletions",
        "/v1%5cchat/completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions#a",
    ],
)
def test_paths_with_hidden_separators_are_refused(door: Door, path: str) -> None:
    """What Envoy and an engine might split differently is not split at all."""
    start = f"POST {path} HTTP/1.1".encode()

    assert _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start)) == BAD


@pytest.mark.parametrize(
    "path",
    [
        "/v1/./chat/completions",
        "/v1/a/../chat/completions",
        "/v1/%63hat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1\\chat\\completions",
        "/v1/chat/completions?/v1/completions",
        "http://gateway/v1/chat/completions",
    ],
)
def test_a_path_that_means_chat_reaches_the_engine_as_chat(door: Door, path: str) -> None:
    """Paths are resolved once, and refusals hold for what they mean."""
    start = f"POST {path} HTTP/1.1".encode()
    engine = _seen(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start))

    assert engine.seen[-1].path.partition("?")[0] == "/v1/chat/completions"
    assert _refused(door, chat_request(_body(door, JSON_OBJECT), key=SEARCH.secret, start=start)) == FEATURE


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_none(door: Door, method: str) -> None:
    """They are as unknown as a path that is not there."""
    start = f"{method} /v1/chat/completions HTTP/1.1".encode()

    assert _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start)) == NO_API


@pytest.mark.parametrize("method", ["CONNECT", "post", "BREW"])
def test_methods_that_http_does_not_know_are_no_requests(door: Door, method: str) -> None:
    """Envoy's parser knows the methods of HTTP."""
    start = f"{method} /v1/chat/completions HTTP/1.1".encode()

    assert _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start)) == BAD


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", ""])
def test_old_and_unknown_versions_of_http_are_refused(door: Door, version: str) -> None:
    """HTTP/1.0 has neither chunks nor a host that one could trust."""
    start = f"POST /v1/chat/completions {version}".encode()

    assert _refused(door, chat_request(_body(door, TEXT), key=SEARCH.secret, start=start)) == VERSION


def test_requests_in_one_connection_are_judged_one_by_one(door: Door) -> None:
    """The second of two pipelined requests gets no more than it would alone."""
    first = chat_request(_body(door, TEXT), key=SEARCH.secret).replace(b"Connection: close\r\n", b"")
    second = chat_request(_body(door, TEXT, model="secret"), key=SEARCH.secret)

    assert _seen(door, first + second)


def test_http2_without_an_upgrade_is_judged_alike(door: Door) -> None:
    """gRPC's clients and curl's --http2-prior-knowledge speak it at once."""
    url, key = door.gateway.url + "/v1/chat/completions", f"Authorization: Bearer {SEARCH.secret}"
    curl = ["curl", "--http2-prior-knowledge", "--silent", "--write-out", "%{http_version} %{http_code}"]
    if (
        "HTTP2"
        not in subprocess.run([*curl[:1], "--version"], capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip("curl is not here, or speaks no HTTP/2")
    ended = [
        subprocess.run(
            [*curl, url, "-H", key, "-H", "Content-Type: application/json", "--data-binary", "@-"],
            input=_body(door, fields),
            capture_output=True,
            check=True,
        ).stdout[-5:]
        for fields in (TEXT, JSON_OBJECT)
    ]

    assert ended == [b"2 200", b"2 400"]


def test_what_is_not_http_is_answered_or_closed(door: Door) -> None:
    """Bytes of TLS and nonsense end the connection, not the gateway."""
    port = door.gateway.place.listen.port

    assert _says(send(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")) == BAD
    assert door.gateway.process.poll() is None


def test_a_long_list_of_numbers_is_read_and_memory_comes_back(door: Door) -> None:
    """The dearest body: millions of values. It takes seconds, and no more than its caller's worker."""
    answer = door.gateway.post(door.gateway.chat("plain", numbers=[1] * 500_000))

    assert answer.status_code == 200
    assert door.gateway.process.poll() is None
