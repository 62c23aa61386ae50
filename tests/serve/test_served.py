"""The local data plane from outside: real Envoy, ratelimit, Redis, moderator, vllm-router and vLLM."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from local.running import wait_for_minute_with
from served import First, Served, eventually

from infra.local.progress import Progress
from infra.local.serve.tiny_vocabulary import vocabulary
from infra.local.vllm_environment import vllm_python

pytestmark = [pytest.mark.vllm]

LONG = 3000
"""Tokens: more than one engine makes in the seconds of a test."""

Z_ALONE = {str(vocabulary()["z"]): 100}
"""The tiny model then says nothing else; the stack's moderation refuses six in a row."""


def test_the_first_request_is_held_and_answered_when_the_engine_is_up(
    first: dict[str, First], asleep: Served
) -> None:
    """Waking takes seconds, and the caller notices nothing else."""
    assert dict.fromkeys(first, 200) == {name: one.answer.status_code for name, one in first.items()}
    assert all(one.seconds > 3 for one in first.values())
    assert "chat has a request: it wakes" in asleep.said
    assert "chat is awake" in asleep.said


def test_a_prefill_decode_pair_answers_as_one_engine_does(served: Served) -> None:
    """The same model and the same words: the handed-over cache is right."""
    with served.own_key("search") as key:
        pair, alone = served.chat("pair", key, max_tokens=24), served.chat("chat", max_tokens=24)
    assert pair.status_code == 200, pair.text
    assert alone.json()["choices"][0]["message"] == pair.json()["choices"][0]["message"]
    assert any((served.folder / "transfer" / "pair").rglob("*.safetensors"))


def test_requests_per_minute_are_counted_for_each_key(served: Served) -> None:
    """The ninth of a minute is told when to come back; another key is not concerned."""
    with served.own_key("search") as key, served.own_key("search") as other:
        wait_for_minute_with(25)
        answers = [served.chat("pair", key, max_tokens=1) for _ in range(9)]
        assert [*[200] * 8, 429] == [answer.status_code for answer in answers]
        assert answers[-1].headers["retry-after"] == "60"
        assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"
        assert served.chat("pair", other, max_tokens=1).status_code == 200


def test_tokens_per_minute_are_counted_as_used_in_streams_too(served: Served) -> None:
    """A stream that its caller did not ask the usage of uses up the minute all the same."""
    with served.own_key("search") as key:
        wait_for_minute_with(25)
        with served.stream("pair", key, max_tokens=450, ignore_eos=True) as answer:
            assert answer.read().endswith(b"data: [DONE]\n\n")
        # Envoy reports a stream's tokens when it has ended
        assert eventually(lambda: served.chat("pair", key, max_tokens=1).status_code == 429, 5)


def test_concurrency_is_counted_for_each_key(served: Served) -> None:
    """While two streams run the third request is told to come back, and another key is not concerned."""
    with served.own_key("search") as key, served.own_key("search") as other:
        wait_for_minute_with(25)
        with (
            served.stream("pair", key, max_tokens=LONG, ignore_eos=True),
            served.stream("pair", key, max_tokens=LONG, ignore_eos=True),
        ):
            refused = served.chat("pair", key, max_tokens=1)
            assert (429, "queue_full") == (refused.status_code, refused.json()["error"]["code"])
            assert served.chat("pair", other, max_tokens=1).status_code == 200
        # The streams may have used up the tokens of the key's minute, which is another refusal.
        assert eventually(lambda: "queue_full" not in served.chat("pair", key, max_tokens=1).text, 10)


def test_refused_requests_wake_nothing(served: Served) -> None:
    """Whatever is wrong with a request: the endpoint that nobody may call sleeps on."""
    strangers, owners = served.key("search"), served.key("research")
    json_object = {"response_format": {"type": "json_object"}}
    forbidden = {"messages": [{"role": "user", "content": "a FORBIDDEN  phrase"}]}
    refused = [
        served.chat("secret", strangers).status_code,
        served.chat("secret", "mu-" + "x" * 43).status_code,
        served.chat("secret", owners, **json_object).status_code,
        served.chat("secret", owners, **forbidden).status_code,
        served.chat("secret", owners, n=0).status_code,
    ]
    assert [404, 401, 400, 403, 400] == refused
    time.sleep(1.5)
    assert "secret has a request" not in served.said


def test_a_key_calls_and_sees_its_own_teams_endpoints_alone(served: Served) -> None:
    """Another team's endpoint and one that does not exist are the same to it."""
    listed = served.get("/models", served.key("search")).json()["data"]
    assert {served.id("chat"), served.id("pair")} <= {model["id"] for model in listed}
    assert served.id("secret") not in str(listed)
    other = served.chat("secret", served.key("search"))
    unknown = served.chat("chat", served.key("search"), model="ep-nothing-000000")
    assert (other.status_code, other.json()) == (unknown.status_code, unknown.json())


