"""The HTTP engine: the engine contract, what is sent, what is read, arguments."""

from __future__ import annotations

import gzip
import json
import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.lm.faulty_server import PIECE, FaultyServer, score
from tests.lm.http_helpers import CHAT, KEY, WARM, canned, choice, engine, saying

from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Request, Sampling
from ponder.lm import testing
from ponder.lm.http import HTTP


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as started:
        yield started


# --- the contract


@pytest.mark.parametrize("check", testing.CHECKS + testing.EXACT_CHECKS + testing.SCORE_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("quirk", ["", "no n"])
def test_contract(check: testing.Check, quirk: str) -> None:
    if quirk and check is testing.check_order:
        pytest.skip("each sample is a request of its own there, and its prompt is billed")
    # Servers do not tell token ids, so log-probabilities cannot be matched with them: `check_accounts` runs without.
    with FaultyServer(quirk=quirk) as server:
        lm = engine(server.url, logprobs=check is not testing.check_accounts)
        check(lm)
        lm.close()


def test_tokens_of_replies_equal_the_servers(server: FaultyServer) -> None:
    lm = engine(server.url)
    replies = lm.generate([Request("the sea", n=3, seed=1), Request(CHAT, n=2, seed=2)], WARM)
    for reply, served in zip(replies, sorted(server.served, key=lambda s: s.seed), strict=True):
        assert (reply.prompt_tokens, reply.tokens_out) == (served.prompt_tokens, served.completion_tokens)
        assert all(c.logprobs is not None and len(c.logprobs) == c.tokens for c in reply.completions)
    assert lm.usage_estimated == lm.retried == 0


# --- what is sent


def test_the_body_of_a_raw_prompt_is_exactly_this(server: FaultyServer) -> None:
    sampling = Sampling(temperature=0.25, max_tokens=7, top_p=0.5, top_k=3, stop=("\n", "END"))
    engine(server.url, api_key=KEY, extra={"min_p": 0.1}).generate([Request("the sea", n=2, seed=11, prefix=" is")], sampling)
    assert server.bodies == [
        {
            "model": "words",
            "prompt": "the sea is",
            "n": 2,
            "seed": 11,
            "temperature": 0.25,
            "max_tokens": 7,
            "top_p": 0.5,
            "top_k": 3,
            "stop": ["\n", "END"],
            "logprobs": 1,
            "min_p": 0.1,
        }
    ]
    assert server.served[0].path == "/v1/completions"
    assert server.served[0].headers["authorization"] == f"Bearer {KEY}"


def test_temperature_zero_is_sent_and_says_nothing_more_than_it_must(server: FaultyServer) -> None:
    (reply,) = engine(server.url, logprobs=False).generate([Request("the sea", n=5, seed=11)], Sampling(temperature=0, max_tokens=7))
    assert server.bodies == [{"model": "words", "prompt": "the sea", "n": 1, "seed": 11, "temperature": 0, "max_tokens": 7, "top_p": 1.0}]
    assert "authorization" not in server.served[0].headers
    assert len(reply.completions) == 5
    assert len({c.text for c in reply.completions}) == 1
    assert reply.tokens_out == server.served[0].completion_tokens


def test_a_chat_and_its_prefix(server: FaultyServer) -> None:
    engine(server.url).generate([Request(CHAT, seed=3, prefix="It is")], WARM)
    (body,) = server.bodies
    assert server.served[0].path == "/v1/chat/completions"
    assert body.pop("messages") == [
        *({"role": m.role, "content": m.content} for m in CHAT),
        {"role": "assistant", "content": "It is"},
    ]
    assert body == {
        "model": "words",
        "n": 1,
        "seed": 3,
        "temperature": 1.0,
        "max_tokens": 8,
        "top_p": 1.0,
        "logprobs": True,
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


def test_half_a_surrogate_pair_in_a_prompt_is_sent(server: FaultyServer) -> None:
    engine(server.url).generate([Request("the \ud800 sea")], WARM)
    assert server.bodies[0]["prompt"] == "the \ud800 sea"


# --- servers that differ


def test_samples_that_a_server_does_not_give_are_asked_for(server: FaultyServer) -> None:
    server.quirk = "no n"
    lm = engine(server.url)
    first, again = (lm.generate([Request("the sea", n=4, seed=5)], WARM)[0] for _ in range(2))
    assert [b["n"] for b in server.bodies] == [4, 1, 1, 1, *[1] * 4]
    assert len({b["seed"] for b in server.bodies}) == 4
    assert [c.text for c in first.completions] == [c.text for c in again.completions]
    assert len({c.text for c in first.completions}) > 1
    assert first.prompt_tokens == 4 * len(PIECE.findall("the sea"))
    assert first.tokens_out == sum(s.completion_tokens for s in server.served[:4])


def test_a_server_without_completions_gets_chats(server: FaultyServer) -> None:
    server.quirk = "no completions"
    lm = engine(server.url)
    with pytest.warns(UserWarning, match="has no /completions"):
        lm.generate([Request("the sea")], WARM)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm.generate([Request("the sea")], WARM)
    assert lm.dialect.chat_only
    assert [s.path.rpartition("v1")[2] for s in server.served] == ["/completions", "/chat/completions", "/chat/completions"]
    with pytest.raises(EngineError, match="404"):
        lm.logprobs([Continuation("the sea", " is")])


def test_a_wrong_model_name_is_no_missing_endpoint() -> None:
    with FaultyServer(quirk=(404, "The model `wrods` does not exist.")) as server:
        lm = engine(server.url)
        with pytest.raises(EngineError, match=r"`wrods` does not exist.*check the model's name"):
            lm.generate([Request("the sea")], WARM)
        assert not lm.dialect.chat_only


@pytest.mark.parametrize(("quirk", "field"), [("no logprobs", "logprobs"), ("no max_tokens", "max_tokens")])
def test_a_refused_field_is_remembered(server: FaultyServer, quirk: str, field: str) -> None:
    server.quirk = quirk
    lm = engine(server.url)
    for _ in range(2):
        assert len(lm.generate([Request(CHAT, n=2)], WARM)[0].completions) == 2
    assert [field in b for b in server.bodies] == [True, False, False]


def test_missing_logprobs_are_none(server: FaultyServer) -> None:
    server.quirk = "no logprobs in replies"
    (reply,) = engine(server.url).generate([Request("the sea", n=3)], WARM)
    assert [c.logprobs for c in reply.completions] == [None] * 3
    assert reply.tokens_out == server.served[0].completion_tokens


# --- replies read


def test_choices_in_the_order_of_their_index_and_surplus_ones_are_billed() -> None:
    choices = [choice("c", index=2), choice("b", index=1, finish_reason="length"), choice("a", index=0, finish_reason="odd")]
    usage = {"prompt_tokens": 9, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 4}}
    (reply,) = saying({"choices": choices, "usage": usage}).generate([Request("the sea", n=2)], WARM)
    assert [(c.text, c.finish) for c in reply.completions] == [("a", "stop"), ("b", "length")]
    assert (reply.tokens_out, reply.prompt_tokens, reply.cached_tokens) == (30, 9, 4)


@pytest.mark.parametrize(
    "usage",
    [
        *(None, 3, [], {}, {"prompt_tokens": 5}, {"prompt_tokens": -5, "completion_tokens": -2}),
        *({"prompt_tokens": "5", "completion_tokens": "2"}, {"prompt_tokens": 5, "completion_tokens": 1}),
        *({"prompt_tokens": True, "completion_tokens": 2.0}, {"prompt_tokens": 5, "completion_tokens": 0}),
    ],
)
def test_a_usage_that_cannot_be_true_is_counted(usage: Any) -> None:
    lm = saying({"choices": [choice(logprobs={"token_logprobs": [-0.5, -1]})], "usage": usage})
    (reply,) = lm.generate([Request("x" * 20)], WARM)
    assert (reply.tokens_out, reply.prompt_tokens, lm.usage_estimated) == (2, 5, 1)


def test_log_probabilities_in_the_chat_form_at_completions() -> None:
    # llama-server answers so
    lm = saying({"choices": [choice(logprobs={"content": [{"logprob": -0.5}, {"logprob": -1}]})]})
    assert lm.generate([Request("the sea")], WARM)[0].completions[0].logprobs == (-0.5, -1.0)


def test_a_model_that_only_thought_wrote_nothing() -> None:
    message = {"content": None, "reasoning_content": "hm"}
    lm = saying({"choices": [{"message": message, "finish_reason": "length"}], "usage": {"prompt_tokens": 5, "completion_tokens": 8}})
    (completion,) = lm.generate([Request(CHAT)], WARM)[0].completions
    assert (completion.text, completion.tokens, completion.finish) == ("", 8, "length")


def test_compressed_replies() -> None:
    data = gzip.compress(json.dumps({"choices": [choice()]}).encode())
    lm = canned(lambda request: httpx.Response(200, headers={"content-encoding": "gzip"}, content=data))
    assert lm.generate([Request("the sea")], WARM)[0].completions[0].text == "yes"


SHAPES: list[Any] = [
    *(None, [], 3, "x", {}, {"choices": None}, {"choices": []}, {"choices": ["x"]}, {"choices": {"0": choice()}}, {"error": "?"}),
    *({"choices": [c]} for c in (choice(None), choice(3), choice(["x"]), {}, {"message": None}, {"message": {}}, choice(logprobs=3))),
    *({"choices": [choice(logprobs={"token_logprobs": v})]} for v in ("x", ["-1"], [True], [[]], {}, 3)),
    {"choices": [choice(logprobs={"content": [3]})]},
]


@pytest.mark.parametrize("data", SHAPES, ids=lambda d: json.dumps(d)[:60])
def test_a_reply_of_the_wrong_shape_is_an_engine_error_after_retries(data: Any) -> None:
    lm = saying(data, retries=2)
    with pytest.raises(EngineError, match=r"no usable reply from .* in 3 attempts; the last: an unusable reply"):
        lm.generate([Request("the sea")], WARM)
    assert lm.retried == 2


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe\xfa", b"[" * 100_000, b'{"choices": [{"text": "ha'])
def test_a_reply_that_is_no_json_is_an_engine_error_after_retries(content: bytes) -> None:
    lm = canned(lambda request: httpx.Response(200, content=content), retries=1)
    with pytest.raises(EngineError, match="unusable reply"):
        lm.generate([Request("the sea")], WARM)


# --- scores


@pytest.mark.parametrize("quirk", ["", "no max_tokens 0"])
def test_scores_are_those_of_the_continuation(server: FaultyServer, quirk: str) -> None:
    server.quirk = quirk
    lm = engine(server.url)
    asked = [Continuation("a dog is", " old the"), Continuation("the sea", " runs far dog"), Continuation("the s", "ea is")]
    for continuation, scored in zip(asked, lm.logprobs(asked), strict=True):
        tokens, values = score("x", continuation.prompt + continuation.text)  # type: ignore[operator]
        words = 2 + (continuation is asked[1])
        assert scored.logprobs == pytest.approx(values[-words:])
        assert scored.prompt_tokens == len(tokens) + (quirk != "")
    assert server.bodies[0]["max_tokens"] == 0
    assert lm.dialect.echo_tokens == (quirk != "")


def test_scores_behind_an_unseen_first_token_and_split_characters() -> None:
    # the prompt's tokens do not join to its text, and the offsets are shifted
    form = {"tokens": ["<s>", "\ufffd", "\ufffd", " is", " old", "</s>"], "token_logprobs": [None, -1, -2, -3, -4, -5]}
    lm = saying({"choices": [choice("ß is old", form | {"text_offset": [0, 3, 4, 5, 8, 12]})]})
    assert lm.logprobs([Continuation("ß", " is old")])[0].logprobs == (-3, -4)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (choice(" far", {"token_logprobs": [-1.0]}), "ignores echo"),
        (choice("the sea is far"), "no token_logprobs"),
        (choice("the sea is far", {"tokens": ["?"], "token_logprobs": [-1.0], "text_offset": [10]}), "generated tokens only"),
        (choice("the sea is", {"token_logprobs": [-1.0]}), "where its tokens start"),
        (choice("the sea is", {"tokens": ["the sea is"], "token_logprobs": [None]}), "put a prompt before it"),
    ],
)
def test_a_server_that_cannot_score_is_said_to(data: Any, says: str) -> None:
    with pytest.raises(EngineError, match=says):
        saying({"choices": [data]}).logprobs([Continuation("the sea", " is")])


