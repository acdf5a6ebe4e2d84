"""A named method is a name for a pipeline, not a class of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from ponder.core.algebra import Pipeline, Stage, as_stage
from ponder.core.terms import arguments, registered, render_arguments

P = ParamSpec("P")

METHODS: dict[str, Callable[..., Pipeline]] = {}
"""Named methods by name."""


def named(maker: Callable[P, Stage]) -> Callable[P, Pipeline]:
    """Register a function that returns a pipeline. What it returns prints as the call that made it.

    Arguments are checked by their annotations like those of a stage; the pipeline is equal to the same one written out.
    """

    @functools.wraps(maker)
    def labelled(*args: P.args, **kwargs: P.kwargs) -> Pipeline:
        bound = inspect.signature(maker).bind(*args, **kwargs)
        bound.apply_defaults()
        declared = arguments(labelled)
        values: dict[str, Any] = {a.name: a.check(bound.arguments[a.name], maker.__name__) for a in declared}
        pipeline = as_stage(maker(**values))  # pyright: ignore[reportCallIssue]
        return Pipeline((pipeline,), f"{maker.__name__}({render_arguments(declared, values)})")

    METHODS[maker.__name__] = labelled
    return registered(labelled)
