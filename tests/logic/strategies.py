"""Random formulas for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from ponder.logic.formula import App, Atom, Binary, Formula, Not, Quantified, Term, Var

PREDICATES = {"P": 1, "Q": 1, "Likes": 2, "Rains": 0, "Größe": 1}
KINDS = ("and", "or", "xor", "implies", "iff")


def terms(bound: tuple[str, ...], functions: bool = True) -> st.SearchStrategy[Term]:
    simple: st.SearchStrategy[Term] = st.sampled_from([*map(Var, bound), App("Bob"), App("Anne"), *([Var("z")] if functions else [])])
    return st.one_of(simple, simple.map(lambda t: App("motherOf", (t,)))) if functions else simple


@st.composite
def formulas(draw: st.DrawFn, depth: int = 4, bound: tuple[str, ...] = (), functions: bool = True) -> Formula:
    """Formulas over a fixed signature; with `functions` also with functions, equality and a free variable."""
    shape = draw(st.sampled_from(["atom", "not", "binary", "quantified"])) if depth else "atom"
    if shape == "atom":
        name = draw(st.sampled_from([*PREDICATES, *(["="] if functions else [])]))
        return Atom(name, tuple(draw(terms(bound, functions)) for _ in range(PREDICATES.get(name, 2))))
    if shape == "not":
        return Not(draw(formulas(depth - 1, bound, functions)))
    if shape == "binary":
        sides = [draw(formulas(depth - 1, bound, functions)) for _ in range(2)]
        return Binary(draw(st.sampled_from(KINDS)), *sides)
    variable = draw(st.sampled_from(["x", "y", "someone"]))
    return Quantified(draw(st.sampled_from(["all", "some"])), variable, draw(formulas(depth - 1, (*bound, variable), functions)))
