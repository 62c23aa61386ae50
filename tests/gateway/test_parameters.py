"""Every parameter and feature that is refused: status, parameter, and an engine that sees nothing."""

import pytest
from real_gateway import Door

VALUE, PARAMETER, FEATURE = "invalid_value", "unsupported_parameter", "unsupported_feature"

REFUSED_EVERYWHERE = [
    ({"n": 0}, "n", VALUE),
    ({"n": 11}, "n", VALUE),
    ({"n": -1}, "n", VALUE),
    ({"n": 2.5}, "n", VALUE),
    ({"n": "2"}, "n", VALUE),
    ({"n": " 11" + " " * 20_000}, "n", VALUE),
    ({"n": True}, "n", VALUE),
    ({"n": 1e300}, "n", VALUE),
    ({"n": 2, "temperature": 0}, "n", VALUE),
    ({"n": 2, "temperature": 1e-9}, "n", VALUE),
    ({"n": 2, "top_k": 1}, "n", VALUE),
    ({"temperature": -0.1}, "temperature", VALUE),
    ({"temperature": 2.01}, "temperature", VALUE),
    ({"temperature": "hot"}, "temperature", VALUE),
    ({"top_p": 0}, "top_p", VALUE),
    ({"top_p": 1.01}, "top_p", VALUE),
    ({"top_k": -2}, "top_k", VALUE),
    ({"min_p": -0.1}, "min_p", VALUE),
    ({"min_p": 1.1}, "min_p", VALUE),
    ({"presence_penalty": 2.1}, "presence_penalty", VALUE),
    ({"presence_penalty": -2.1}, "presence_penalty", VALUE),
    ({"frequency_penalty": 2.1}, "frequency_penalty", VALUE),
    ({"repetition_penalty": 0}, "repetition_penalty", VALUE),
    ({"max_tokens": 0}, "max_tokens", VALUE),
    ({"max_completion_tokens": 0}, "max_completion_tokens", VALUE),
    ({"min_tokens": -1}, "min_tokens", VALUE),
    ({"length_penalty": "long"}, "length_penalty", VALUE),
    ({"length_penalty": 2}, "length_penalty", VALUE),
    ({"length_penalty": 2, "use_beam_search": False}, "length_penalty", VALUE),
    ({"use_beam_search": "true"}, "use_beam_search", VALUE),
    ({"use_beam_search": 1}, "use_beam_search", VALUE),
    ({"use_beam_search": True}, "n", VALUE),
    ({"use_beam_search": True, "n": 1, "temperature": 0}, "n", VALUE),
    ({"use_beam_search": True, "n": 2}, "temperature", VALUE),
    ({"use_beam_search": True, "n": 2, "temperature": 0.5}, "temperature", VALUE),
    ({"use_beam_search": True, "n": 2, "temperature": 0, "top_p": 0.5}, "top_p", VALUE),
    ({"use_beam_search": True, "n": 2, "temperature": 0, "top_k": 5}, "top_k", VALUE),
    ({"kv_transfer_params": {"do_remote_decode": True}}, "kv_transfer_params", PARAMETER),
    ({"kv_transfer_params": {}}, "kv_transfer_params", PARAMETER),
    ({"ec_transfer_params": {"a": 1}}, "ec_transfer_params", PARAMETER),
    ({"vllm_xargs": {"kv_transfer_params": "x"}}, "vllm_xargs", PARAMETER),
    ({"priority": -1}, "priority", PARAMETER),
    ({"priority": "-1"}, "priority", PARAMETER),
    ({"priority": " -1" + " " * 20_000}, "priority", PARAMETER),
]

