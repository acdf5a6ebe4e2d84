"""The real `openai` package against a gateway on a socket."""

from __future__ import annotations

import asyncio

import openai
import pytest
from tests.serve.live import gateway

from ponder.core.errors import EngineError
from ponder.lm.scripted import Scripted

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 7 * 8?"}]
VOTE = "scripted:sample(16)|vote()"


@pytest.fixture(scope="module")
def live():
    with gateway(more={"failing": Scripted({"never": 1.0}, faults=1.0)}) as running:
        yield running


@pytest.fixture
def client(live):
    with openai.OpenAI(base_url=live.v1, api_key="none", max_retries=0) as made:
        yield made


def test_a_method_in_the_model_name(client):
    reply = client.chat.completions.create(model=VOTE, messages=ASK, seed=1)
    own = reply.model_extra["ponder"]
    assert reply.choices[0].message.content == "7 * 8 is 56. The answer is 56."
    assert own["value"] == "56"
    assert own["shares"].keys() == {"56", "54"}
    assert own["confidence"] == own["shares"]["56"]
    assert reply.usage.total_tokens == own["bill"]["tokens"]
    assert reply.usage.completion_tokens > 16 * 4  # losers are counted


def test_the_same_in_extra_body(client):
    body = {"ponder": {"method": "sample(16) | vote()", "seed": 1, "budget": "4k tokens"}}
    by_name = client.chat.completions.create(model=VOTE, messages=ASK, seed=1)
    by_field = client.chat.completions.create(model="a:b", messages=ASK, extra_body=body)
    assert by_field.model_extra["ponder"]["shares"] == by_name.model_extra["ponder"]["shares"]
    assert by_field.model_extra["ponder"]["budget"] == "4000 tokens, 300 s"


def test_streaming_from_the_first_token_with_usage(client):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="scripted", messages=ASK, seed=1, stream=True, stream_options=options))
    whole = client.chat.completions.create(model="scripted", messages=ASK, seed=1)
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(pieces) > 4
    assert "".join(pieces) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_a_streamed_method_gives_its_answer_once(client):
    with client.chat.completions.stream(model=VOTE, messages=ASK, seed=1) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "7 * 8 is 56. The answer is 56."


def test_n_choices_of_a_plain_completion_streamed_and_whole(client):
    whole = client.chat.completions.create(model="scripted", messages=ASK, n=3, seed=5)
    told = ["", "", ""]
    for chunk in client.chat.completions.create(model="scripted", messages=ASK, n=3, seed=5, stream=True):
        for choice in chunk.choices:
            told[choice.index] += choice.delta.content or ""
    assert told == [c.message.content for c in whole.choices]


def test_completions_of_raw_text_reach_the_engine_raw(client, live):
    client.completions.create(model="scripted", prompt="Once upon", max_tokens=3, stop="is")
    request, sampling = live.engine.seen[-1]
    assert (request.prompt, sampling.max_tokens, sampling.stop) == ("Once upon", 3, ("is",))


def test_responses_of_a_method_and_of_a_conversation(client, live):
    reply = client.responses.create(model=VOTE, input=ASK, extra_body={"seed": 1})
    assert (reply.status, reply.output_text) == ("completed", "7 * 8 is 56. The answer is 56.")
    assert reply.usage.total_tokens == reply.model_extra["ponder"]["bill"]["tokens"]
    turns = [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}, *(o.model_dump() for o in reply.output), ASK[1]]
    cut = client.responses.create(model="scripted", input=turns, instructions="Be brief.", max_output_tokens=3)
    assert (cut.status, cut.incomplete_details.reason, cut.usage.output_tokens) == ("incomplete", "max_output_tokens", 3)
    request, _ = live.engine.seen[-1]
    assert [m.role for m in request.prompt] == ["system", "user", "assistant", "user"]
    assert request.prompt[2].content == reply.output_text
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(model="scripted", input="And 8 * 8?", previous_response_id=reply.id)


