"""Token classifiers as process reward models, on a tiny random one: what is read where, and what is refused."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.errors import ContextOverflow, EngineError, InputError
from ponder.core.language import Message, RewardModel, Solution
from ponder.lm.scripted import Scripted

torch: Any = pytest.importorskip("torch", reason="needs the extra 'torch'")
transformers: Any = pytest.importorskip("transformers", reason="needs the extra 'torch'")
tokenizers: Any = pytest.importorskip("tokenizers", reason="needs the extra 'torch'")

from ponder.lm.token_rewards import TokenRewards  # noqa: E402

CONTEXT = 60


def save(folder: Path, labels: int = 2) -> Path:
    """A random llama of one layer whose tokens are single characters."""
    letters = [*string.ascii_letters, *string.digits, *"+-*/=?.;", "Ġ", "Ċ"]
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(tokenizer_object=core).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(letters),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.5,
        num_labels=labels,
    )
    transformers.LlamaForTokenClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TokenRewards:
    return TokenRewards(save(tmp_path_factory.mktemp("prm")), batch=2)


def test_each_step_is_read_at_the_last_token_of_its_separator(model: TokenRewards) -> None:
    """Against one plain forward pass for each prefix."""
    steps = ("one", "two=2", "3")
    text = "What?"
    (found,) = model.rewards([Solution(text, steps)])
    for i, value in enumerate(found.values):
        read = text + "".join(s + "\n" for s in steps[: i + 1])
        with torch.inference_mode():
            logits = model._module(input_ids=torch.tensor([model._tokenizer(read)["input_ids"]])).logits[0, -1]
        assert value == pytest.approx(float(logits.softmax(-1)[1]), abs=1e-5)
    assert found.prompt_tokens == len(text) + sum(len(s) + 1 for s in steps)


def test_a_batch_gives_what_its_parts_give(model: TokenRewards) -> None:
    solutions = [Solution("What?", ("a",)), Solution((Message("user", "Why"),), ("bb;", "c", "d")), Solution("x", ("long=step",))]
    together = model.rewards(solutions)
    for solution, found in zip(solutions, together, strict=True):
        assert model.rewards([solution])[0].values == pytest.approx(found.values, abs=1e-5)
        assert len(found.values) == len(solution.steps)
    assert isinstance(model, RewardModel)


def test_it_judges_a_search(model: TokenRewards) -> None:
    answer = ponder.ask("Why", method="best_of_n(4, prm)", model=Scripted({"1": 0.5, "2": 0.5}), reward=model)
    assert answer.value in ("1", "2")
    assert answer.bill.calls > 1


def test_bad_input_is_refused(model: TokenRewards, tmp_path: Path) -> None:
    with pytest.raises(ContextOverflow, match="reads at most 60"):
        model.rewards([Solution("x", ("y" * CONTEXT,))])
    with pytest.raises(EngineError, match="3 labels"):
        TokenRewards(save(tmp_path / "three", labels=3))
    with pytest.raises(EngineError, match="cannot load"):
        TokenRewards(tmp_path / "nothing")
    with pytest.raises(InputError, match="judges and does not write"):
        ponder.ask("?", model=f"prm:{save(tmp_path / 'two')}")


def test_a_closed_one_says_so(tmp_path: Path) -> None:
    closed = TokenRewards(save(tmp_path))
    closed.close()
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        closed.rewards([Solution("x", ("y",))])
