"""Alice in Wonderland: closed forms against persons who are made and counted, parsers, variations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.tasks import load, names
from ponder.tasks.aiw import PROMPTS, base_prompt, parse_answer, parse_confidence, parse_expression, problem_of
from ponder.tasks.aiw_families import FAMILIES, Variation, drawn_variation, paper_variations


@dataclass(eq=False)
class Person:
    """Somebody with parents, or with people known."""

    female: bool
    parents: tuple[Person, ...] = ()
    known: set[Person] = field(default_factory=set)


class World:
    """Persons; relations are found by looking at all of them."""

    def __init__(self) -> None:
        self.persons: list[Person] = []

    def add(self, female: bool, parents: tuple[Person, ...] = ()) -> Person:
        self.persons.append(Person(female, parents))
        return self.persons[-1]

    def siblings(self, of: Person, female: bool | None = None) -> list[Person]:
        return [p for p in self.persons if p is not of and p.parents and p.parents == of.parents and female in (None, p.female)]

    def children(self, of: Person) -> list[Person]:
        return [p for p in self.persons if of in p.parents]

    def cousins(self, of: Person) -> list[Person]:
        return [child for parent in of.parents for relative in self.siblings(parent) for child in self.children(relative)]

    def acquaint(self, group: list[Person]) -> None:
        for a, b in combinations(group, 2):
            a.known.add(b)
            b.known.add(a)


def couple(world: World) -> tuple[Person, ...]:
    return world.add(True), world.add(False)


def family_with(girls: int, boys: int) -> tuple[World, list[Person], list[Person]]:
    world = World()
    parents = couple(world)
    return world, [world.add(True, parents) for _ in range(girls)], [world.add(False, parents) for _ in range(boys)]


def counted_siblings(family: str, n: int, m: int) -> int:
    """The answer by counting: persons are made so that what the text says is true of them."""
    if family == "bob":
        world, girls, boys = family_with(n, m + 1)
        assert (len(world.siblings(boys[0], True)), len(world.siblings(boys[0], False))) == (n, m)
        return len(world.siblings(girls[0], False))
    if family.startswith("ext_"):
        world, girls, boys = family_with(*((n + 1, m + 1) if family != "ext_cross" else (m, n)))
        alice, bob = girls[0], boys[0]
        told = (world.siblings(alice, family != "ext_cross"), world.siblings(bob, family == "ext_cross"))
        assert tuple(map(len, told)) == (n, m)
        return len(world.siblings(*{"ext_sisters": (bob, True), "ext_brothers": (alice, False), "ext_cross": (alice, True)}[family]))
    world, girls, boys = family_with(m + 1, n)
    alice = girls[0]
    assert (len(world.siblings(alice, False)), len(world.siblings(alice, True))) == (n, m)
    if family == "light_attribute":
        return int(alice.female)
    if family == "light_family":
        return len(world.siblings(girls[1], False))
    return len(world.siblings(alice)) if family == "light_arithmetic" else len(world.siblings(boys[-1], True))


def counted_acquaintances(family: str, n: int, m: int) -> int:
    world = World()
    alice = world.add(True)
    if family == "friends":
        men, women = [world.add(False) for _ in range(n)], [world.add(True) for _ in range(m)]
        world.acquaint([alice, *men, *women])
        return sum(p.female for p in men[0].known)
    bob, matilda = world.add(False), world.add(True)
    hers, his = [world.add(True) for _ in range(n - 1)], [world.add(True) for _ in range(m - 1)]
    world.acquaint([alice, matilda, world.add(False), *hers])
    world.acquaint([bob, matilda, world.add(False), *his])
    assert (sum(p.female for p in alice.known), sum(p.female for p in bob.known)) == (n, m)
    return sum(p.female for p in matilda.known)


def counted_cousins(s: int, b: int, x: int, y: int, k: int) -> int:
    world = World()
    hers, his = couple(world), couple(world)
    mother, aunt = world.add(True, hers), world.add(True, hers)
    father, uncle = world.add(False, his), world.add(False, his)
    children = [world.add(i <= s, (mother, father)) for i in range(1 + s + b)]
    relatives = (world.add(False, hers), world.add(True, his))
    for relative, count in ((relatives[0], x - len(children)), (relatives[1], y - len(children)), (uncle, k)):
        for _ in range(count):
            world.add(False, (relative, world.add(not relative.female)))
    nephews = [len([c for r in world.siblings(of) for c in world.children(r)]) for of in (aunt, uncle)]
    assert nephews == [x, y]
    assert not world.children(aunt)
    return len(world.cousins(children[1]))


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("aiw_plus", "param")])
def test_closed_forms_are_what_counting_gives(family: str) -> None:
    count = counted_acquaintances if family in ("friends", "circles") else counted_siblings
    for n, m in product(range(1, 9), repeat=2):
        assert FAMILIES[family].solve({"n": n, "m": m}) == count(family, n, m), (n, m)


def test_cousins_are_what_counting_gives_on_1000_trees() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        numbers = drawn_variation("aiw_plus", "", 6, rng).numbers
        assert FAMILIES["aiw_plus"].solve(numbers) == counted_cousins(*(numbers[key] for key in "SBXYK"))


def test_the_keys_are_the_papers() -> None:
    task = load("aiw:variations=paper6")
    assert [task.gold(p) for p in task.problems] == ["7", "3", "5", "2", "4", "6"]
    task = load("aiw:family=aiw_plus")
    assert [task.gold(p) for p in task.problems] == ["7", "3", "5", "2"]


def test_what_the_paper_varies_is_varied() -> None:
    first = {p.data["variation"]: p.question.partition(".")[0] for p in load("aiw").problems}
    assert first == {
        "V1": "Alice has 3 brothers and she also has 6 sisters",
        "V2": "Alice has 2 sisters and she also has 4 brothers",
        "V3": "Alice has 4 sisters and she also has 1 brother",
        "V4": "Alice has 4 brothers and she also has 1 sister",
    }


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("### Answer: 7", "7", "7"),
        ("answer: **7**", "7", "7"),
        ("Alice's brother has 7 sisters", "7", None),
        ("Alice has 3 brothers.\n### Answer:\n12", "12", "12"),
        ("Answer: she has 6 and I add 1.\nAnswer: 7", "6", "7"),
        ("### Answer: 6. No, wait.\n### Answer: 7", "6", "7"),
        ("### Answer: 7.5", "7", None),
        ("### Answer: 7.", "7", "7"),
        ("none", None, None),
        ("", None, None),
        ("7", None, None),
    ],
)
def test_parsers(text: str, official: str | None, strict: str | None) -> None:
    assert parse_answer(text) == official
    assert parse_answer(text, "strict") == strict


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("### Answer: M + 1", "M+1"),
        ("**1+m**", "M+1"),
        ("$M+1$ sisters", "M+1"),
        ("N+M+1", None),
        ("M+1-1", None),
        ("M", None),
        ("M+10", None),
    ],
)
def test_expressions(text: str, value: str | None) -> None:
    assert parse_expression(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("### Answer: 7\n### Confidence: 95%", 0.95), ("confidence: **99.5 %**", 0.995), ("Confidence: 120%", 1.0), ("I am 90% sure", None)],
)
def test_confidences(text: str, value: float | None) -> None:
    assert parse_confidence(text) == value


def test_answers_are_graded_by_the_parser_that_is_asked_for() -> None:
    official, strict = load("aiw"), load("aiw:parser=strict")
    problem = official.problems[0]
    for text, credits_ in (("### Answer: 7", (1, 1)), ("She has 7 sisters", (1, 0)), ("She has 6 sisters", (0, 0)), ("nothing", (0, 0))):
        assert (official.grade(problem, None, text), strict.grade(problem, None, text)) == credits_
    assert official.grade(problem, "7") == 1
    assert official.grade(problem, None) == 0
    number = load("aiw:parser=number")
    assert number.grade(problem, problem.read("07"), "07") == 1
    assert official.grade(problem, problem.read("07"), "07") == 0
    letters = load("aiw:family=param")
    assert letters.grade(letters.problems[1], None, "### Answer: 1 + M") == 1
    assert letters.grade(letters.problems[1], None, "### Answer: M") == 0


def test_gold_answers_stay_out_of_problems() -> None:
    task = load("aiw:family=all,prompt=plain")
    for problem in task.problems:
        assert set(problem.data) == {"family", "variation", "prompt", "control", "numbers"}
        assert problem.data["numbers"] == re.findall(r"\d+", problem.question)
    assert [f for f in FAMILIES if FAMILIES[f].control] == ["light_family", "light_arithmetic", "light_attribute"]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_can_be_drawn_fresh(family: str) -> None:
    spec = f"aiw:family={family},variations=fresh,n=15,prompt=restricted"
    questions = [p.question for p in load(spec, seed=3).problems]
    assert len(set(questions)) == len(questions) == (2 if family == "param" else 15)
    assert [p.question for p in load(spec, limit=2, seed=3).problems] == questions[:2]
    if family != "param":
        assert questions != [p.question for p in load(spec, seed=4).problems]
    assert not any(re.search(r"\b1 \w*(brothers|sisters|friends|colleagues|sons)\b", q) for q in questions)
    assert all(
        q.endswith(PROMPTS["restricted"].replace("the number", "the expression" if family == "param" else "the number")) for q in questions
    )


def test_several_families_are_one_task() -> None:
    ids = [p.id for p in load("aiw:family=bob+aiw+bob").problems]
    assert ids == [f"{family}-V{i}" for family in ("bob", "aiw") for i in range(1, 5)]
    assert len(load("aiw:family=all").problems) == 4 * (len(FAMILIES) - 1) + 2


def test_singular_forms() -> None:
    text = problem_of("aiw", Variation("x", {"n": 1, "m": 1})).question
    assert text.startswith("Alice has 1 brother and she also has 1 sister.")
    assert "1 female colleague and" in problem_of("circles", Variation("x", {"n": 1, "m": 2})).question


def test_a_distractor_changes_no_answer() -> None:
    plain, distracted = load("aiw"), load("aiw:distractor=1")
    for a, b in zip(plain.problems, distracted.problems, strict=True):
        assert b.question.endswith(a.question)
        assert len(b.question) > len(a.question) + 10
        assert plain.gold(a) == distracted.gold(b)
        assert len(b.data["numbers"]) == 3


def test_base_form() -> None:
    assert base_prompt(load("aiw").problems[3]) == (
        "### Problem: Alice has 4 brothers and she also has 1 sister. How many sisters does Alice's brother have?\n### Answer: "
    )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("aiw:family=aiw_light", "no family is called 'aiw_light'"),
        ("aiw:prompt=think", "did you mean 'thinking'"),
        ("aiw:variations=new", "not 'new'"),
        ("aiw:variations=fresh,n=61", "n=61"),
        ("aiw:variations=fresh,n=9,high=2", "only 8 different variations"),
        ("aiw:parser=loose", "not 'loose'"),
    ],
)
def test_wrong_options_are_refused(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        load(spec)


@pytest.mark.parametrize(
    ("family", "numbers"),
    [
        ("aiw", {"n": 0, "m": 3}),
        ("light_family", {"n": 2, "m": -1}),
        ("aiw_plus", {"S": 2, "B": 0, "X": 2, "Y": 5, "K": 1}),
        ("aiw_plus", {"S": 2, "B": 1, "X": 9, "Y": 3, "K": 1}),
        ("aiw_plus", {"S": 2, "B": -1, "X": 9, "Y": 9, "K": 1}),
    ],
)
def test_impossible_numbers_are_refused(family: str, numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least"):
        problem_of(family, Variation("x", numbers))


def test_the_task_is_listed_with_its_families() -> None:
    assert "aiw" in names()
    assert len(paper_variations("aiw", 6)) == 6