@pytest.mark.parametrize(("model", "refused"), [("scripted", False), (VOTE, False), ("scripted:sample(16)|vote()|abstain(0.99)", True)])
def test_streamed_responses_end_as_whole_ones(client, model, refused):
    with client.responses.stream(model=model, input=ASK, extra_body={"seed": 1}) as stream:
        events = list(stream)
        final = stream.get_final_response()
    whole = client.responses.create(model=model, input=ASK, extra_body={"seed": 1})
    (part,), (same,) = final.output[0].content, whole.output[0].content
    assert part.type == ("refusal" if refused else "output_text")
    said = part.refusal if refused else part.text
    assert said == (same.refusal if refused else same.text)
    assert final.usage == whole.usage
    assert [e.sequence_number for e in events] == list(range(len(events)))
    deltas = [e.delta for e in events if e.type.endswith(".delta")]
    assert "".join(deltas) == said
    assert len(deltas) > 4 or model != "scripted"


def test_models_and_errors_have_openais_shape(client):
    assert [m.id for m in client.models.list()] == ["scripted", "a:b", "failing"]
    assert client.models.retrieve("a:b").id == "a:b"
    with pytest.raises(openai.NotFoundError, match="there are scripted") as missing:
        client.chat.completions.create(model="gpt", messages=ASK)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="at character"):
        client.chat.completions.create(model="scripted:sample(", messages=ASK)
    with pytest.raises(openai.BadRequestError, match="no embeddings"):
        client.embeddings.create(model="scripted", input="a")
    with pytest.raises(openai.InternalServerError, match="failed"):
        client.chat.completions.create(model="failing", messages=ASK)


def test_an_error_of_the_engine_before_the_first_piece_is_an_error_reply(client):
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="failing", messages=ASK, stream=True)
    assert failed.value.status_code == 502


def test_an_abstention_is_a_refusal(client):
    reply = client.chat.completions.create(model="scripted:sample(16)|vote()|abstain(0.99)", messages=ASK, seed=1)
    assert reply.choices[0].message.content is None
    assert "abstained" in reply.choices[0].message.refusal
    assert reply.model_extra["ponder"]["abstained"]


def test_retries_after_an_engine_that_failed_once():
    class Once(Scripted):
        def generate(self, requests, sampling, allowance=None):
            replies = super().generate(requests, sampling, allowance)
            if self.calls == 1:
                raise EngineError("down for a moment")
            return replies

    engine = Once({"back": 1.0})
    with gateway(more={"once": engine}) as live, openai.OpenAI(base_url=live.v1, api_key="none", max_retries=2) as client:
        assert client.chat.completions.create(model="once", messages=ASK).choices[0].message.content == "back"
    assert engine.calls == 2


def test_async_clients_side_by_side(live):
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=live.v1, api_key="none") as client:
            replies = await asyncio.gather(*(client.chat.completions.create(model=VOTE, messages=ASK, seed=1) for _ in range(20)))
            streamed = [c async for c in await client.chat.completions.create(model=VOTE, messages=ASK, seed=1, stream=True)]
            text = "".join(c.choices[0].delta.content or "" for c in streamed if c.choices)
            return [*(r.choices[0].message.content for r in replies), text]

    assert set(asyncio.run(ask())) == {"7 * 8 is 56. The answer is 56."}


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_times_out_stops_costing(stream):
    words = {" ".join(["word"] * 5000): 1.0}
    with gateway(slow=0.005, answers=words) as live, openai.OpenAI(base_url=live.v1, api_key="none", max_retries=0) as client:
        if stream:
            pieces = client.chat.completions.create(model="scripted", messages=ASK, max_tokens=5000, stream=True)
            next(iter(pieces))
            pieces.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                client.chat.completions.create(model="scripted", messages=ASK, max_tokens=5000, timeout=0.3)
        counted = live.gateway.admission.metrics
        assert live.until(lambda: not live.gateway.jobs, 1.0)
        assert 'status="499"' in counted.text().decode()
        assert b'ponder_tokens_total{direction="out"}' in counted.text()