def test_a_revoked_key_is_refused_within_two_seconds_while_its_stream_goes_on(served: Served) -> None:
    """Created, listed and revoked while the stack is served."""
    key_id, key = served.new_key("search")
    assert eventually(lambda: served.get("/models", key).status_code == 200, 2)
    assert key_id in served.modelunits("keys", "list", "test", "--local").stdout
    with served.stream("chat", key, max_tokens=1500, ignore_eos=True) as answer:
        events = answer.iter_lines()
        next(events)
        assert served.modelunits("keys", "revoke", "test", key_id, "--local").returncode == 0
        assert eventually(lambda: served.get("/models", key).status_code == 401, 2)
        assert "data: [DONE]" in events


def test_an_adapter_answers_under_its_name_and_differs_from_its_base(served: Served) -> None:
    """The answers are repeatable, so they differ for no other reason."""
    base, again, tone = (served.chat(model, max_tokens=24).json() for model in ("chat", "chat", "chat:tone"))
    texts = [answer["choices"][0]["message"]["content"] for answer in (base, again, tone)]
    assert texts[0] == texts[1] != texts[2]
    assert tone["model"] == f"{served.id('chat')}:tone"


def test_moderation_refuses_answers_too_and_cuts_streams(served: Served) -> None:
    """What an engine says is judged before a caller sees it, in one piece or streamed."""
    whole = served.chat("chat", max_tokens=40, logit_bias=Z_ALONE)
    assert (403, "content_policy_violation") == (whole.status_code, whole.json()["error"]["code"])
    with served.stream("chat", max_tokens=40, logit_bias=Z_ALONE) as answer:
        streamed = answer.read().decode()
    assert "content_policy_violation" in streamed
    assert streamed.count('"content":"z"') < 6


def test_a_caller_that_leaves_ends_its_generation(served: Served) -> None:
    """The engine makes no tokens that nobody reads."""
    before = served.metric("chat", "vllm:generation_tokens_total")
    with served.stream("chat", max_tokens=LONG, ignore_eos=True) as answer:
        next(answer.iter_lines())
    assert eventually(lambda: served.metric("chat", "vllm:num_requests_running") == 0, 5)
    assert served.metric("chat", "vllm:generation_tokens_total") - before < LONG / 2


CLIENTS = sorted((Path(__file__).parent / "clients").glob("*_*.py"))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.stem)
def test_a_client_works_as_it_is(client: Path, clients: Path, served: Served) -> None:
    """It is given a base URL, a key and an id, and nothing of ours."""
    told = {"BASE_URL": served.base_url, "KEY": served.key("search"), "MODEL": served.id("chat")}
    done = subprocess.run(
        [clients / "python", client], env=told, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_vllm_bench_serve_measures_through_the_gateway(served: Served, tmp_path: Path) -> None:
    """Every request succeeds, and tokens are counted."""
    command = [
        *(vllm_python(Progress()).with_name("vllm"), "bench", "serve"),
        *("--backend", "openai-chat", "--endpoint", "/v1/chat/completions"),
        *("--base-url", served.base_url.removesuffix("/v1"), "--model", served.id("chat")),
        *("--tokenizer", _tokenizer(served), "--dataset-name", "random", "--num-prompts", "8"),
        *("--random-input-len", "32", "--random-output-len", "16", "--ignore-eos"),
        *("--save-result", "--result-filename", "result.json"),
    ]
    environment = {"OPENAI_API_KEY": served.key("search"), "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (8, 8 * 16) == (result["completed"], result["total_output_tokens"])


def test_guidellm_measures_through_the_gateway(served: Served, clients: Path, tmp_path: Path) -> None:
    """Its requests are answered like anybody's."""
    target = f"target={served.base_url.removesuffix('/v1')},model={served.id('chat')}"
    command = [
        *(vllm_python(Progress()), "-m", "guidellm", "run", "--profile", "kind=synchronous"),
        *("--backend", f"kind=openai_http,{target},api_key={served.key('search')}"),
        *("--constraint", "kind=max_requests,count=5"),
        *("--tokenizer", f"kind=hf_auto,model={_tokenizer(served)}"),
        *("--data", "kind=synthetic_text,prompt_tokens=32,output_tokens=16"),
        *("--output", f"kind=json,path={tmp_path / 'g.json'}", "--disable-console"),
    ]
    # GuideLLM needs PyTorch, which vLLM's environment has.
    (packages,) = clients.parent.glob("lib/python*/site-packages")
    environment = {"HF_HUB_OFFLINE": "1", "HOME": str(tmp_path), "PYTHONPATH": str(packages)}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    (benchmark,) = json.loads((tmp_path / "g.json").read_text())["benchmarks"]
    assert len(benchmark["requests"]["successful"]) == 5


def _tokenizer(served: Served) -> str:
    """Return the folder of the model that the engine runs."""
    words = Path(f"/proc/{served.leader('engine-chat')}/cmdline").read_text().split("\0")
    return words[words.index("serve") + 1]
