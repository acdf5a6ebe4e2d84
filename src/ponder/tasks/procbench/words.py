"""Procedures on sentences: Count2, FillWord, DeleteWord. Sentences are drawn from a list of words; no step needs their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Self

import numpy as np

from ponder.tasks.procbench.base import Procedure, State, between, listed

WORDS = """
about above across again air almost along always and animal answer apple around as at autumn away back bear because bell below between
big bird black blue boat body book both bread bridge bright brother brown build but by call carry castle chair child city clear cloud
coat cold come cook corn could country cut dark daughter day deep desk door down draw dream drink dry each early earth east eat eight
end enough even every eye face fall family far farm fast field fifty find fire first fish five flower follow food for forest four fresh
friend from fruit full garden gate gave girl give glass go gold good grass great green ground grow hand happy hat have head hear heavy
help her high hill his hold home horse house hundred ice if in island jump just keep key kind king kitchen know lake land last late
laugh leaf learn leave left letter light like line listen little long look low made many map market may meet milk mind money moon more
morning most mother mountain move much music must name near neck never new next night nine north not nothing now number ocean of off
often old on once one only open orange other our out over own page paint paper part path people piano picture place plant play pocket
point pony poor pull push queen quick quiet rain reach read red rest rice right ring river road rock roof room round run sail salt sand
say school sea second see seven shadow sheep ship shoe shop short show silver sing sister six sky sleep slow small snow soft some song
soon sound south spring stand star start stay still stone stop storm story street strong sugar summer sun table take talk tall teach ten
that the then there they thin think this three through time to today tomorrow tower town train travel tree turn two under until up
valley very village visit voice wait walk wall warm was wash watch water way weather week well west wet what when where which while
white who wide will wind window winter wise with wolf woman wonder wood word work world write yard year yellow yes young zebra zero
""".split()  # noqa: SIM905


def distinct(rng: np.random.Generator, n: int) -> list[str]:
    """n different words, one in four with a capital letter."""
    chosen = [WORDS[i] for i in rng.permutation(len(WORDS))[:n]]
    return [word.capitalize() if capital else word for word, capital in zip(chosen, rng.random(n) < 0.25, strict=True)]


def sentence(rng: np.random.Generator, different: int) -> list[str]:
    """A sentence of so many different words, of which some are repeated."""
    words = distinct(rng, different)
    words += [words[i] for i in rng.integers(0, different, between(rng, 0, 4))]
    return [words[i] for i in rng.permutation(len(words))]


@dataclass(frozen=True)
class Count2(Procedure):
    """Count letters word by word."""

    words: tuple[str, ...]

    number = 14
    form = "States are lists of 26 integers."
    rules = """Count the letters of words. The 26 counts, from a to z, are all 0 at the beginning, which is the initial state.
Go through the words in order. Each word is one step: add 1 to the count of a letter for every time it occurs in the word. Capital \
letters count as small ones.
The state after a step is the list of the 26 counts over all words so far."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        return cls(tuple(distinct(rng, k)))

    def question(self) -> str:
        return "Words: " + " ".join(self.words)

    def states(self) -> list[State]:
        counts = [[word.lower().count(letter) for letter in ascii_lowercase] for word in self.words]
        found = [[0] * 26]
        for row in counts:
            found.append([a + b for a, b in zip(found[-1], row, strict=True)])
        return list(found)


@dataclass(frozen=True)
class FillWord(Procedure):
    """Put words back into the gaps of a sentence."""

    text: str
    words: tuple[str, ...]

    number = 18
    rules = """Fill the gaps of a sentence. A gap is a number in square brackets, such as [1].
Go through the pairs (number, word) in order. Each is one step: replace the gap of that number by the word.
The initial state is the given sentence, and the state after a step is the whole sentence."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        tokens = sentence(rng, between(rng, k, k + 10))
        gaps = [int(i) for i in rng.permutation(len(tokens))[:k]]
        words = tuple(tokens[i] for i in gaps)
        for number, i in enumerate(gaps, 1):
            tokens[i] = f"[{number}]"
        return cls(" ".join(tokens), words)

    def question(self) -> str:
        return f"Sentence: {self.text}\nPairs: " + " ".join(f"({i}, {word})" for i, word in enumerate(self.words, 1))

    def states(self) -> list[State]:
        found = [self.text]
        for number, word in enumerate(self.words, 1):
            found.append(found[-1].replace(f"[{number}]", word))
        return list(found)


@dataclass(frozen=True)
class DeleteWord(Procedure):
    """Delete the first occurrence of each of some words."""

    text: str
    words: tuple[str, ...]

    number = 20
    rules = """Delete words from a sentence. Go through the listed words in order; each is one step.
A step deletes the first occurrence of the word from the left, and no other. Capital and small letters are different. Exactly one space \
stays between neighbouring words.
The initial state is the given sentence, and the state after a step is the whole sentence."""

    @classmethod
    def draw(cls, k: int, rng: np.random.Generator) -> Self:
        tokens = sentence(rng, max(5, k + between(rng, 1, 10)))
        kept = list(dict.fromkeys(tokens))
        return cls(" ".join(tokens), tuple(kept[i] for i in rng.permutation(len(kept))[:k]))

    def question(self) -> str:
        return f"Sentence: {self.text}\nWords: {listed(self.words)}"

    def states(self) -> list[State]:
        now, found = self.text.split(" "), [self.text]
        for word in self.words:
            now = now.copy()
            now.remove(word)
            found.append(" ".join(now))
        return list(found)
