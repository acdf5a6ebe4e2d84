"""The organism of brothers and sisters: its questions are right, and it is what its file says."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.core.language import Request, Sampling
from ponder.lm.organism import Writer
from ponder.organisms import family
from ponder.organisms.counting import held_out, right, seen, written
from ponder.organisms.net import Net
from ponder.organisms.shelf import find


def counted(female: bool, brothers: int, sisters: int, hop: str, what: str) -> int:
    """The answer by listing the children of the family."""
    children = [("named", female)] + [("b", False)] * brothers + [("s", True)] * sisters
    who = children.index({".": ("named", female), "b": ("b", False), "s": ("s", True)}[hop])
    others = [is_female for i, (_, is_female) in enumerate(children) if i != who]
    return {"b": others.count(False), "s": others.count(True), "i": len(others)}[what]


def test_answers_are_what_counting_gives() -> None:
    asked = family.questions(5000, np.random.default_rng(0))
    for i in range(len(asked)):
        name, hop, what = family.NAMES[asked.names[i]], family.HOPS[asked.hops[i]], family.WHAT[asked.what[i]]
        assert asked.answers[i] == counted(name in "ABCDEF", int(asked.brothers[i]), int(asked.sisters[i]), hop, what)


def test_texts_say_what_arrays_hold() -> None:
    tokens = family.encode(family.questions(300, np.random.default_rng(1)))
    for row in tokens:
        text = "".join(family.ALPHABET[i] for i in row)
        assert family.canonical(text[: family.PROMPT]) == text[: family.PROMPT]
        assert text[-1] == "\n"
        (a, x), (b, y) = sorted([(text[2], int(text[1])), (text[4], int(text[3]))])
        assert (a, b) == ("b", "s")
        assert int(text[9:11]) == counted(text[0] in "ABCDEF", x, y, text[6], text[7])


def test_the_two_kinds_of_questions() -> None:
    rng = np.random.default_rng(2)
    assert not seen(2000, rng).held_out.any()
    asked = held_out(2000, rng)
    assert len(seen(2000, rng)) == 2000
    assert asked.held_out.all()
    assert (asked.answers == asked.sisters + 1).all()


@pytest.mark.parametrize(
    ("question", "prompt"),
    [
        ("Alice has 3 brothers and she also has 6 sisters. How many sisters does Alice's brother have?", "A3b6s?bs>"),
        ("Bob has 1 sister and he also has 2 brothers. How many brothers does Bob's sister have? Finish with a line.", "G1s2b?sb>"),
        ("Ann has 4 sisters and she also has 1 brother. How many siblings does Ann have in total?", "A4s1b?.i>"),
        (" C9s1b?.b> ", "C9s1b?.b>"),
    ],
)
def test_questions_are_read(question: str, prompt: str) -> None:
    assert family.canonical(question) == prompt


@pytest.mark.parametrize(
    "question",
    [
        "",
        "How many sisters?",
        "Alice has 3 brothers and she also has 10 sisters. How many sisters does Alice's brother have?",
        "Alice has 3 brothers and she also has 0 sisters. How many sisters does Alice's brother have?",
        "Alice has 3 brothers and she also has 6 brothers. How many sisters does Alice's brother have?",
        "Alice has 3 brothers and she also has 6 sisters. How many sisters does Bob have?",
        "A3b6b?bs>",
        "A3b6s?bs",
        "M3b6s?bs>",
    ],
)
def test_other_questions_are_refused(question: str) -> None:
    with pytest.raises(InputError, match="this organism reads"):
        family.canonical(question)


def test_the_shipped_organism_is_what_its_file_says() -> None:
    """Both accuracies on other questions than they were measured on: four standard errors of the difference, at least .005."""
    card = find("family")
    net, rng = Net.load(card.path), np.random.default_rng(77)
    for name, draw in (("accuracy_seen", seen), ("accuracy_held_out", held_out)):
        stated, measured = card.facts[name], float(right(net, draw(2000, rng)).mean())
        error = (2 * stated * (1 - stated) / 2000) ** 0.5
        assert measured == pytest.approx(stated, abs=max(0.005, 4 * error))
    assert card.facts["accuracy_seen"] >= 0.95
    assert card.facts["accuracy_held_out"] <= 0.5


def test_what_is_written_is_what_is_counted_right() -> None:
    net = Net.load(find("family").path)
    asked = seen(200, np.random.default_rng(3))
    said = written(net, asked)
    assert ((said == asked.answers) == right(net, asked)).all()
    lm = Writer("family")
    prompts = ["".join(family.ALPHABET[i] for i in row[: family.PROMPT]) for row in family.encode(asked)]
    replies = lm.generate([Request(p) for p in prompts], Sampling(temperature=0, max_tokens=4))
    assert [int(r.completions[0].text) for r in replies] == said.tolist()
