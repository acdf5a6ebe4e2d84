"""Six tasks where thinking hurts people: each truth found another way, harnesses with learners whose results are known."""

from __future__ import annotations

import math
import re
from itertools import product

import numpy as np
import pytest

from ponder.bench.ranking import auroc
from ponder.core.errors import InputError, PonderError
from ponder.core.problem import Problem
from ponder.lm.scripted import Scripted
from ponder.programs.prompts import write_prompt
from ponder.tasks import load, names
from ponder.tasks.mind_your_step import MIND_YOUR_STEP, faces, preferences
from ponder.tasks.mind_your_step.exceptions import FEATURES, chat, memoriser, rule_follower, run_passes, vehicles
from ponder.tasks.mind_your_step.glasses import equal_fill, spill_angle
from ponder.tasks.mind_your_step.grammar import LETTERS, Grammar, chunk_overlap, draw_strings, random_grammar
from ponder.tasks.mind_your_step.inconsistency import STATEMENTS, Statement, consistent, settled_pairs
from ponder.tasks.mind_your_step.readout import above_median, implicit, verbal


@pytest.mark.parametrize("name", list(MIND_YOUR_STEP))
def test_what_every_task_keeps(name: str) -> None:
    """The seed decides, fewer are a part of more, ids are unique, no gold answer is in a problem, and both prompt styles can be written."""
    assert name in names()
    whole, part = load(name, limit=24), load(name, limit=7)
    assert whole.problems[:7] == part.problems
    assert dict(part.answers) == {p.id: whole.answers[p.id] for p in part.problems}
    assert whole.problems == load(name, limit=24).problems
    assert whole.problems != load(name, limit=24, seed=1).problems
    assert len({p.id for p in whole.problems}) == 24
    for p in whole.problems:
        assert p.data["kind"] == name
        gold = whole.gold(p)
        assert whole.grade(p, p.read(f"The answer is {gold}."), "") == 1
        assert whole.grade(p, None) == 0
        wrong = {"yes": "no", "no": "yes"}.get(gold) or ("B" if gold == "A" else "A")
        assert whole.grade(p, p.read(f"The answer is {wrong}."), "") == 0
        assert write_prompt(p, "plain") != write_prompt(p, "cot")


def enumerated(grammar: Grammar) -> set[str]:
    """Its strings of up to 8 letters by walking every path."""
    found: set[str] = set()

    def walk(node: int, text: str) -> None:
        if node in grammar.ends:
            found.add(text)
        if len(text) < 8:
            for letter, target in grammar.edges[node]:
                walk(target, text + letter)

    walk(0, "")
    return found


