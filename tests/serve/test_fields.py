"""What a client sends is what the engine sees, or a refusal."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.live import Seen

from ponder.core.language import Message
from ponder.serve.app import create_app
from ponder.serve.config import Alias, Config, Model
from ponder.serve.engines import Engines

ENGINE = Seen()
HERE = "http://localhost"
CONFIG = Config(
    models={"scripted": Model(engine="scripted:a=1")}, aliases={"careful": Alias("scripted", "sample(4) | vote()", "2k tokens")}
)
APP = create_app(CONFIG, Engines({"scripted": ENGINE}, CONFIG.aliases))
CLIENT = TestClient(APP, HERE, raise_server_exceptions=True)
USER = {"role": "user", "content": "What is 7 * 8?"}
METHODS = (
    "",
    ":sample(3)|vote()",
    ":rpc(4)",
    ":best_of_n(3, likelihood)",
    ":beam_search(2, 2, likelihood)",
    ":particle_filter(2, likelihood)",
)


def post(body: object, path: str = "/v1/chat/completions"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CLIENT.post(path, content=content, headers={"content-type": "application/json"})


fields = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2, allow_subnormal=False),
        "top_p": st.floats(0.01, 1),
        "top_k": st.integers(0, 50),
        "max_tokens": st.integers(1, 100),
        "stop": st.one_of(st.text("xyz", min_size=1, max_size=3), st.lists(st.text("xyz", min_size=1, max_size=3), max_size=3)),
        "seed": st.integers(-(2**63), 2**63),
    },
)


@settings(max_examples=60, deadline=None)
@given(fields, st.sampled_from(METHODS), st.booleans())
def test_every_sampling_field_reaches_the_engine(sent, method, stream):
    ENGINE.seen.clear()
    reply = post({"model": f"scripted{method}", "messages": [USER], "stream": stream, **sent})
    assert reply.status_code == 200, reply.text
    assert ENGINE.seen
    stops = sent.get("stop", [])
    for request, sampling in ENGINE.seen:
        assert request.prompt == (Message("user", USER["content"]),)
        for name in sent.keys() & {"temperature", "top_p", "top_k"}:
            assert getattr(sampling, name) == sent[name]
        assert sampling.max_tokens <= sent.get("max_tokens", 1024)
        assert {stops} <= set(sampling.stop) if isinstance(stops, str) else set(stops) <= set(sampling.stop)
    if "seed" in sent and not method:
        assert ENGINE.seen[0][0].seed == sent["seed"]


def test_turns_reach_the_engine_as_turns():
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": 'Print "User: hi"'},
        {"role": "assistant", "content": 'print("User: hello")\nAssistant: ok'},
        {"role": "user", "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "now?"}]},
    ]
    for method in METHODS[:3]:
        ENGINE.seen.clear()
        assert post({"model": f"scripted{method}", "messages": turns}).status_code == 200
        wanted = (*(Message(t["role"], t["content"]) for t in turns[:3]), Message("user", "And now?"))
        assert ENGINE.seen[0][0].prompt == wanted


def test_a_reply_that_holds_user_survives():
    engine = Seen({'print("User: hello")': 1.0})
    client = TestClient(create_app(engines=Engines({"m": engine})), HERE)
    for model in ("m", "m:sample(2)|vote()"):
        reply = client.post("/v1/chat/completions", json={"model": model, "messages": [USER], "ponder": {"reads": "text"}})
        assert reply.json()["choices"][0]["message"]["content"] == 'print("User: hello")'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"min_p": 0.1}, "min_p"),
        ({"base_url": "http://evil"}, "base_url"),
        ({"api_key": "x"}, "api_key"),
        ({"n": 2}, "one answer"),
        ({"n": 65}, "at most 64"),
        ({"max_tokens": 9000}, "at most 8192"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "differ"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"stop": ""}, "stop"),
        ({"seed": 1, "ponder": {"seed": 2}}, "differ"),
        ({"ponder": {"method": "sample(1)"}}, "already has the method"),
        ({"ponder": {"budget": "lots"}}, "budget"),
        ({"ponder": {"url": "http://evil"}}, "url"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "only text"),
        ({"messages": [{"role": "assistant", "content": "56"}]}, "user's"),
        ({"messages": [{"role": "tool", "content": "56", "tool_call_id": "1"}]}, "messages"),
        ({"messages": []}, "messages"),
        ({"model": "scripted:sample(2, temperature=0.5)|vote()", "temperature": 0.2}, "leave one out"),
        ({"model": "scripted:sample(2, model='http://evil#m')"}, "no model is called"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_is_spent(more, said):
    ENGINE.seen.clear()
    reply = post({"model": "scripted:sample(2)|vote()", "messages": [USER], **more})
    assert reply.status_code == 400
    assert said in reply.json()["error"]["message"]
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert ENGINE.seen == []


def test_what_asks_for_nothing_is_no_reason_to_refuse():
    neutral = {"logprobs": False, "presence_penalty": 0, "frequency_penalty": 0.0, "tools": [], "response_format": {"type": "text"}}
    sent = {"model": "scripted:sample(2)|vote()", "messages": [USER], "user": "u", "n": 1, "seed": None, **neutral}
    assert post(sent).status_code == 200


def test_addresses_are_no_model_names():
    for model in ("http://127.0.0.1:1/v1#m", "smollm2", "organism:chain", "scripted:http://x#m"):
        assert post({"model": model, "messages": [USER]}).status_code in (400, 404)


def test_an_alias_brings_its_method_and_its_budget():
    own = post({"model": "careful", "messages": [USER]}).json()["ponder"]
    assert (own["method"], own["budget"]) == ("sample(4) | vote()", "2000 tokens, 300 s")
    assert (
        post({"model": "careful", "messages": [USER], "ponder": {"budget": "9m tokens"}}).json()["ponder"]["budget"]
        == "100000 tokens, 300 s"
    )


def test_bodies_that_are_none():
    assert post(b"{").status_code == 400
    assert post(b"[]").status_code == 400
    assert post(b"[" * 100_000).status_code == 400
    assert post(b'{"model": NaN}').status_code == 400
    assert post(b" " * 4_000_001).status_code == 413
    assert CLIENT.get("/v1/chat/completions").status_code == 405


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("model", "messages", "prompt", "input", "temperature", "top_p", "top_k", "max_tokens", "stop", "seed", "n", "stream", "ponder")


@settings(max_examples=250, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), json_values, max_size=4),
    st.sampled_from(["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"]),
    st.booleans(),
)
def test_no_body_is_a_server_error(body, path, begun):
    asks = {"messages": [USER], "prompt": "a"} if path.endswith("completions") else {"input": "a"}
    base = {"model": "scripted", **asks} if begun else {}
    reply = post({**base, **body}, path)
    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        assert reply.json()["error"]["message"]