STRUCTURED_OUTPUT = [
    ({"response_format": {"type": "json_object"}}, "response_format"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        "response_format",
    ),
    ({"response_format": {"type": "structural_tag", "format": {}}}, "response_format"),
    ({"response_format": {"type": "TEXT"}}, "response_format"),
    ({"response_format": {"type": ["text"]}}, "response_format"),
    ({"response_format": {}}, "response_format"),
    ({"response_format": "json_object"}, "response_format"),
    ({"structured_outputs": {"json": {"type": "object"}}}, "structured_outputs"),
    ({"structured_outputs": {"regex": "a+"}}, "structured_outputs"),
    ({"structured_outputs": {"choice": ["a", "b"]}}, "structured_outputs"),
    ({"structured_outputs": {"grammar": "root ::= 'a'"}}, "structured_outputs"),
    ({"structured_outputs": {}}, "structured_outputs"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
    ({"tool_choice": "Required"}, "tool_choice"),
    ({"guided_json": {"type": "object"}}, "guided_json"),
    ({"guided_regex": "a+"}, "guided_regex"),
    ({"guided_grammar": "root ::= 'a'"}, "guided_grammar"),
    ({"guided_choice": "a"}, "guided_choice"),
    ({"structural_tag": "{}"}, "structural_tag"),
]

TAKEN = [
    {},
    {"n": 10},
    {"n": None},
    {"n": 2, "temperature": 0.7},
    {"temperature": 2, "top_p": 1, "top_k": -1, "min_p": 1, "presence_penalty": 2, "frequency_penalty": -2},
    {"temperature": 0, "top_p": 0.001, "top_k": 0, "min_p": 0, "repetition_penalty": 0.1},
    {"max_tokens": 1, "max_completion_tokens": 131_072, "min_tokens": 0, "seed": 7, "priority": 0},
    {"use_beam_search": True, "n": 2, "temperature": 0, "top_p": 1.0, "top_k": -1, "length_penalty": 2},
    {"use_beam_search": False, "length_penalty": 1.0, "best_of": 2, "ignore_eos": True, "stop": ["a", "b"]},
    {"response_format": {"type": "text"}},
    {"response_format": None, "tool_choice": None, "structured_outputs": None, "kv_transfer_params": None},
    {"tool_choice": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tool_choice": "none", "logit_bias": {"1": 2}, "logprobs": True, "top_logprobs": 5, "user": "u"},
    {"chat_template_kwargs": {"enable_thinking": False, "response_format": {"type": "json_object"}}},
]


def _words(case: object) -> str:
    return str(case)[:60] if isinstance(case, dict) else ""


@pytest.mark.parametrize("endpoint", ["chat", "plain"])
@pytest.mark.parametrize(("fields", "param", "code"), REFUSED_EVERYWHERE, ids=_words)
def test_some_parameters_are_refused_everywhere(
    door: Door, endpoint: str, fields: dict[str, object], param: str, code: str
) -> None:
    """The answer names the parameter; the engine, asleep or not, hears nothing of it."""
    before = door.reached()
    answer = door.gateway.post(door.gateway.chat(endpoint, **fields))

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert {"param": param, "code": code, "type": "invalid_request_error"}.items() <= answer.json()[
        "error"
    ].items()
    assert door.reached() == before


@pytest.mark.parametrize(("fields", "param"), STRUCTURED_OUTPUT, ids=_words)
def test_structured_output_is_refused_where_the_template_does_not_offer_it(
    door: Door, fields: dict[str, object], param: str
) -> None:
    """Every road to it is closed there, and open at an endpoint whose template offers it."""
    before = door.reached()
    answer = door.gateway.post(door.gateway.chat("plain", **fields))

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["error"]["code"] == FEATURE
    assert door.reached() == before
    assert door.gateway.post(door.gateway.chat("chat", **fields)).status_code == 200


@pytest.mark.parametrize("fields", TAKEN, ids=_words)
def test_what_is_allowed_passes_as_it_was_sent(door: Door, fields: dict[str, object]) -> None:
    """Bounds belong to their ranges, null is as good as nothing; unknown fields are the engine's matter."""
    assert door.gateway.post(door.gateway.chat("plain", **fields)).status_code == 200


def test_another_teams_endpoint_is_as_unknown_as_one_that_is_not_there(door: Door) -> None:
    """Whatever else a request asks for, its refusal is the same: teams cannot find each other's endpoints."""
    for fields in ({}, {"response_format": {"type": "json_object"}}, {"stream": True}, {"guided_regex": "a"}):
        chat = door.gateway.chat("secret", **fields)
        theirs, none = (
            door.gateway.post({**chat, "model": model}) for model in (chat["model"], "ep-none-000000")
        )

        assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "model_not_found")
        assert theirs.text == none.text
    assert not [seen for seen in door.secret.seen if b'"stream"' in seen.body]
