"""The transformers engine on a tiny random model: exact log-probabilities, exact sampling, and the conformance checks."""

import math
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Allowance
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Message, Request, Sampling
from ponder.lm import testing

torch: Any = pytest.importorskip("torch", reason="needs the extra 'torch'")
transformers: Any = pytest.importorskip("transformers", reason="needs the extra 'torch'")
tokenizers: Any = pytest.importorskip("tokenizers", reason="needs the extra 'torch'")

from ponder.lm.transformers import Transformers  # noqa: E402

CONTEXT = 400
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"


def save_model(folder: Path, template: str | None = TEMPLATE) -> Path:
    """A random llama of two layers whose tokens are single characters, so that every text has one reading."""
    letters = [*string.ascii_letters, *string.digits, *"+-*/=?!.,:;()<>'", "Ġ", "Ċ"]
    vocabulary = {c: i for i, c in enumerate(["<end>", *letters])}
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")
    tokenizer.chat_template = template
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=0,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def lm(folder: Path) -> Iterator[Transformers]:
    engine = Transformers(folder)
    yield engine
    engine.close()


def exact(lm: Transformers, ids: list[int]) -> Any:
    """Log-probabilities of each next token by one plain forward pass, shape (len(ids), vocabulary)."""
    with torch.inference_mode():
        return lm.module(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)


@pytest.mark.parametrize("check", testing.CHECKS + testing.EXACT_CHECKS, ids=lambda c: c.__name__)
def test_conformance(lm: Transformers, check: testing.Check) -> None:
    check(lm)


def test_conformance_of_scores_and_closing(folder: Path) -> None:
    engine = Transformers(folder)
    testing.check_scores(engine, tolerance=1e-4)
    testing.check_closing(engine)
    with pytest.raises(EngineError, match="closed"):
        engine.generate([Request("q")], Sampling())
    with pytest.raises(EngineError, match="closed"):
        engine.logprobs([Continuation("q", "a")])


def test_scores_are_exact_in_any_batch(lm: Transformers) -> None:
    pairs = [("a", "b"), ("the long prompt of this batch is", " this one"), ("Q: 1+1\nA:", " 2"), ("x" * 60, "y" * 40)]
    for (prompt, text), scored in zip(pairs, lm.logprobs([Continuation(p, t) for p, t in pairs]), strict=True):
        before, after = lm.encode(prompt), lm.encode(text)
        table = exact(lm, before + after)
        expected = [table[len(before) + i - 1, token].item() for i, token in enumerate(after)]
        assert scored.logprobs == pytest.approx(expected, abs=2e-5)
        assert scored.prompt_tokens == len(before) + len(after)


def test_certainty_is_the_mean_divergence_of_guessing(lm: Transformers) -> None:
    """-mean(log p) - log V over the tokens of the text, at temperature 1 whatever it was drawn with (Kang et al. 2025, eq. 6)."""
    prompt = "three plus four"
    (reply,) = lm.generate([Request(prompt, n=3, seed=1)], Sampling(temperature=0.5, top_k=9, max_tokens=12))
    for c in reply.completions:
        if not c.token_ids:
            assert c.certainty is None
            continue
        before = lm.tokenizer(prompt)["input_ids"]
        table = exact(lm, [*before, *c.token_ids])[len(before) - 1 : -1]
        assert c.certainty == pytest.approx(float((-table.mean(-1) - math.log(table.shape[1])).mean()), abs=1e-4)


def test_drawn_logprobs_are_untempered(lm: Transformers) -> None:
    requests = [Request("a short one", n=3, seed=1), Request("and one that is rather longer", n=2, seed=2)]
    replies = lm.generate(requests, Sampling(temperature=0.6, top_k=20, max_tokens=10))
    for request, reply in zip(requests, replies, strict=True):
        before = lm.encode(request.prompt)
        assert reply.prompt_tokens == len(before)
        for c in reply.completions:
            table = exact(lm, [*before, *c.token_ids])
            assert c.logprobs == pytest.approx([table[len(before) + i - 1, t].item() for i, t in enumerate(c.token_ids)], abs=2e-5)


def test_greedy_is_the_most_probable_token_each_time(lm: Transformers) -> None:
    prompts = ["hello", "a much longer prompt than the other"]
    replies = lm.generate([Request(p, n=2) for p in prompts], Sampling(temperature=0, max_tokens=12))
    for prompt, reply in zip(prompts, replies, strict=True):
        ids = lm.encode(prompt)
        for token in reply.completions[0].token_ids:
            assert token == exact(lm, ids)[-1].argmax().item()
            ids.append(token)
        assert [c.tokens for c in reply.completions] == [reply.completions[0].tokens, 0]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, max_tokens=1),
        Sampling(temperature=0.5, max_tokens=1),
        Sampling(temperature=1.5, top_k=5, max_tokens=1),
        Sampling(temperature=1.5, top_p=0.7, max_tokens=1),
        Sampling(temperature=2.0, top_k=12, top_p=0.8, max_tokens=1),
    ],
    ids=str,
)
def test_first_tokens_have_the_stated_distribution(folder: Path, sampling: Sampling) -> None:
    n, lm = 4000, Transformers(folder, batch=4000)
    mass = (exact(lm, lm.encode("The sea is"))[-1].double() / sampling.temperature).softmax(-1)
    ranked = mass.argsort(descending=True).tolist()[: sampling.top_k or None]
    total = sum(mass[t].item() for t in ranked)
    kept: dict[int, float] = {}
    for t in ranked:
        if sum(kept.values()) >= sampling.top_p * total:
            break
        kept[t] = mass[t].item()
    (reply,) = lm.generate([Request("The sea is", n=n, seed=5)], sampling)
    counts = Counter(c.token_ids[0] if c.token_ids else 0 for c in reply.completions)
    assert set(counts) <= set(kept)
    for token, m in kept.items():
        p = m / sum(kept.values())
        assert abs(counts[token] / n - p) <= 5 * math.sqrt(p * (1 - p) / n) + 3 / n  # rare tokens are Poisson


