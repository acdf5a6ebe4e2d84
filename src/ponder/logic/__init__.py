"""First-order logic: a language with a parser and a printer, provers, and finders of finite models."""

from ponder.logic.formula import FolSyntaxError, Formula, SignatureError, check_signature
from ponder.logic.models import Model, counterexample, find_model
from ponder.logic.provers import Entailment, ProverNotFoundError, entails
from ponder.logic.syntax import parse, text_of

__all__ = [
    "Entailment",
    "FolSyntaxError",
    "Formula",
    "Model",
    "ProverNotFoundError",
    "SignatureError",
    "check_signature",
    "counterexample",
    "entails",
    "find_model",
    "parse",
    "text_of",
]
