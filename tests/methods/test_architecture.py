"""Archon's JSON both ways, the rules of its layers, its call counts, and costs that are known before anything runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.answer import answer
from ponder.core.budget import Price
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.core.problem import Problem
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.methods.architecture import Architecture
from ponder.methods.archon_space import Point, space
from ponder.methods.forecast import forecast

QUESTION = Problem("What is 7 * 8?")


def part(kind: str, model: str = "a", **settings: Any) -> dict[str, Any]:
    return {"type": kind, "model": model, "model_type": "Together_API", "temperature": 0.7, "max_tokens": 2048, "samples": 1, **settings}


FULL = {
    "name": "eight models, ranked, criticised, verified, fused",
    "layers": [
        [part("generator", m) for m in "abcdefgh"],
        [part("ranker", top_k=5, use_critiques=False, ranker_batch_size=16)],
        [part("critic")],
        [part("verifier", "b")],
        [part("fuser")],
    ],
}
TESTED = {
    "name": "tests first",
    "layers": [
        [part("unit_test_generator", unit_test_cap=10)],
        [part("generator", samples=5)],
        [part("unit_test_evaluator", top_k=1, first_k=3, remove_unit_tests_from_prompt=True)],
    ],
}


def test_an_archon_configuration_is_a_pipeline():
    found = Architecture.from_config(FULL).pipeline()
    sampled = " + ".join(f"sample(1, temperature=0.7, max_tokens=2048, model='{m}')" for m in "abcdefgh")
    rest = "model='{}', temperature=0.7, max_tokens=2048"
    assert found == parse(
        f"{sampled} | rank(5, critiques=False, {rest.format('a')}) | critique({rest.format('a')}) | "
        f"verify('reasons', {rest.format('b')}) | fuse({rest.format('a')})"
    )
    assert Architecture.from_config(FULL).violations(models=set("abcdefgh")) == []


def test_tests_are_written_where_they_are_run():
    architecture = Architecture.from_config(TESTED)
    settings = "model='a', temperature=0.7, max_tokens=2048"
    assert str(architecture.pipeline()) == str(
        parse(f"sample(5, temperature=0.7, max_tokens=2048, model='a') | unit_tests(10, k=1, by='model', {settings})")
    )
    assert architecture.violations() == []
    assert architecture.completions() == 1 + 5 + 5


def test_settings_that_are_not_gone_by_are_told_and_kept():
    assert Architecture.from_config(FULL).unused() == ["layer 2: ranker_batch_size of the ranker"]
    tested = Architecture.from_config(TESTED)
    assert tested.unused() == [
        "layer 3: first_k of the unit_test_evaluator",
        "layer 3: remove_unit_tests_from_prompt of the unit_test_evaluator",
    ]
    assert tested.to_config() == TESTED
    assert Architecture.from_config(FULL).to_config() == FULL


def test_a_file_a_text_an_object_and_the_first_form_of_layers_are_read_alike(tmp_path: Path):
    file = tmp_path / "architecture.json"
    file.write_text(json.dumps(FULL))
    early = {**FULL, "layers": [{"models": layer} for layer in FULL["layers"]]}
    architectures = [Architecture.from_config(c) for c in (FULL, json.dumps(FULL), str(file), file, early)]
    assert all(a == architectures[0] for a in architectures)


model = st.sampled_from(["", "a", "b/c"])
temperature = st.sampled_from([None, 0.0, 0.7])


def rendered(name: str, first: list[str], chosen: tuple[Any, Any]) -> str:
    options = [f"model={chosen[0]!r}"] * bool(chosen[0]) + [f"temperature={chosen[1]}"] * (chosen[1] is not None)
    return f"{name}({', '.join(first + options)})"


common = st.tuples(model, temperature)
sampled = st.builds(lambda n, c: rendered("sample", [str(n)], c), st.integers(1, 5), common)
layer = st.one_of(
    st.builds(lambda c: rendered("critique", [], c), common),
    st.builds(lambda k, u, c: rendered("rank", [str(k), f"critiques={u}"], c), st.integers(1, 6), st.booleans(), common),
    st.builds(lambda n, c: rendered("fuse", [str(n)], c), st.integers(1, 3), common),
    st.builds(lambda p, c: rendered("verify", [p], c), st.sampled_from(["'reasons'", "'neutral'", "'neutral', first=2"]), common),
    st.builds(lambda n, k, c: rendered("unit_tests", [str(n), f"k={k}", "by='model'"], c), st.integers(1, 6), st.integers(1, 4), common),
    st.lists(st.builds(lambda n, c: rendered("fuse", [str(n)], c), st.integers(1, 2), common), min_size=2, max_size=3).map(" + ".join),
)  # fmt: skip
methods = st.builds(
    lambda first, rest: " | ".join([" + ".join(first), *rest]), st.lists(sampled, min_size=1, max_size=3), st.lists(layer, max_size=5)
)


@given(methods)
def test_a_pipeline_comes_back_from_its_json(text: str):
    method = parse(text)
    config = json.loads(json.dumps(Architecture.of(method).to_config()))
    assert "custom" not in config
    assert Architecture.from_config(config).pipeline() == method


@pytest.mark.parametrize(
    "text", ["sample(4) | vote()", "start(4) | loop(extend() | weigh(prm) | resample(systematic)) | argmax()", "archon(4) | abstain(0.5)"]
)
def test_stages_that_archon_has_none_for_come_back_too(text: str):
    config = Architecture.of(parse(text)).to_config()
    assert config["custom"] is True
    assert Architecture.from_config(config).pipeline() == parse(text)


class Counting(Scripted):
    """Says something else each time, so that no two answers are one; counts prompts and replies."""

    def __init__(self) -> None:
        super().__init__(lambda prompt: {f"w{i} 5{i}": 1 / 40 for i in range(40)})
        self.prompts = self.replies = 0
        self.texts: set[str] = set()

    def generate(self, requests: Any, sampling: Any, allowance: Any = None) -> Any:
        given = super().generate(requests, sampling, allowance)
        self.prompts += len(requests)
        self.replies += sum(r.n for r in requests)

        def fresh(text: str) -> str:
            self.texts.add(text := f"{text} {len(self.texts)}")
            return text

        return [replace(r, completions=tuple(replace(c, text=fresh(c.text)) for c in r.completions)) for r in given]


@settings(max_examples=60)
@given(methods.filter(lambda text: "first=2" not in text))
def test_calls_are_those_of_the_formula_and_of_the_forecast(text: str):
    """Generators and fusers draw `samples`, critic and ranker 1, a verifier 2 or 1 and an evaluator 1 for each candidate."""
    method, engine = parse(text), Counting()
    names = dict.fromkeys(("", "a", "b/c"), engine)
    result = answer(method, Context(QUESTION, models=names, sampling=Sampling(max_tokens=64)))
    predicted = forecast(method, QUESTION)
    assert engine.replies == Architecture.of(method).completions() == predicted.completions
    assert engine.prompts == result.bill.calls == predicted.calls


def test_the_formula_by_hand():
    by_hand = {
        "sample(7)": 7,
        "sample(2, model='a') + sample(3, model='b')": 5,
        "sample(7) | critique() | rank(3) | fuse(2)": 7 + 1 + 1 + 2,
        "sample(7) | verify('reasons')": 7 + 2 * 7,
        "sample(7) | verify()": 7 + 7,
        "sample(7) | rank(3) | verify('reasons') | fuse()": 7 + 1 + 6 + 1,
        "sample(7) | unit_tests(4, k=2, by='model') | verify('reasons', first=1)": 7 + 1 + 7 + 4,
    }
    assert {text: Architecture.of(parse(text)).completions() for text in by_hand} == by_hand


BROKEN: list[tuple[list[list[dict[str, Any]]], str]] = [
    ([[part("fuser")]], "layer 1: generators must come first"),
    ([[part("generator")], [part("generator")]], "layer 2: generators see no candidates"),
    ([[part("generator"), part("critic")], [part("fuser")]], "layer 1: components of a layer must be of one type, not generator, critic"),
    ([[part("generator")], [part("ranker", top_k=1), part("ranker", top_k=1)]], "layer 2: a layer has one ranker, not 2"),
    ([[part("generator")], [part("critic")]], "layer 2: a critic needs a ranker or a fuser after it"),
    (
        [[part("generator", samples=3)], [part("ranker", top_k=1, use_critiques=True)]],
        "layer 2: a ranker that uses critiques needs a critic",
    ),
    (
        [[part("generator")], [part("critic")], [part("fuser", samples=3)], [part("ranker", top_k=1, use_critiques=True)]],
        "layer 4: a ranker that uses critiques needs a critic before it, without a fuser between",
    ),
    ([[part("generator")], [part("unit_test_evaluator")]], "layer 2: a unit test evaluator needs a unit test generator"),
    ([[part("unit_test_generator")], [part("generator")]], "layer 1: a unit test generator needs an evaluator"),
    ([[part("generator", samples=3)]], "layer 1: the last layer must leave one candidate, and it may leave 3"),
    ([[part("generator")], [part("verifier")]], "layer 2: the last layer must leave one candidate, and it may leave several"),
    ([[part("generator", "gpt-17")]], "layer 1: no model is called 'gpt-17'; there are a, b"),
    ([[part("generator", samples=2)], [part("ranker", "llm-blender/PairRM", top_k=1)]], "layer 2: PairRM is no engine here"),
]


@pytest.mark.parametrize(("layers", "broken"), BROKEN)
def test_broken_rules_are_named_before_anything_runs(layers: list[list[dict[str, Any]]], broken: str):
    found = [str(v) for v in Architecture.from_config({"name": "x", "layers": layers}).violations(models=("a", "b"))]
    assert any(v.startswith(broken) for v in found), found


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({"layers": [[part("generater")]]}, "did you mean 'generator'"),
        ({"layers": [[part("generator", samples=0)]]}, "samples must be a whole number of at least 1, not 0"),
        ({"layers": [[part("ranker", top_k="5")]]}, "top_k must be a whole number"),
        ({"layers": [[{"model": "a"}]]}, "an object with a 'type'"),
        ({"layers": []}, "at least one layer"),
        ({"layers": [[]]}, "at least one layer, and a component in each"),
        ({"layers": "all"}, "a list of lists of components"),
        ({"layers": [3]}, "a layer is a list of components"),
        ("{not json", "cannot be read"),
        ("no/such/file.json", "cannot be read"),
        ({"layers": [[{"type": "ponder", "stage": "vot()"}]]}, "did you mean 'vote'"),
        ({"layers": [[part("unit_test_generator")]]}, "writes tests and nothing else"),
    ],
)
def test_what_is_no_architecture_is_refused(config: Any, wrong: str):
    with pytest.raises(InputError, match=wrong):
        Architecture.from_config(config).pipeline()


def test_the_space_has_as_many_architectures_as_the_paper_states():
    points = space()
    assert len(points) == 38 * (4 + 4**2 + 4**3) == 3192
    assert len(set(points)) == len(points)
    assert all(p.generators * p.samples <= 24 for p in points)
    assert len({(p.generators, p.samples) for p in points}) == 10 + 10 + 8 + 6 + 4
    assert len(space(range(1, 3), (1,), (2,), deepest=1, plain=True)) == 4


def test_every_point_keeps_the_rules_and_its_fusion_layers_run():
    """Fusion layers of any width are built; the released search raises as soon as one is wider than 0."""
    models = [f"m{i}" for i in range(10)]
    for point in space()[::97]:
        architecture = point.architecture(models)
        assert architecture.violations(models) == []
        fusions = len(point.fusers)
        judged = 2 * (fusions + 1)
        assert architecture.completions() == point.generators * point.samples + sum(point.fusers) + judged + 1 - (
            point.generators * point.samples == 1
        )
    with pytest.raises(InputError, match="needs 3 models, and there are 2"):
        Point(3, 1).architecture(["a", "b"])
    result = answer(Point(1, 2, (2,)).architecture(["m0"]).pipeline(), Context(QUESTION, models={"m0": Counting()}))
    assert result.value is not None


def test_a_forecast_in_closed_form():
    """A question of 14 characters is 4 tokens, four characters a token; prices are of the model that is asked."""
    found = forecast(parse("sample(3, model='a') + sample(2, model='b')"), QUESTION, answer_tokens=100, prices={"a": Price(1, 10)})
    assert (found.calls, found.completions, found.tokens_in, found.tokens_out) == (2, 5, 8, 500)
    assert found.money == pytest.approx((4 * 1 + 300 * 10) / 1e6)
    assert found.by_model == {"a": (1, 3, 4, 300), "b": (1, 2, 4, 200)}
    assert forecast(parse("sample(3)"), QUESTION, answer_tokens=1000, sampling=Sampling(max_tokens=50)).tokens_out == 150
    longer = forecast(parse("sample(3) | fuse()"), QUESTION, answer_tokens=200).tokens_in
    assert longer - forecast(parse("sample(3) | fuse()"), QUESTION, answer_tokens=100).tokens_in == 3 * 100
    assert forecast(parse("until(confident(), sample(1), limit=7)"), QUESTION).completions == 7
    assert forecast(parse("sample(2) | refine(4)"), QUESTION).completions == 2 + 4 * 2 * 2
    with pytest.raises(InputError, match="at least 1 token"):
        forecast(parse("sample(1)"), QUESTION, answer_tokens=0)
