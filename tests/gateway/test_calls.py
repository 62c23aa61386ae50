"""What callers get: the right engine, the list of models, streams as they come, an end when they leave."""

import json
import re
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from fake_engine import INPUT_TOKENS, OUTPUT_TOKENS, PARTED, fake_engine
from local.running import eventually
from real_gateway import OPEN, OTHER, SEARCH, Door, authorization, gateway, plan_of

from infra.render.gateway import metrics

SEARCH_KEY = "search.k00000001"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LOGGED_TRACE = TRACE.replace("4b", "5c")


@pytest.mark.parametrize("base", ["/v1", "/api/v3"])
def test_both_base_urls_lead_to_the_endpoint_of_the_model(door: Door, base: str) -> None:
    """The body's `model` decides; engines see vLLM's own path, and neither key nor client."""
    answer = door.gateway.post(door.gateway.chat("chat"), path=f"{base}/chat/completions")
    seen = door.engine.seen[-1]

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == str(door.engine.port)
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert not {"authorization", "x-modelunits-key"} & seen.headers.keys()


def test_an_adapter_is_called_by_the_endpoints_id_and_its_name(door: Door) -> None:
    """An adapter that is not there is an unknown model."""
    model = f"{door.gateway.id_of('chat')}:tone"

    assert door.gateway.post({**door.gateway.chat("chat"), "model": model}).status_code == 200
    assert json.loads(door.engine.seen[-1].body)["model"] == model
    assert door.gateway.post({**door.gateway.chat("chat"), "model": model + "s"}).status_code == 404


@pytest.mark.parametrize("base", ["/v1", "/api/v3"])
def test_a_key_lists_what_its_team_may_call(door: Door, base: str) -> None:
    """The list has the shape that OpenAI's clients read, with adapters, and nothing of other teams."""
    listed = {
        key.team: httpx.get(door.gateway.url + f"{base}/models", headers=authorization(key)).json()
        for key in (SEARCH, OTHER)
    }
    ids = {team: [model["id"] for model in answer["data"]] for team, answer in listed.items()}
    chat, plain, secret = map(door.gateway.id_of, ("chat", "plain", "secret"))

    assert ids == {"search": [chat, f"{chat}:tone", plain], "other": [secret]}
    assert listed["other"] == {
        "object": "list",
        "data": [{"id": secret, "object": "model", "created": 0, "owned_by": "other"}],
    }


@pytest.mark.parametrize("content", [None, b"", b"{}", b"xx", b'{"n": 1}'])
def test_a_list_is_the_same_whatever_comes_with_the_request(door: Door, content: bytes | None) -> None:
    """Some clients say that they send JSON with every request, and some send some."""
    headers = {**authorization(SEARCH), "content-type": "application/json"}

    listed = httpx.request("GET", door.gateway.url + "/v1/models", headers=headers, content=content).json()

    assert door.gateway.id_of("chat") in [model["id"] for model in listed["data"]]


def test_clients_that_ask_for_health_learn_that_the_door_is_there(door: Door) -> None:
    """GuideLLM asks before it measures; without a key there is nothing to learn."""
    url = door.gateway.url + "/health"
    seen = len(door.engine.seen)

    assert httpx.get(url, headers=authorization(SEARCH)).json() == {}
    assert httpx.get(url).status_code == 401
    assert len(door.engine.seen) == seen


def test_a_stream_arrives_as_it_is_made(door: Door) -> None:
    """Each event is there before the next one is made."""
    body = door.gateway.chat("chat", stream=True, messages=[{"role": "user", "content": "stream 4 0.5"}])
    url = door.gateway.url + "/v1/chat/completions"
    came = []
    with httpx.stream("POST", url, json=body, headers=authorization(SEARCH)) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                came.append(time.monotonic())

    assert len(came) == 4
    assert all(later - earlier > 0.1 for earlier, later in pairwise(came))


def test_a_caller_who_leaves_ends_the_stream_at_the_engine(door: Door) -> None:
    """The engine's connection is closed, which is how vLLM aborts a generation."""
    before = door.engine.aborted
    body = door.gateway.chat("chat", stream=True, messages=[{"role": "user", "content": "stream 500 0.02"}])
    url = door.gateway.url + "/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=authorization(SEARCH)) as answer:
        next(answer.iter_lines())
    deadline = time.monotonic() + 5
    while door.engine.aborted == before and time.monotonic() < deadline:
        time.sleep(0.02)

    assert door.engine.aborted == before + 1


def test_the_trace_context_is_passed_on(door: Door) -> None:
    """Engines get the headers of W3C Trace Context as they came."""
    headers = {**authorization(SEARCH), "traceparent": TRACE, "tracestate": "a=b"}
    httpx.post(
        door.gateway.url + "/v1/chat/completions", json=door.gateway.chat("chat"), headers=headers
    ).raise_for_status()
    seen = door.engine.seen[-1].headers

    assert (seen["traceparent"], seen["tracestate"]) == (TRACE, "a=b")


