"""Metropolis-Hastings moves of traces, and the stage that applies them to a population."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any

from ponder.core.algebra import Proper
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.core.stepwise import step_program
from ponder.core.terms import Range, Term, registered
from ponder.prob.exact import Enumerator, linear
from ponder.prob.program import Program, Trace


class Kernel(Term):
    """A Markov kernel over traces that leaves the law of a program, stopped behind a given score, as it is."""

    kind = "kernel"

    def propose(self, trace: Trace, rng: Any) -> tuple[Any, ...]:
        """The draws that the program reads first in the proposed run."""
        raise NotImplementedError

    def correction(self, length: int, proposed: int) -> Fraction:
        """What the ratio of densities is multiplied by, for traces of these lengths."""
        raise NotImplementedError

    def __call__(self, program: Program, trace: Trace, rng: Any, stop: float = math.inf) -> tuple[Trace, bool]:
        """One move, and whether it was accepted. A trace of density zero is left as it is."""
        if (not trace.draws and not trace.inner) or _zero(trace.log_weight):
            return trace, False
        new = program.run(rng, Trace(draws=self.propose(trace, rng)), stop)
        if _zero(new.log_weight):
            return trace, False
        by = self.correction(len(trace.draws), len(new.draws))
        if isinstance(rng, Enumerator):
            ratio = linear(new.log_weight) / linear(trace.log_weight) * by
        else:
            ratio = math.exp(min(0.0, new.log_weight - trace.log_weight + math.log(by)))
        accepted = bool(rng.random() < ratio)
        return (new, True) if accepted else (trace, False)


def _zero(log_weight: Any) -> bool:
    return float(log_weight) == -math.inf


@registered
class single_site(Kernel):
    """Redraw one base draw; surplus draws are dropped and missing ones made. Accept with min(1, q n / (p m)) (Wingate et al. 2011)."""

    def propose(self, trace: Trace, rng: Any) -> tuple[Any, ...]:
        if not trace.draws:
            return ()
        site = int(rng.integers(len(trace.draws)))
        return (*trace.draws[:site], rng.random(), *trace.draws[site + 1 :])

    def correction(self, length: int, proposed: int) -> Fraction:
        return Fraction(max(1, length), max(1, proposed))


@registered
class independent(Kernel):
    """Redraw everything: accept with min(1, q / p)."""

    def propose(self, trace: Trace, rng: Any) -> tuple[Any, ...]:
        return ()

    def correction(self, length: int, proposed: int) -> Fraction:
        return Fraction(1)


@registered
class mh(Proper):
    """Move every trace by Metropolis-Hastings steps for the program stopped behind as many scores as rounds have passed.

    It stands in a body of one `extend()`: `loop(extend() | resample() | mh(1), limit=K, all=True) | loop(extend())`. A loop that ended
    when all are finished would be biased for programs whose runs have different numbers of scores: finished traces move, too.
    """

    steps: Annotated[int, Range(1), "moves of each trace"] = 1
    kernel: Annotated[Kernel, "how a move is proposed"] = single_site()
    every: Annotated[int, Range(1), "rounds from one moving to the next"] = 1

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        if (context.round + 1) % self.every:
            return population
        program, rng, stop = step_program(context), context.rng("mh"), context.round + 1
        if not isinstance(program, Program):
            raise InputError(f"mh moves the traces of a ponder.prob.Program, and {type(program).__name__} is none")
        moved: list[Trace] = []
        for trace in population.items:
            if not trace.finished and len(trace.scores) != stop:
                raise InputError(f"mh needs a loop with one extend() a round: a trace has {len(trace.scores)} scores after {stop} rounds")
            for _ in range(self.steps):
                trace, _ = self.kernel(program, trace, rng, stop)
            moved.append(trace)
        return population.grown(tuple(moved), [0.0] * len(moved))
