"""Problems of FOLIO's shapes: their labels by a prover, their sentences by eye."""

from __future__ import annotations

from collections import Counter

import pytest

from ponder.core.errors import InputError
from ponder.logic import entails, parse
from ponder.logic.mixed import mixed_sentence
from ponder.programs.formalise import statements
from ponder.tasks import load
from ponder.tasks.logic_mixed import made_mixed


def test_labels_are_what_a_prover_finds() -> None:
    for i in range(15):
        premises, conclusion, label = made_mixed(i, 1)
        found = entails(premises, conclusion, prover="resolution")
        assert found.settled
        assert not found.inconsistent
        assert found.label == label
        assert conclusion not in premises


def test_labels_are_balanced_and_a_limit_takes_the_first() -> None:
    task = load("logic-mixed:n=12", seed=2)
    assert Counter(task.answers.values()) == {"A": 4, "B": 4, "C": 4}
    assert load("logic-mixed:n=12", limit=5, seed=2).problems == task.problems[:5]
    assert load("logic-mixed:n=12", limit=5, seed=3).problems != task.problems[:5]
    premises, conclusion, _ = made_mixed(0, 2)
    assert statements(task.problems[0]) == (tuple(map(mixed_sentence, premises)), mixed_sentence(conclusion))
    with pytest.raises(InputError, match="logic-mixed"):
        load("logic-mixed:n=0")


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("-Artist(Ada)", "Ada is not an artist."),
        ("Knows(Ada, Ben)", "Ada knows Ben."),
        ("Artist(Ada) ^ -Knows(Ada, Ben)", "Either Ada is an artist or Ada does not know Ben, but not both."),
        ("Artist(Ada) | Baker(Ben)", "Ada is an artist or Ben is a baker, or both."),
        ("Artist(Ada) <-> Baker(Ada)", "Ada is an artist if and only if Ada is a baker."),
        ("Artist(Ada) -> Baker(Ada)", "If Ada is an artist, then Ada is a baker."),
        ("exists x. (Artist(x) & -Helps(Ben, x))", "Some person is an artist and Ben does not help that person."),
        ("all x. (Artist(x) -> Baker(x))", "If a person is an artist, then that person is a baker."),
        (
            "all x. (Artist(x) & Knows(x, Ada) -> Baker(x) | Doctor(x))",
            "If a person is an artist and that person knows Ada, then that person is a baker or that person is a doctor, or both.",
        ),
        ("all x. exists y. Knows(x, y)", "Every person knows some person."),
    ],
)
def test_sentences(formula: str, sentence: str) -> None:
    assert mixed_sentence(parse(formula)) == sentence