def test_membership_is_what_enumeration_gives_for_100_grammars() -> None:
    """All walks of each grammar, and every string that is one letter away from one of them."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        grammar = random_grammar(rng)
        members = enumerated(grammar)
        assert set(grammar.strings()) == {s for s in members if 4 <= len(s) <= 8}
        near = {s[:i] + letter + s[i + 1 :] for s in sorted(members)[:40] for i in range(len(s)) for letter in LETTERS}
        for text in members | near:
            assert grammar.accepts(text) == (text in members)


def test_a_node_may_have_two_edges_of_one_letter() -> None:
    grammar = Grammar(((("M", 1), ("M", 2)), (("R", 0),), (("S", 2),)), frozenset({2}))
    short = ["".join(t) for n in range(1, 7) for t in product("MRS", repeat=n)]
    assert {t for t in short if grammar.accepts(t)} == enumerated(grammar) & set(short)
    assert grammar.accepts("MRMSS")
    assert not grammar.accepts("MRS")


def test_strings_are_balanced_and_apart() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        grammar = random_grammar(rng)
        drawn = draw_strings(grammar, rng)
        assert [len(part) for part in (drawn.study, drawn.members, drawn.others)] == [15, 22, 22]
        assert len({*drawn.study, *drawn.members, *drawn.others}) == 59
        assert all(grammar.accepts(s) for s in (*drawn.study, *drawn.members))
        assert not any(grammar.accepts(s) for s in drawn.others)
        for s in drawn.others:
            assert any(len(m) == len(s) and sum(a != b for a, b in zip(m, s, strict=True)) == 1 for m in drawn.members)
    answers = load("artificial-grammar").answers
    assert list(answers.values()).count("yes") == list(answers.values()).count("no") == 12 * 22


def test_grammars_with_too_few_strings_are_refused() -> None:
    with pytest.raises(PonderError, match="none of 100 grammars"):
        random_grammar(np.random.default_rng(0), fewest=10_000)
    with pytest.raises(InputError, match="at least 2 nodes"):
        random_grammar(np.random.default_rng(0), nodes=1)
    with pytest.raises(PonderError, match="37 are needed"):
        draw_strings(Grammar(((("M", 0),),), frozenset({0})), np.random.default_rng(0))


def test_known_letter_pairs_tell_members() -> None:
    task = load("artificial-grammar")
    overlap = np.array([chunk_overlap(p.data["string"], p.data["study"]) for p in task.problems])
    assert auroc(overlap, [task.gold(p) == "yes" for p in task.problems]) > 0.8
    # Pairs ^M, MR and R$ of MR: the last is in none of the shown strings.
    assert chunk_overlap("MR", ["MRS", "MS"]) == pytest.approx(2 / 3)


asked = []


class Likes(Scripted):
    """An imitation whose log-probability of a text is minus the number of a letter in it."""

    def logprobs(self, continuations):
        asked.extend(continuations)
        found = super().logprobs(continuations)
        return [type(s)((-1.0 * (1 + c.text.count("X")) - c.text.count("o"),)) for s, c in zip(found, continuations, strict=True)]


def test_readouts() -> None:
    problems = load("artificial-grammar:grammars=2").problems
    lm = Likes({"Yes": 0.5, "No": 0.5})
    read = implicit(lm, problems)
    assert read.tolist() == [-1.0 - p.data["string"].count("X") for p in problems]
    assert implicit(lm, problems, spaced=True).tolist() == read.tolist()
    assert asked[-1].prompt == "".join(" ".join(s) + "\n" for s in problems[-1].data["study"])
    assert asked[-1].text == " ".join(problems[-1].data["string"]) + "\n"
    assert asked[0].prompt.splitlines() == problems[0].data["study"]
    assert verbal(lm, problems[:3]).tolist() == [1.0] * 3  # "No" holds one o, "Yes" none
    with pytest.raises(InputError, match="artificial-grammar"):
        implicit(lm, [Problem("What?")])


def test_readouts_are_cut_at_the_median_of_their_grammar() -> None:
    """Two grammars on other scales, the second with ties at the top; of equal values all are read alike."""
    problems = [Problem("?", id=str(i), data={"study": [], "string": "", "grammar": int(i > 3)}) for i in range(8)]
    read = above_median(np.array([1.0, 4.0, 2.0, 3.0, 0.1, 0.3, 0.3, 0.3]), problems)
    assert read.tolist() == [False, True, False, True, False, True, True, True]
    assert above_median(np.array([1.0, 1.0, 1.0, 2.0]), problems[:4]).tolist() == [False, False, False, True]


def test_lists_of_vehicles() -> None:
    rng = np.random.default_rng(0)
    for _ in range(240):
        listed = vehicles(rng)
        assert len({v.plate for v in listed}) == 10
        assert [v.label for v in listed].count("A") == 5
        assert sum("AB"[v.features[0]] == v.label for v in listed) == 8
        assert {len(v.features) for v in listed} == {len(FEATURES)}


def test_passes_of_learners_that_are_known() -> None:
    """Plates: the first pass errs on class B, the second is perfect. The rule: 8 of 10 for ever. Knowing all: one pass."""
    rng = np.random.default_rng(1)
    for _ in range(240):
        listed = vehicles(rng)
        plates, rule = run_passes(listed, memoriser, rng), run_passes(listed, rule_follower, rng)
        assert (plates.count, plates.accuracy, plates.learnt) == (2, (0.5, 1.0), True)
        assert (rule.count, set(rule.accuracy), rule.learnt) == (15, {0.8}, False)
        assert run_passes(listed, lambda seen, v: v.label, rng).count == 1
        assert run_passes(listed, lambda seen, v: None, rng, most=3).accuracy == (0, 0, 0)


def test_a_chat_is_told_the_truth_after_every_answer() -> None:
    """An imitation that always says A: half right in every pass; what it is asked holds its answers and the classes."""
    asked: list[tuple[tuple[str, str], ...]] = []

    class Heard(Scripted):
        def generate(self, requests, sampling, allowance=None):
            asked.extend(tuple((m.role, m.content) for m in r.prompt) for r in requests)
            return super().generate(requests, sampling, allowance)

    listed = vehicles(np.random.default_rng(2))
    done = run_passes(listed, chat(Heard({"The answer is A.": 1.0}), think=True), np.random.default_rng(3), most=4)
    assert done.accuracy == (0.5,) * 4
    assert [len(turns) for turns in asked[:3]] == [1, 3, 5]
    assert "step by step" in asked[0][0][1]
    order = np.random.default_rng(3).permutation(10)
    for i, turns in enumerate(asked[1:10], 1):
        assert turns[-1][1].startswith(f"It was class {listed[order[i - 1]].label}.\n")
        assert turns[-1][1].endswith(str(listed[order[i]]))
        assert turns[-2] == ("assistant", "The answer is A.")
    assert len(asked[39]) == 61, "a chat holds three passes"


def poured(height: float, width: float, fill: float) -> float:
    """The spill angle by pouring: what a tilted glass can hold, by adding up columns of water, falls to what is in it."""

    def capacity(angle: float) -> float:
        """Area under the level line through the lip, inside the glass, in the glass's own frame; 20,000 columns."""
        x = (np.arange(20_000) + 0.5) * width / 20_000
        return float(np.clip(height - (width - x) * math.tan(angle), 0, height).mean()) * width

    low, high = 0.0, math.pi / 2 - 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if capacity(middle) > fill * width else (low, middle)
    return low


