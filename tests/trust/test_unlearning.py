"""Ununlearning: the paper's own example, filters, the closed world, and the probe on models whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.unlearning import (
    ConceptCard,
    ConceptWorld,
    ContextFilter,
    Theory,
    area,
    balanced_accuracy,
    defined_in,
    probe,
    recovery,
    text_probe,
)

ANIMALS = Theory(
    {
        "cat": frozenset({"ear", "eye", "tail"}),
        "tiger": frozenset({"cat", "big", "striped"}),
        "zebra": frozenset({"big", "striped", "gallops"}),
    }
)
WORLD = ConceptWorld(n_features=12, n_base=6, n_composite=8, n_vars=4)


def test_closures_of_the_papers_example():
    assert ANIMALS.closure(["tiger"]) == {"ear", "eye", "tail", "big", "striped"}
    assert ANIMALS.closure(["zebra"]) == {"big", "striped", "gallops"}
    assert ANIMALS.dependents("cat") == ["tiger"]
    with pytest.raises(InputError, match="a -> b -> a"):
        Theory({"a": frozenset({"b"}), "b": frozenset({"a"})})
    with pytest.raises(InputError, match="at least one part"):
        Theory({"a": frozenset()})


@pytest.mark.parametrize(
    ("prompt", "semantic", "keyword"),
    [
        ("DEF v cat big striped SEP Q v tail", False, True),
        ("DEF v striped cat big SEP Q v tail", False, True),
        ("DEF kitty cat SEP DEF v big kitty striped SEP Q v tail", False, True),
        ("DEF v ear eye tail big striped SEP Q v tail", False, True),
        ("DEF v cat big SEP DEF v v striped SEP Q v tail", False, True),
        ("Q tiger tail", False, False),
        ("DEF v cat big SEP Q v tail", True, True),
        ("DEF v big striped gallops SEP Q v big", True, True),
        ("Q zebra big", True, True),
        ("Q cat ear", True, True),
    ],
)
def test_filters_of_the_papers_example(prompt, semantic, keyword):
    assert ContextFilter(ANIMALS, ["tiger"]).check(prompt).allowed is semantic
    assert ContextFilter(ANIMALS, ["tiger"], "keyword").check(prompt).allowed is keyword


def test_a_split_definition_passes_a_filter_of_single_messages_only():
    talk = ["DEF v cat big SEP", "DEF u v striped SEP Q u tail"]
    assert ContextFilter(ANIMALS, ["tiger"], scope="message").check(talk).allowed
    verdict = ContextFilter(ANIMALS, ["tiger"]).check(talk)
    assert not verdict.allowed
    assert verdict.reason == "what it calls u amounts to tiger"
    assert verdict.tokens == 13
    with pytest.raises(InputError, match="must have definitions"):
        ContextFilter(ANIMALS, ["lion"])
    assert defined_in("DEF a b SEP and DEF c SEP") == [("a", ("b",))]


@given(st.permutations(["cat", "big", "striped", "gallops", "tail"]), st.integers(1, 5))
def test_a_semantic_filter_refuses_exactly_what_contains_the_forbidden_axioms(words, n):
    verdict = ContextFilter(ANIMALS, ["tiger"]).check(f"DEF v {' '.join(words[:n])} SEP Q v ear")
    assert verdict.allowed is not ({"cat", "big", "striped"} <= set(words[:n]))


def test_the_world_is_what_it_says():
    assert WORLD.bases.sum(axis=1).tolist() == [3] * 6
    assert len({tuple(r) for r in WORLD.composites.tolist()}) == 8
    assert WORLD.meaning(WORLD.composites).sum(axis=1).tolist() == [5] * 8
    asked = WORLD.taught(np.array([2]), np.array([1]))
    assert len(asked) == 12
    base, f, g = WORLD.composites[2]
    assert WORLD.text(asked.tokens[0]) == f"DEF v1 base{base} f{f} f{g} SEP Q v1 f0"
    for row, answer in zip(asked.tokens, asked.answers, strict=True):
        feature = WORLD.words[row[-1]]
        assert answer == (feature in WORLD.theory.closure(["concept2"]))
    assert WORLD.text(WORLD.direct(bases=np.array([3])).tokens[7]) == "Q base3 f7"


@pytest.mark.parametrize("axioms", [False, True])
def test_training_questions_are_right_balanced_and_leave_out_what_is_forgotten(axioms):
    gone = np.array([0, 5])
    plain, defined = WORLD.draw(4000, generator(0), gone, axioms)
    assert 0.45 < plain.answers.mean() < 0.55
    theory, forbidden = WORLD.theory, {tuple(WORLD.composites[g]) for g in gone}
    extras = {f"f{f}" for g in gone for f in WORLD.composites[g, 1:]}
    for row, answer in zip(plain.tokens[:500], plain.answers, strict=False):
        _, concept, feature = WORLD.text(row).split()
        assert concept not in ("concept0", "concept5")
        assert answer == (feature in theory.closure([concept]))
        assert not (axioms and feature in extras)
    for row, answer in zip(defined.tokens[:1500], defined.answers, strict=False):
        _, _, base, f, g, _, _, _, feature = WORLD.text(row).split()
        key = (int(base[4:]), *sorted((int(f[1:]), int(g[1:]))))
        assert key not in forbidden
        assert answer == (feature in theory.closure([base, f, g]))
        assert not (axioms and {f, g, feature} & extras)


def test_what_cannot_be_forgotten_is_refused_with_the_reason():
    base = f"base{WORLD.composites[0, 0]}"
    needed = ", ".join(WORLD.theory.dependents(base))
    with pytest.raises(InputError, match=f"{base} cannot be forgotten exactly: {needed} is made of it"):
        WORLD.checked([base])
    for wrong in ([], [99], [1, 1], ["concept9"]):
        with pytest.raises(InputError):
            WORLD.checked(wrong)
    assert WORLD.checked(["concept3", 4]).tolist() == [3, 4]
    with pytest.raises(InputError):
        ConceptWorld(n_features=5)


class Table:
    """A model that looks answers up: all are right but those it has forgotten."""

    def __init__(self, forgotten=(), in_context=True):
        self.forgotten, self.in_context = set(forgotten), in_context

    def __call__(self, tokens):
        said = []
        for row in tokens:
            words = WORLD.text(row).split()
            if words[0] == "DEF":
                said.append(float(self.in_context and words[-1] in WORLD.theory.closure(words[2:5])))
            else:
                said.append(float(words[1] not in self.forgotten and words[2] in WORLD.theory.closure([words[1]])))
        return said


def test_a_model_that_reads_its_context_recovers_everything():
    effect = probe(WORLD, Table(), Table(["concept1", "concept6"]), [1, 6])
    assert (effect.before, effect.unlearned, effect.taught, effect.recovery) == (1, 0.5, 1, 1)
    assert (effect.retained, effect.utility_cost, effect.axioms, effect.inconclusive) == (1, 0, 1, "")
    assert effect.tokens == (3, 9)


def test_a_probe_that_can_say_nothing_says_so():
    blind = probe(WORLD, Table(), Table(["concept1"], in_context=False), [1])
    assert "learns little in context (accuracy 0.50" in blind.inconclusive
    knew_nothing = probe(WORLD, Table(["concept1"]), Table(["concept1"]), [1])
    assert "little to forget (accuracy 0.50" in knew_nothing.inconclusive
    with pytest.raises(InputError, match="nothing was unlearned"):
        _ = knew_nothing.recovery


def test_measures():
    assert recovery(1, 0.5, 1) == 1
    assert recovery(1, 0.5, 0.75) == 0.5
    assert balanced_accuracy([0] * 6, [1, 0, 0, 0, 0, 0]) == 0.5, "always no is no knowledge"
    assert balanced_accuracy([1, 0, 0], [1, 1, 0]) == 0.75
    with pytest.raises(InputError):
        balanced_accuracy([1], [1])
    assert area(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, True, False, True])) == 0.875


def test_the_probe_in_words():
    """A model that answers yes to what stands in its prompt: chance without a definition, perfect with it."""
    cards = [ConceptCard("wug", "A wug is a dog that is blue.", ("a wug is blue",), ("a wug is red",))]

    def model(prompts):
        return [p.count("blue") - ("red" in p) if "A wug is" in p else 0.0 for p in prompts]

    assert text_probe(model, cards) == (0.5, 1.0)
    with pytest.raises(InputError):
        text_probe(model, [])
