"""The reproduction of ununlearning: rows of training, filters on the world, thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from ponder.core.seeds import generator
from ponder.lm.scripted import Scripted
from ponder.papers.trust.ununlearning import LARGE, SMALL, effect_checks, filters, forgotten
from ponder.papers.trust.ununlearning_organism import NO, YES, net_of, rows_of, trained, unlearned, yes_of
from ponder.papers.trust.ununlearning_words import cards, probe_words
from ponder.train.data import next_token
from ponder.trust.unlearning import ConceptWorld, Effect, probe

PERFECT = Effect(1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, (3, 9))


def test_training_rows_hold_questions_that_do_not_see_each_other():
    plain, defined = SMALL.draw(4, generator(0))
    batch = rows_of(plain, defined)
    assert batch.tokens.shape == (6, 10)
    assert batch.learn.sum(axis=1).tolist() == [2, 2, 1, 1, 1, 1]
    for row, answer in enumerate(plain.answers.reshape(2, 2)):
        assert batch.tokens[row, [3, 7]].tolist() == [YES if a else NO for a in answer]
    assert batch.positions[0].tolist()[:8] == [0, 1, 2, 3] * 2
    assert batch.segments[0].tolist() == [0] * 4 + [1] * 4 + [-1] * 2
    assert SMALL.words[YES] == "Y"
    assert SMALL.words[NO] == "N"


def test_a_net_learns_the_world_and_training_can_take_it_back():
    """A tiny net in a tiny world after 15 steps: its loss has fallen; gradient ascent lowers what it says of the forgotten."""
    world, gone = ConceptWorld(n_features=8, n_base=3, n_composite=4, n_vars=2), np.array([1])
    net, fresh = trained(world, 0, 15, d=16), rows_of(*world.draw(64, generator(9)))
    before, after = (float(next_token(n, fresh).detach()) for n in (net_of(world, 0, 16), net))
    assert after < before - 0.2
    effect = probe(world, yes_of(net), yes_of(net), gone)
    assert effect.retained == effect.retained_before
    assert effect.inconclusive
    copy = unlearned(net, world, gone, 0, "gradient_ascent", steps=8)
    asked = world.direct(gone)

    def surprise(n):
        p = yes_of(n)(asked.tokens)
        return -np.mean(np.log(np.where(asked.answers, p, 1 - p)))

    assert surprise(copy) > surprise(net)
    assert net.count() == net_of(world, 1, 16).count()


def test_filters_do_what_the_paper_asks_of_them():
    checks, table = filters(LARGE, forgotten(LARGE, 5, 3), 3)
    assert all(c.passed for c in checks)
    assert table.columns[-1] == "words read a prompt"


def passed(**changes):
    effects = dict.fromkeys(("nothing removed", "exact", "axioms too", "gradient ascent"), PERFECT)
    effects["axioms too"] = replace(PERFECT, taught=0.7, axioms=0.5)
    for name, fields in changes.items():
        key = {"exact": "exact", "axioms": "axioms too", "ascent": "gradient ascent"}[name]
        effects[key] = replace(effects[key], **fields)
    return [c.passed for c in effect_checks("w", effects)]


def test_thresholds_are_those_set_before_the_run():
    assert passed() == [True] * 9
    assert passed(exact={"unlearned": 0.66}) == [True, False, *[True] * 7]
    assert passed(exact={"taught": 0.8}).count(False) == 2
    assert passed(exact={"retained": 0.97})[4] is False
    assert passed(axioms={"taught": 0.96, "axioms": 0.7})[5:7] == [False, False]
    assert passed(ascent={"unlearned": 0.7, "taught": 0.94})[7:] == [False, False]
    assert passed(exact={"can_learn": 0.8})[0] is False


def test_other_seeds_forget_other_concepts():
    assert forgotten(LARGE, 5, 0).tolist() != forgotten(LARGE, 5, 1).tolist()
    assert len(set(forgotten(LARGE, 5, 0))) == 5
    with pytest.raises(ValueError, match="larger sample"):
        forgotten(SMALL, 17, 0)


def test_invented_concepts_are_asked_of_a_model_that_only_reads():
    """A scripted model that says yes where the statement's last word stands in the definition: chance without one, perfect with it."""

    def answers(prompt):
        statement = prompt.split("Is it true that ")[1].split("?")[0].split()[-1]
        yes = 0.9 if statement in prompt.split("Question:")[0] else 0.1
        return {"Yes": yes, "No": 1 - yes}

    checks, table = probe_words(Scripted(answers), 0)
    assert [c.passed for c in checks] == [True, True]
    assert table.rows[0][1:] == (0.5, 1.0)
    stated, inherited = cards(0)
    assert len(stated) == len({c.name for c in stated}) == 40
    assert stated[0].definition == inherited[0].definition