def test_spill_angles_are_what_pouring_gives() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        width, fill = rng.uniform(3, 9), rng.uniform(1, 9.5)
        assert spill_angle(10, width, fill) == pytest.approx(poured(10, width, fill), abs=1e-6)
        other, full = rng.uniform(3, 6), rng.uniform(8, 9.9)
        level = equal_fill(10, 6, full, other)
        assert poured(10, other, level) == pytest.approx(poured(10, 6, full), abs=1e-6)


@pytest.mark.parametrize("sizes", [(10, 4, 4.9, 4), (10, 4, 10.1, 4), (10, 0, 8, 4), (10, 4, 8, 0), (10, 2, 6, 8)])
def test_glasses_under_other_laws_are_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"half|widths"):
        equal_fill(*sizes)


def test_marked_levels_hold_one_right_one() -> None:
    task = load("tilted-glasses")
    for p in task.problems:
        height, width, fill, other = (int(x) for x in re.findall(r"(\d+) mm", p.question))
        wanted = pytest.approx(spill_angle(height, width, fill))
        right = [i for i, c in enumerate(p.choices) if spill_angle(height, other, int(c[:-3])) == wanted]
        assert right == ["ABCD".index(task.gold(p))]
        levels = sorted(int(c[:-3]) for c in p.choices)
        assert min(np.diff(levels)) >= 4
        assert f"{fill} mm" in p.choices


def test_the_best_apartment_is_found_by_reading() -> None:
    """Scores from the text alone, by looking up each phrase."""
    worth = {phrase: (1, -1, 0, 0)[i] for aspect in preferences.ASPECTS for i, phrase in enumerate(aspect)}
    assert len(worth) == 4 * len(preferences.ASPECTS), "no phrase is said twice"
    task = load("feature-preference:n=90")
    for p in task.problems:
        lines = re.findall(r"^Apartment ([A-D]): (.*)\.$", p.question, re.MULTILINE)
        scores = [sum(next(w for phrase, w in worth.items() if said.endswith(phrase)) for said in line.split("; ")) for _, line in lines]
        best, second = sorted(scores)[-1], sorted(scores)[-2]
        low, high = preferences.BANDS[p.data["band"]]
        assert low <= best - second <= high
        assert task.gold(p) == "ABCD"[scores.index(best)]
    assert {p.data["band"] for p in task.problems} == set(preferences.BANDS)


