"""Reading and printing formulas, free variables, signatures."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.logic.strategies import formulas

from ponder.core.errors import InputError
from ponder.logic.formula import (
    App,
    Atom,
    Binary,
    FolSyntaxError,
    Formula,
    Not,
    Quantified,
    SignatureError,
    Var,
    check_signature,
    closed,
    free_variables,
)
from ponder.logic.printing import to_smtlib, to_tptp
from ponder.logic.syntax import LARGEST, LONGEST, parse, text_of


@given(formulas(), st.sampled_from(["ascii", "unicode"]))
def test_what_is_printed_reads_back(formula: Formula, dialect: str) -> None:
    assert parse(text_of(formula, dialect), dialect) == formula


A, B, C = Atom("A"), Atom("B"), Atom("C")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("A & B | C", Binary("or", Binary("and", A, B), C)),
        ("A | B & C", Binary("or", A, Binary("and", B, C))),
        ("A ^ B | C", Binary("xor", A, Binary("or", B, C))),
        ("A -> B -> C", Binary("implies", A, Binary("implies", B, C))),
        ("A <-> B <-> C", Binary("iff", Binary("iff", A, B), C)),
        ("A -> B ^ C", Binary("implies", A, Binary("xor", B, C))),
        ("-A & B", Binary("and", Not(A), B)),
        ("--A", Not(Not(A))),
        ("all x. P(x) -> Q(x)", Quantified("all", "x", Binary("implies", Atom("P", (Var("x"),)), Atom("Q", (Var("x"),))))),
        ("A & all x.P(x) & B", Binary("and", A, Quantified("all", "x", Binary("and", Atom("P", (Var("x"),)), B)))),
        ("(all x P(x)) & A", Binary("and", Quantified("all", "x", Atom("P", (Var("x"),))), A)),
        ("P(x, y2, bob, Bob, f(x))", Atom("P", (Var("x"), Var("y2"), App("bob"), App("Bob"), App("f", (Var("x"),))))),
        ("all bob. P(bob)", Quantified("all", "bob", Atom("P", (Var("bob"),)))),
        ("Bob = Anne", Atom("=", (App("Bob"), App("Anne")))),
        ("f(Bob) != Anne", Not(Atom("=", (App("f", (App("Bob"),)), App("Anne"))))),
    ],
)
def test_how_connectives_and_names_are_read(text: str, formula: Formula) -> None:
    assert parse(text) == formula


def test_unicode_is_another_way_to_write_the_same() -> None:
    assert parse("∀x (P(x) ∧ ¬Q(x) → ∃y (R(x, y) ⊕ S(y)))", "unicode") == parse("all x. (P(x) & -Q(x) -> exists y. (R(x, y) ^ S(y)))")
    assert parse("A ∨ B ↔ C", "unicode") == parse("A | B <-> C")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("   ", 3),
        ("P(", 2),
        ("P(x", 3),
        ("P(x,)", 4),
        ("P()", 2),
        ("(P & Q", 6),
        ("P & ", 4),
        ("P Q", 2),
        ("P)", 1),
        ("P & | Q", 4),
        ("all . P", 4),
        ("all all. P", 4),
        ("all x. x", 7),
        ("P @ Q", 2),
        ("P ∧ Q", 2),
        ("P(x) = Q & ", 11),
        ("__import__('os').system('x')", 11),
    ],
)
def test_an_error_names_the_place(text: str, position: int) -> None:
    with pytest.raises(FolSyntaxError, match=rf"\(at character {position + 1}\)") as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.text == text


@given(st.text(alphabet="PQx(),.&|^-<>=~ all exists∀¬→\n", max_size=40), st.sampled_from(["ascii", "unicode"]))
def test_any_text_is_a_formula_or_a_syntax_error(text: str, dialect: str) -> None:
    try:
        formula = parse(text, dialect)
    except FolSyntaxError as error:
        place = error.position
    else:
        place = len(text)
        assert parse(text_of(formula, dialect), dialect) == formula
    assert 0 <= place <= len(text)


@pytest.mark.parametrize(
    "text", ["(" * 9000, "-" * 9000, "P & " * 2000 + "P", "all x. " * 999 + "P", "P(" + "f(" * 3000, "P" * (LONGEST + 1)]
)
def test_a_huge_text_is_refused_and_not_followed_down(text: str) -> None:
    with pytest.raises(FolSyntaxError, match="may have"):
        parse(text)


def test_a_formula_of_the_largest_size_can_be_worked_with() -> None:
    formula = parse(" & ".join(["P(x)"] * (LARGEST // 2)))
    assert parse(text_of(formula)) == formula
    assert to_tptp([formula], formula)
    assert to_smtlib([formula], formula)


def test_dialects_are_two() -> None:
    with pytest.raises(InputError, match="ascii, unicode"):
        parse("P", "latex")  # pyright: ignore[reportArgumentType]


def test_free_variables_are_closed_universally() -> None:
    formula = parse("P(x) -> exists y. R(x, y, z)")
    assert free_variables(formula) == ("x", "z")
    assert closed(formula) == parse("all x. all z. (P(x) -> exists y. R(x, y, z))")
    assert closed(closed(formula)) == closed(formula)


@pytest.mark.parametrize(
    ("texts", "symbol"),
    [
        (["P(Bob)", "P(Bob, Anne)"], "P"),
        (["P(Bob)", "Q(P)"], "P"),
        (["Bob", "P(Bob)"], "Bob"),
        (["P(mother(Bob))", "Q(mother)"], "mother"),
        (["P(f(Bob))", "Q(f(Bob, Bob))"], "f"),
        (["all x. (P(x) & P)"], "P"),
    ],
)
def test_one_symbol_has_one_use(texts: list[str], symbol: str) -> None:
    with pytest.raises(SignatureError, match=symbol) as caught:
        check_signature(map(parse, texts))
    assert caught.value.symbol == symbol
    assert len(caught.value.uses) == 2


def test_a_signature_lists_every_symbol() -> None:
    known = check_signature([parse("all x. (P(x) & Rains -> Likes(x, motherOf(Bob)))"), parse("Bob = Anne")])
    assert known == {
        "P": ("predicate", 1),
        "Rains": ("predicate", 0),
        "Likes": ("predicate", 2),
        "motherOf": ("function", 1),
        "Bob": ("constant", 0),
        "Anne": ("constant", 0),
    }


def test_printed_names_stay_apart_and_cannot_be_read_as_syntax() -> None:
    text = to_tptp([parse("Pé(Bob)"), parse("Pe9(Bob)")], parse("all x. exists x. P(x)"))
    assert text.isascii()
    assert len(set(re.findall(r"'(.*?)'", text))) == 4
    assert "(! [X0] : (? [X1] : 'P'(X1)))" in text
    assert "|.and|" in to_smtlib([], parse("and"))