def test_samples_of_one_prompt_read_it_once(folder: Path) -> None:
    lm = Transformers(folder)
    shapes: list[tuple[int, ...]] = []
    lm.module.register_forward_pre_hook(lambda _, __, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True)
    lm.generate([Request("four", n=8, seed=1), Request("longer one", n=2, seed=1)], Sampling(temperature=1.0, max_tokens=3))
    assert shapes[0] == (2, 10)
    assert all(width == 1 and height <= 10 for height, width in shapes[1:])


def test_batches_do_not_change_what_is_drawn(folder: Path, lm: Transformers) -> None:
    requests = [Request("one", n=5, seed=1), Request("the second", n=4, seed=2)]
    small = Transformers(folder, batch=3)
    whole, parts = (engine.generate(requests, testing.SHORT) for engine in (lm, small))
    assert [[c.text for c in r.completions] for r in whole] == [[c.text for c in r.completions] for r in parts]
    assert [(r.prompt_tokens, r.tokens_out) for r in whole] == [(r.prompt_tokens, r.tokens_out) for r in parts]
    told = Allowance(tokens=7)
    replies = small.generate(requests, testing.SHORT, told)
    assert [r.prompt_tokens for r in replies] == [3, 0]
    assert [[(c.tokens, c.finish) for c in r.completions] for r in replies] == [[(2, "cancelled")] * 3, []]


def test_a_stop_string_keeps_the_ids_that_the_text_needs(lm: Transformers) -> None:
    request = Request("abc", seed=3)
    (whole,) = lm.generate([request], Sampling(temperature=0.9, max_tokens=30))[0].completions
    stop = whole.text[10:13]
    (cut,) = lm.generate([request], Sampling(temperature=0.9, max_tokens=30, stop=("never there", stop)))[0].completions
    at = whole.text.index(stop)
    assert (cut.text, cut.finish, cut.tokens) == (whole.text[:at], "stop", at + 3)
    assert cut.token_ids == whole.token_ids[:at]
    assert len(cut.logprobs or ()) == at


def test_chats_go_through_the_template(lm: Transformers) -> None:
    chat = (Message("system", "be kind"), Message("user", "hi"))
    assert lm.tokenizer.decode(lm.encode(chat, "Well,")) == "<system>be kind\n<user>hi\n<assistant>Well,"
    raw = "<system>be kind\n<user>hi\n<assistant>"
    (a, b) = lm.logprobs([Continuation(chat, "yes"), Continuation(raw, "yes")])
    assert a.logprobs == pytest.approx(b.logprobs)
    asked, same = lm.generate([Request(chat, seed=4, prefix="Well,"), Request(raw + "Well,", seed=4)], testing.SHORT)
    assert asked.completions[0].text == same.completions[0].text


def test_the_context_is_a_limit(lm: Transformers) -> None:
    long = "a" * (CONTEXT - 3)
    (reply,) = lm.generate([Request(long, n=4)], Sampling(temperature=1.0, max_tokens=50))
    assert max(c.tokens for c in reply.completions) == 3
    assert {c.finish for c in reply.completions if c.tokens == 3} == {"length"}
    with pytest.raises(InputError, match=f"{CONTEXT} tokens"):
        lm.generate([Request("a" * CONTEXT)], Sampling())
    with pytest.raises(InputError, match="continuation"):
        lm.logprobs([Continuation(long, "abcd")])
    with pytest.raises(InputError, match="no tokens"):
        lm.generate([Request("")], Sampling())


def test_what_cannot_be_loaded_or_used_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(EngineError, match="cannot load"):
        Transformers(tmp_path)
    with pytest.raises(InputError, match="dtype"):
        Transformers(folder, dtype="float31")
    with pytest.raises(InputError, match="batch"):
        Transformers(folder, batch=0)
    plain = Transformers(save_model(tmp_path / "plain", template=None))
    with pytest.raises(InputError, match="no chat template"):
        plain.generate([Request((Message("user", "hi"),))], Sampling())


def test_hidden_states_and_gradients_can_be_had(lm: Transformers) -> None:
    out = lm.module(input_ids=torch.tensor([lm.encode("abc")]), output_hidden_states=True)
    assert len(out.hidden_states) == 3
    out.logits.sum().backward()
    assert lm.module.get_input_embeddings().weight.grad.abs().sum() > 0
    lm.module.zero_grad()