def by_z3(a: Statement, b: Statement, existing: bool) -> bool:
    z3 = pytest.importorskip("z3")
    things = z3.DeclareSort("Thing")
    kind, second, third = (z3.Function(n, things, z3.BoolSort()) for n in "KST")
    x = z3.Const("x", things)

    def said(s: Statement):
        meant = kind(x) if s.restrict is None else z3.And(kind(x), second(x) if s.restrict else z3.Not(second(x)))
        has = third(x) if s.positive else z3.Not(third(x))
        if s.quantifier == "every":
            return z3.ForAll([x], z3.Implies(meant, has))
        some = z3.Exists([x], z3.And(meant, has))
        return some if s.quantifier == "some" else z3.Not(some)

    solver = z3.Solver()
    solver.add(said(a), said(b))
    if existing:
        solver.add(z3.Exists([x], z3.And(kind(x), second(x))), z3.Exists([x], z3.And(kind(x), z3.Not(second(x)))))
    found = solver.check()
    assert found != z3.unknown
    return found == z3.sat


def test_consistency_is_what_a_prover_finds() -> None:
    rng = np.random.default_rng(0)
    for i, j in rng.integers(len(STATEMENTS), size=(60, 2)):
        for existing in (False, True):
            a, b = STATEMENTS[i], STATEMENTS[j]
            assert consistent(a, b, existing) == by_z3(a, b, existing), (a, b, existing)


def test_known_pairs() -> None:
    every = Statement("every", True, True)
    assert not consistent(every, Statement("some", True, False), existing=False)
    assert consistent(every, Statement("some", False, False), existing=True)
    assert consistent(every, Statement("no", True, True), existing=False)
    assert not consistent(every, Statement("no", True, True), existing=True)
    fitting, contradicting = settled_pairs()
    assert (every, Statement("no", True, True)) not in fitting + contradicting
    assert (every, Statement("some", True, False)) in contradicting
    assert every.text("bird", "old", "insured") == "Every bird that is old is insured."
    assert Statement("some", False, False).text("bird", "old", "insured") == "Some bird that is not old is not insured."


def test_each_pair_is_asked_about_twice_with_opposite_answers() -> None:
    task = load("inconsistency:n=100")
    for a, b in zip(task.problems[::2], task.problems[1::2], strict=True):
        assert a.question.partition("\n\n")[0] == b.question.partition("\n\n")[0]
        assert (a.data["asks"], b.data["asks"]) == ("fit", "contradiction")
        assert task.gold(a) != task.gold(b)
    assert list(task.answers.values()).count("yes") == 50


def test_faces_are_told_apart_by_looking_and_not_by_words() -> None:
    task = load("faces:n=300")
    found = 0
    for p in task.problems:
        blocks = re.findall(r"(?:^[.#]{17}\n?){13}", p.question, re.MULTILINE)
        shown, *candidates = (np.array([[c == "#" for c in row] for row in block.split()], int) for block in blocks)
        assert len(candidates) == 5
        found += "ABCDE"[faces.nearest(shown, candidates)] == task.gold(p)
    assert found >= 0.98 * len(task.problems)
    rng = np.random.default_rng(0)
    for _ in range(100):
        target, listed = faces.faces(rng)
        assert {faces.words(face) for face in listed} == {faces.words(target)}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("artificial-grammar:grammars=0", "grammars must be between 1 and 1000"),
        ("artificial-grammar:nodes=1", "nodes between 2 and 26"),
        ("vehicle-exceptions:n=0", "n must be between"),
        ("inconsistency:n=3", "must be even"),
        ("tilted-glasses:n=1001", "n must be between"),
        ("feature-preference:features=3", "features must be between 4 and 20"),
        ("faces:n=0", "n must be between"),
        ("face", "did you mean 'faces'"),
    ],
)
def test_wrong_options_are_refused(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        load(spec)