def test_chats_cannot_be_scored() -> None:
    with pytest.raises(EngineError, match="raw text"):
        engine().logprobs([Continuation(CHAT, " is")])


# --- arguments


@pytest.mark.parametrize(
    "options",
    [
        *({"url": u} for u in ("", "localhost:8000", "ftp://x/v1", "http://", "http://x/v1#a", "http://x:port/v1")),
        *({"model": ""}, {"concurrency": 0}, {"timeout": 0}, {"timeout": math.inf}, {"retries": -1}, {"retries": 1.5}),
        *({"extra": {"temperature": 1}}, {"extra": {"stream": True}}, {"extra": {"x": object()}}),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        HTTP(**{"url": "http://127.0.0.1:1/v1", "model": "words", "api_key": ""} | options)


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": f"{KEY}\r\nHost: x"},
        {"url": f"http://user:{KEY}@127.0.0.1/v1"},
        {"url": f"http://127.0.0.1/v1?key={KEY}"},
        {"url": f"http://user:{KEY}@127.0.0.1:port/v1"},
    ],
)
def test_keys_in_bad_arguments_are_not_quoted(options: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        HTTP(**{"url": "http://127.0.0.1:1/v1", "model": "words", "api_key": ""} | options)
    assert KEY not in str(raised.value)


def test_the_key_of_the_environment(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    lm = HTTP(server.url, "words")
    lm.generate([Request("the sea")], WARM)
    assert server.served[0].headers["authorization"] == f"Bearer {KEY}"
    assert lm.name == "http:words"


def test_the_environments_proxy_is_used(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    engine("http://far.example/v1").generate([Request("the sea")], WARM)
    assert server.served[0].headers["host"] == "far.example"


def test_elapsed_seconds_are_told(server: FaultyServer) -> None:
    began = time.monotonic()
    (reply,) = engine(server.url).generate([Request("the sea")], WARM)
    assert 0 < reply.seconds <= time.monotonic() - began
