"""String diagrams: the laws of the syntax, what diagrams mean, surgery, combs, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.causal.diagrams import (
    Box,
    Channel,
    Diagram,
    NotIdentified,
    State,
    SupportError,
    Wire,
    causal_effect,
    comb_disintegrate,
    latent_projection,
    svg,
)
from ponder.causal.diagrams.diagram import surgery
from ponder.core.errors import InputError

SIZES = {"A": 2, "B": 3, "C": 4}
WIRES = {name: Wire(name, size) for name, size in SIZES.items()}
SMOKING = [("H", "S"), ("H", "C"), ("S", "T"), ("T", "C")]


@st.composite
def diagrams(draw: st.DrawFn, dom: tuple[Wire, ...] | None = None, least: int = 0) -> Diagram:
    """A diagram over the wires A, B, C; every box makes one wire, and boxes of equal type are the same."""
    types = st.sampled_from(sorted(WIRES))
    start = dom if dom is not None else tuple(WIRES[w] for w in draw(st.lists(types, max_size=2)))
    whole = Diagram.identity(*start)
    for _ in range(draw(st.integers(least, 3))):
        inputs = draw(st.lists(st.integers(0, len(whole.cod) - 1), max_size=2)) if whole.cod else []
        source = tuple(whole.cod[i] for i in inputs)
        out = WIRES[draw(types)]
        name = "".join(w.name for w in source) + ">" + out.name
        copied = Diagram(whole.cod, (), (*range(len(whole.cod)), *inputs))
        whole = whole >> copied >> (Diagram.identity(*whole.cod) @ Diagram.of(Box(name, source, (out,))))
    if whole.cod:
        kept = draw(st.lists(st.integers(0, len(whole.cod) - 1), max_size=3))
        whole = whole >> Diagram(whole.cod, (), tuple(kept))
    return whole


def tables(*parts: Diagram, seed: int = 0) -> dict[str, np.ndarray]:
    """A random table for each box, the same for the same box."""
    found = {}
    for node in [node for part in parts for node in part.nodes]:
        rng = np.random.default_rng([seed, *map(ord, node.box.name)])
        shape = tuple(w.size for w in node.box.dom)
        found[node.box.name] = np.moveaxis(rng.dirichlet(np.ones(node.box.cod[0].size), size=shape), -1, 0)
    return found


def matrix(diagram: Diagram, means: dict[str, np.ndarray]) -> np.ndarray:
    return diagram.interpret(means).matrix.astype(np.float64)  # without boxes it is exact


@st.composite
def composable(draw: st.DrawFn) -> tuple[Diagram, Diagram]:
    first = draw(diagrams(least=1))
    return first, draw(diagrams(dom=first.cod))


@given(composable(), st.sampled_from(sorted(WIRES)))
def test_a_cut_is_a_functor_of_sequence(pair: tuple[Diagram, Diagram], name: str):
    first, second = pair
    cut = surgery(name)
    assert (first >> second).map(cut) == first.map(cut) >> second.map(cut)


@given(diagrams(), diagrams(), st.sampled_from(sorted(WIRES)))
def test_a_cut_is_a_functor_of_parallel_diagrams_and_idempotent(left: Diagram, right: Diagram, name: str):
    cut = surgery(name)
    assert (left @ right).map(cut) == left.map(cut) @ right.map(cut)
    assert left.map(cut).map(cut) == left.map(cut)
    assert Diagram.identity(*left.dom).map(cut) == Diagram.identity(*left.dom)


@given(composable())
def test_meaning_is_a_functor_of_sequence(pair: tuple[Diagram, Diagram]):
    first, second = pair
    means = tables(first, second)
    whole = matrix(first >> second, means)
    np.testing.assert_allclose(whole, matrix(second, means) @ matrix(first, means), atol=1e-12)


@given(diagrams(), diagrams())
def test_meaning_is_a_functor_of_parallel_diagrams(left: Diagram, right: Diagram):
    means = tables(left, right)
    np.testing.assert_allclose(matrix(left @ right, means), np.kron(matrix(left, means), matrix(right, means)), atol=1e-12)


@given(diagrams(), diagrams(), diagrams())
def test_diagrams_form_a_strict_monoidal_category(a: Diagram, b: Diagram, c: Diagram):
    assert (a @ b) @ c == a @ (b @ c)
    assert Diagram.identity() @ a == a == a @ Diagram.identity()
    assert Diagram.identity(*a.dom) >> a == a == a >> Diagram.identity(*a.cod)


def test_laws_of_copying_hold_as_syntax():
    a, b = WIRES["A"], WIRES["B"]
    copy, keep = Diagram.copy(a), Diagram.identity(a)
    assert copy >> (copy @ keep) == copy >> (keep @ copy) == Diagram.copy(a, 3)
    assert copy >> (Diagram.copy(a, 0) @ keep) == keep
    assert copy >> Diagram.swap(a, a) == copy
    assert Diagram.swap(a, b) >> Diagram.swap(b, a) == Diagram.identity(a, b)


def test_copying_discarding_and_the_uniform_state_mean_what_they_should():
    b = WIRES["B"]
    copied = Diagram.copy(b).interpret({}).array
    assert all(copied[i, j, k] == (i == j == k) for i, j, k in np.ndindex(copied.shape))
    assert Diagram.copy(b, 0).interpret({}).array.tolist() == [1, 1, 1]
    uniform = Diagram.of(Box("B", (), (b,))).cut("B").interpret({}).array
    assert uniform.tolist() == [Fraction(1, 3)] * 3


def test_the_diagram_of_a_graph_means_the_product_of_its_tables():
    diagram = Diagram.from_dag(SMOKING, ("C", "S", "T"), {"H": 5, "S": 2, "T": 3, "C": 4})
    assert [w.name for w in diagram.nodes[-1].box.dom] == ["H", "T"]
    means = tables(diagram)
    product = np.einsum("h,sh,ts,cht->cst", means["H"], means["S"], means["T"], means["C"])
    np.testing.assert_allclose(diagram.state(means).array, product, atol=1e-15)


def test_surgery_is_truncated_factorisation_and_leaves_what_is_not_below_alone():
    diagram = Diagram.from_dag(SMOKING, ("H", "S", "T", "C"), {"H": 5, "S": 2, "T": 3, "C": 4})
    means = tables(diagram)
    cut = diagram.cut("T").state(means)
    product = np.einsum("h,sh,cht->hstc", means["H"], means["S"], means["C"]) / 3
    np.testing.assert_allclose(cut.array, product, atol=1e-15)
    np.testing.assert_allclose(cut.marginal(("H", "S")).array, diagram.state(means).marginal(("H", "S")).array, atol=1e-15)


def test_the_uniform_state_of_a_cut_is_no_prior_on_the_treatment():
    diagram = Diagram.from_dag(SMOKING, ("S", "T", "C"), {"H": 5, "S": 2, "T": 3, "C": 4})
    means = {**tables(diagram), "other": np.array([0.9, 0.1])}

    def instead(box: Box) -> Diagram:
        return Diagram.copy(box.dom[0], 0) >> Diagram.of(Box("other", (), box.cod)) if box.name == "S" else Diagram.of(box)

    effects = [d.state(means).disintegrate("S").array for d in (diagram.cut("S"), diagram.map(instead))]
    np.testing.assert_allclose(effects[0], effects[1], atol=1e-14)


@given(st.lists(st.integers(1, 20), min_size=24, max_size=24))
def test_a_comb_is_unique_and_put_back_exactly(counts: list[int]):
    total = sum(counts)
    array = np.array([Fraction(c, total) for c in counts], dtype=object).reshape(2, 3, 4)
    state = State(array, ("A", "B", "C"))
    comb = comb_disintegrate(state, "A", "B", "C")
    assert np.array_equal(comb.joint().array, array)
    signal = comb.f.marginal("A").array
    assert all(np.array_equal(signal[:, b], state.marginal("A").array) for b in range(3))
    assert np.array_equal(comb.cut().marginal(("C", "A")).disintegrate("A").array, comb.effect().array)


def test_a_comb_of_several_variables_a_side_is_the_comb_of_their_product():
    rng = np.random.default_rng(1)
    array = rng.dirichlet(np.ones(48)).reshape(2, 3, 2, 4)
    parts = comb_disintegrate(State(array, ("A", "B1", "B2", "C")), "A", ("B1", "B2"), "C")
    whole = comb_disintegrate(State(array.reshape(2, 6, 4), ("A", "B", "C")), "A", "B", "C")
    np.testing.assert_allclose(parts.effect().array, whole.effect().array, atol=1e-15)
    np.testing.assert_allclose(parts.cut().array.reshape(2, 6, 4), whole.cut().array, atol=1e-15)


def test_hidden_paths_are_projected_onto_observed_vertices():
    graph = latent_projection([("X", "H"), ("H", "Y"), ("H", "Z"), ("U", "W"), ("W", "X"), ("W", "V"), ("V", "Z")], ("X", "Y", "Z", "V"))
    assert graph.directed == {("X", "Y"), ("X", "Z"), ("V", "Z")}
    assert {frozenset(pair) for pair in graph.bidirected} == {frozenset("YZ"), frozenset("XV")}
    assert set(graph.district("X")) == {"X", "V"}


def test_without_hidden_causes_the_effect_is_back_door_adjustment():
    edges = [("Z", "X"), ("Z", "Y"), ("X", "Y")]
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(24)).reshape(2, 3, 4)
    effect = causal_effect(State(p, ("X", "Y", "Z")), edges, "X", "Y")
    assert isinstance(effect, Channel)
    adjusted = np.einsum("z,yxz->yx", p.sum((0, 1)), (p / p.sum(1, keepdims=True)).transpose(1, 0, 2))
    np.testing.assert_allclose(effect.array, adjusted, atol=1e-14)


def test_a_treatment_without_effect_gives_the_marginal():
    p = np.random.default_rng(4).dirichlet(np.ones(6)).reshape(2, 3)
    effect = causal_effect(State(p, ("X", "Y")), [("U", "X"), ("U", "Y")], "X", "Y")
    assert isinstance(effect, Channel)
    np.testing.assert_allclose(effect.array, np.stack([p.sum(0)] * 2, axis=1), atol=1e-14)


@pytest.mark.parametrize("edges", [[("X", "Y"), ("U", "X"), ("U", "Y")], [("X", "Y"), ("U", "X"), ("U", "W"), ("V", "W"), ("V", "Y")]])
def test_a_hidden_path_to_a_child_is_refused_with_its_name(edges: list[tuple[str, str]]):
    names = ("W", "X", "Y")
    answer = causal_effect(State(np.full((2, 2, 2), 1 / 8), names), edges, "X", "Y")
    assert isinstance(answer, NotIdentified)
    assert "X and its child Y" in answer.reason
    assert "another way" in answer.reason


def test_a_table_of_columns_is_counted_exactly():
    state, values = State.from_columns({"drug": ["a", "b", "a", "a"], "well": [1, 0, 0, 1]}, exact=True)
    assert values == {"drug": ["a", "b"], "well": [0, 1]}
    assert state.array.tolist() == [[Fraction(1, 4), Fraction(1, 2)], [Fraction(1, 4), 0]]
    with pytest.raises(SupportError, match=r"P\(drug=1, well=1\) is 0"):
        state.full_support()
    assert state.smoothed(Fraction(1, 4)).array.sum() == 1


def refuse_states():
    yield "sum to 1", lambda: State(np.array([0.5, 0.4]), ("A",))
    yield "sum to 1", lambda: State(np.array([Fraction(1, 3), Fraction(1, 3)], dtype=object), ("A",))
    yield "at least 0", lambda: State(np.array([1.5, -0.5]), ("A",))
    yield "axes", lambda: State(np.array([0.5, 0.5]), ("A", "B"))
    yield "different names", lambda: State(np.full((2, 2), 0.25), ("A", "A"))
    yield "NaN", lambda: State(np.array([np.nan, 1]), ("A",))
    yield "equally long", lambda: State.from_columns({"A": [1, 2], "B": [1]})
    yield "must be different ones", lambda: State(np.array([0.5, 0.5]), ("A",)).marginal("B")
    yield "value each", lambda: Channel(np.eye(2), ("B",), ("A",)).at(2)
    yield "P(A=0, B=1, C=0) is 0", lambda: comb_disintegrate(State(np.array([[[0.5], [0]], [[0.25], [0.25]]]), tuple("ABC")), "A", "B", "C")
    yield "three parts", lambda: comb_disintegrate(State(np.full((2, 2, 2), 1 / 8), tuple("ABC")), "A", ("A", "B"), "C")


def refuse_diagrams():
    graph = Diagram.from_dag([("A", "B")], ("A", "B"), {"A": 2, "B": 3})
    good = tables(graph)
    yield "is not connected", lambda: Diagram((), (graph.nodes[1],), ())
    yield "takes (A:2)", lambda: Diagram((WIRES["B"],), (type(graph.nodes[1])(graph.nodes[1].box, (0,)),), ())
    yield "do not fit", lambda: graph >> Diagram.identity(WIRES["A"])
    yield "disconnected", lambda: Diagram.from_dag([("A", "B")], ("A",), SIZES)
    yield "cycles", lambda: Diagram.from_dag([("A", "B"), ("B", "A")], ("A",), {"A": 2, "B": 3})
    yield "no vertex 'D'", lambda: Diagram.from_dag([("A", "D")], ("A",), SIZES)
    yield "nothing to intervene on", lambda: graph.cut("Z")
    yield "nothing to intervene on", lambda: Diagram.identity(WIRES["A"]).cut("A")
    yield "needs a table of shape (3, 2)", lambda: graph.state({"A": good["A"]})
    yield "shape (3, 2), not (2, 3)", lambda: graph.state(good | {"B": good["B"].T})
    yield "sum to 1", lambda: graph.state(good | {"B": np.full((3, 2), 0.5)})
    yield "no inputs", lambda: Diagram.identity(WIRES["A"]).state({})
    yield "must have its type", lambda: graph.map(lambda box: Diagram.identity())
    yield "at least 1 value", lambda: Wire("A", 0)


def refuse_effects():
    state = State(np.full((2, 3), 1 / 6), ("X", "Y"))
    yield "must be other variables", lambda: causal_effect(state, [("X", "Y")], "X", "X")
    yield "must be different ones", lambda: causal_effect(state, [("U", "X"), ("X", "Y")], "U", "Y")
    yield "P(X=0, Y=0) is 0", lambda: causal_effect(State(np.array([[0, 0.5], [0.25, 0.25]]), ("X", "Y")), [("X", "Y")], "X", "Y")
    yield "above 0", lambda: causal_effect(state, [("X", "Y")], "X", "Y", smoothing=0.0)


@pytest.mark.parametrize(("message", "make"), [*refuse_states(), *refuse_diagrams(), *refuse_effects()])
def test_bad_input_is_refused(message: str, make: Callable[[], object]):
    with pytest.raises(InputError, match=re.escape(message)):
        make()


def test_a_drawing_shows_every_box_and_marks_the_cut():
    diagram = Diagram.from_dag([*SMOKING, ("S", "<x>")], ("S", "T", "C"), {"H": 2, "S": 2, "T": 2, "C": 2, "<x>": 2})
    before, after = (ElementTree.fromstring(svg(d)) for d in (diagram, diagram.cut("S")))

    def count(root: ElementTree.Element, tag: str, css: str) -> int:
        return sum(el.tag.endswith(tag) and el.get("class") == css for el in root.iter())

    assert (count(before, "rect", "b"), count(before, "path", "u"), count(before, "circle", "c")) == (5, 0, 3)
    assert (count(after, "rect", "b"), count(after, "path", "u"), count(after, "circle", "c")) == (4, 3, 2)
    assert "<x>" in [el.text for el in before.iter()]


def test_boxes_of_a_drawing_do_not_overlap():
    vertices = "ABCDEFG"
    edges = [(u, v) for i, u in enumerate(vertices) for j, v in enumerate(vertices) if i < j and (i + j) % 3]
    root = ElementTree.fromstring(svg(Diagram.from_dag(edges, tuple(vertices), dict.fromkeys(vertices, 2))))
    boxes = [[float(el.get(k, 0)) for k in ("x", "y", "width", "height")] for el in root.iter() if el.get("class") == "b"]
    assert len(boxes) == 7
    for i, (x, y, w, h) in enumerate(boxes):
        assert not any(abs(x + w / 2 - a - c / 2) < (w + c) / 2 and abs(y - b) < h for a, b, c, _ in boxes[:i])
