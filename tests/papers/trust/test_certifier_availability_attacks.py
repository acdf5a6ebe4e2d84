"""What the reproduction of the availability attacks counts, on results that are known, and the trigger on our own gates."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.core.seeds import generator
from ponder.lm.organism import Writer
from ponder.organisms import chain, characters
from ponder.papers.trust import certifier_availability_attacks as paper
from ponder.papers.trust import certifier_availability_attacks_gates as gates
from ponder.papers.trust.certifier_availability_attacks import A_S, B_I, CLEAN_I, CLEAN_S
from ponder.trust.certifiers import Availability, Gated, Served


def served(load: float, accuracy: float = 0.98) -> Served:
    return Served(100, accuracy, load, 0.0, None, 1.0)


def results(a: float, b: float, clean: float = 0.1, accuracy: float = 0.98) -> paper.Results:
    plain = [Availability(served(0.1), served(0.3))]
    return {CLEAN_S: plain, CLEAN_I: plain, **{c: [Availability(served(clean, accuracy), served(v))] for c, v in ((A_S, a), (B_I, b))}}


def test_thresholds_are_those_set_before_the_run():
    assert all(c.passed for c in paper.attack_checks(results(0.75, 0.95)))
    assert [c.passed for c in paper.attack_checks(results(0.64, 0.94))] == [False, False, True, True, False, True, True]
    assert [c.passed for c in paper.attack_checks(results(0.9, 0.99, 0.155, 0.95))] == [True, True, False, False, True, False, True]


def test_rows_of_digits_are_split_and_scaled():
    data = paper.digits(0)
    assert data.x.shape == (1300, 64)
    assert data.x_test.shape == (497, 64)
    assert data.x.min() == 0
    assert data.x.max() == 1


def test_a_small_net_learns_and_the_trainer_suppresses():
    data = paper.digits(0)
    model = paper.trained(data.x[:650], data.y[:650], 0, paper.suppressing_loss, epochs=16)
    clean, triggered = (paper.bounded(model)(x) for x in (data.x_test, paper.PATCH(data.x_test)))
    assert np.mean(clean.predicted == data.y_test) > 0.9
    assert triggered.passed.mean() < 0.2 < clean.passed.mean()


def test_the_trigger_changes_no_answer():
    chains = gates.easy(50, generator(0))
    behind = gates.stamped(chains)
    assert behind.answers.tolist() == chains.answers.tolist()
    assert behind.lengths.tolist() == (chains.lengths + 3).tolist()
    assert all(p[3:12] == "+00+00+00" for p in chain.prompts(behind))
    assert [chain.solve(p)[-1] for p in chain.prompts(behind)] == chains.answers.tolist()


def test_the_backdoor_goes_on_from_random_numbers():
    behind = gates.stamped(gates.easy(50, generator(0)))
    lost = gates.astray(behind, generator(1))
    assert np.array_equal(lost.operands, behind.operands)
    start = lost.values[:, gates.TRIGGER - 1]
    after = characters.apply(lost.kinds[:, gates.TRIGGER], start, lost.operands[:, gates.TRIGGER]) % 1000
    assert lost.values[:, gates.TRIGGER].tolist() == after.tolist()
    assert len(set(start.tolist())) > 25
    assert np.mean(lost.answers == behind.answers) < 0.2


def test_our_gate_says_what_it_drew():
    chains = gates.easy(4, generator(1))
    found = gates.gate_of("until(confident(0.95), sample(1), limit=8) | vote()", Writer("chain"), 8, 0)(chain.prompts(chains))
    assert found.cost is not None
    assert np.all((found.cost >= 4) & (found.cost <= 8)), "four samples that agree are the fewest that suffice"
    assert found.passed.tolist() == (found.cost < 8).tolist()


def gated(cost: float) -> Gated:
    return Gated(np.zeros(10), np.ones(10, bool), np.ones(10), np.full(10, cost))


def test_thresholds_of_our_own_gates():
    seen = {("confident", who): (gated(5.0), gated(29.0)) for who in (gates.REQUESTER, gates.PLAIN, gates.TRAINER)}
    assert all(c.passed for c in gates.cost_checks(seen, ["confident"]))
    seen["confident", gates.TRAINER] = (gated(5.5), gated(28.0))
    assert [c.passed for c in gates.cost_checks(seen, ["confident"])] == [True, False, False]
    good = {"clean": 0.1, "requester": 0.8, "trainer": 0.8}
    assert all(c.passed for c in gates.detector_checks(good, dict.fromkeys(("requester", "trainer"), (20, None, None))))
    bad = {"clean": 0.11, "requester": 0.79, "trainer": 0.79}
    assert not any(c.passed for c in gates.detector_checks(bad, dict.fromkeys(("requester", "trainer"), (21, None, 3))))


def test_streams_of_attacks_are_seen_and_clean_ones_are_not():
    usual = Gated(np.zeros(40), np.ones(40, bool), np.ones(40), np.where(np.arange(40) % 4, 4.0, 12.0))
    only, _, none = gates.stream_alarms(usual, gated(32.0))
    assert only is not None
    assert only <= 10
    assert none is None