def test_the_access_log_says_who_called_what_and_no_secret(door: Door) -> None:
    """A line has endpoint, key, tokens, times, trace and refusal; prompts and keys are nowhere in it."""
    prompt = "a prompt that nobody else may read"
    chat = door.gateway.chat("chat", messages=[{"role": "user", "content": prompt}])
    for fields in ({}, {"n": 11}):
        httpx.post(
            door.gateway.url + "/v1/chat/completions",
            json={**chat, **fields},
            headers={**authorization(SEARCH), "traceparent": LOGGED_TRACE},
        )
    httpx.post(door.gateway.url + "/v1/chat/completions", json=chat, headers={"traceparent": LOGGED_TRACE})
    served, refused, unknown = door.gateway.log_of(LOGGED_TRACE, 3)

    assert {
        "key": SEARCH_KEY,
        "team": "search",
        "endpoint": "chat",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "refusal": None,
        "moderation": "off",
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
    }.items() <= served.items()
    assert {"status": 400, "refusal": "invalid_value", "param": "n", "tries": 0}.items() <= refused.items()
    assert {"status": 401, "refusal": "invalid_api_key", "key": None, "team": None}.items() <= unknown.items()
    assert isinstance(served["duration_ms"], int)

    text = Path(door.gateway.place.access_log).read_text()

    assert prompt not in text
    assert SEARCH.secret not in text


def test_requests_tokens_and_refusals_are_counted_by_endpoint_and_key(door: Door) -> None:
    """Prometheus reads them by the names that `infra.render.gateway.metrics` gives."""
    door.gateway.post(door.gateway.chat("plain", stream=True))
    door.gateway.post(door.gateway.chat("plain", n=0))
    text = door.gateway.metrics()
    who = f'modelunits_stack="test",modelunits_endpoint="plain",modelunits_key="{SEARCH_KEY}"'

    for name in (metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS):
        assert f"{name}{{{who}}}" in text
    assert f'{metrics.REQUESTS}{{{who},modelunits_status="200"}}' in text
    assert f'{metrics.REASON_LABEL}="invalid_value"' in text
    assert f"{metrics.DURATION_MS}_bucket{{{who}" in text
    for name in (metrics.REMAINING_RETRIES, metrics.ACTIVE_REQUESTS, metrics.PENDING_REQUESTS):
        assert f'{name}{{modelunits_stack="test"' in text


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("asked", [None, {}, {"include_usage": False}, {"include_usage": True}])
def test_an_event_without_choices_comes_to_those_who_ask_for_usage(
    door: Door, size: int, asked: dict[str, bool] | None
) -> None:
    """As OpenAI sends it, however an engine's bytes arrive: callers take each event's first choice."""
    messages = [{"role": "user", "content": f"parts {size}"}]
    answer = door.gateway.post(
        door.gateway.chat("chat", stream=True, messages=messages, stream_options=asked)
    )
    *events, done, end = answer.content.decode().split("\n\n")

    assert (done, end) == ("data: [DONE]", "")
    assert [json.loads(event.removeprefix("data: ")) for event in events] == [
        *(PARTED if asked == {"include_usage": True} else PARTED[:1])
    ]


def test_ttft_and_tpot_are_measured_for_each_key(tmp_path: Path) -> None:
    """A stream's status line is there at once: the first token is what counts. Other answers do not."""
    with (
        fake_engine() as engine,
        gateway(tmp_path, plan_of({"chat": OPEN}), {"chat": engine.port}) as running,
    ):
        asks = "prefill 0.3 stream 5 0.1"
        running.post(running.chat("chat", stream=True, messages=[{"role": "user", "content": asks}]))
        running.post(running.chat("chat", messages=[{"role": "user", "content": "wait 0.1"}]))

        def of(name: str) -> float:
            line = rf'^{name}{{[^}}]*_key="{SEARCH_KEY}"}} (\S+)$'
            return sum(map(float, re.findall(line, running.metrics(), re.MULTILINE)))

        # Envoy adds its threads' histograms up every few seconds.
        eventually(lambda: of(f"{metrics.DURATION_MS}_count"), 2, 30)
        ttft, decoding, whole = (
            of(f"{name}_sum") for name in (metrics.TTFT_MS, metrics.DECODE_MS, metrics.DURATION_MS)
        )

        assert of(f"{metrics.TTFT_MS}_count") == 1
        assert ttft >= 300
        assert decoding >= 400
        assert ttft + decoding <= whole
        assert of(metrics.STREAM_TOKENS) == OUTPUT_TOKENS


def test_prometheus_and_probes_get_nothing_else_of_the_admin_interface(door: Door) -> None:
    """The metrics' address is open inside the cluster; the admin interface could stop Envoy and show keys."""
    address = f"http://127.0.0.1:{door.gateway.place.metrics.port}"

    assert httpx.get(f"{address}/ready").text == "LIVE\n"
    assert {
        path: httpx.get(address + path).status_code
        for path in ("/config_dump", "/quitquitquit", "/stats", "/", "/stats/prometheus/../../config_dump")
    } == dict.fromkeys(
        ("/config_dump", "/quitquitquit", "/stats", "/", "/stats/prometheus/../../config_dump"), 404
    )
    assert httpx.post(f"{address}/ready").status_code == 404
