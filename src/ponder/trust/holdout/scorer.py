"""The reusable holdout as a scikit-learn scorer: model selection that may look at every score and still cannot overfit the holdout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ponder.core.errors import InputError
from ponder.trust.holdout.thresholdout import Estimate, Holdout, NaiveHoldout


class HoldoutScorer:
    """Scores a fitted estimator by asking a holdout: `scorer(estimator, X, y)`, as scikit-learn calls it.

    The rows that scikit-learn hands over stand for the training half; the holdout's rows never leave this object. With all rows
    in the one split of a search, the search fits and scores on them, and every score it sees has passed the holdout:

        scorer = HoldoutScorer(Holdout(len(X_held)), X_held, y_held)
        rows = np.arange(len(X))
        GridSearchCV(model, grid, scoring=scorer, cv=[(rows, rows)], error_score="raise").fit(X, y)

    Args:
        holdout: who answers; a `NaiveHoldout` for comparison.
        X, y: the holdout's rows and labels.
        per_row: (estimator, X, y) -> one score in the holdout's range a row; by default whether the prediction is right.

    Raises:
        InputError: as many rows as labels and as the holdout's size are needed; later, if a training row is also a holdout row.
    """

    def __init__(
        self, holdout: Holdout | NaiveHoldout, X: Any, y: Any, per_row: Callable[[Any, Any, Any], ArrayLike] | None = None
    ) -> None:
        if not len(X) == len(y) == holdout.size:
            raise InputError(f"a holdout of {holdout.size} rows needs as many rows and labels, not {len(X)} and {len(y)}")
        self.holdout, self._x, self._y, self._per_row = holdout, X, y, per_row or _right
        self._rows = {_row(x) for x in np.asarray(X)}
        self.last: Estimate | None = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """The estimate of the estimator's mean score; `last` holds it with its source and the budget that is left."""
        if any(_row(x) in self._rows for x in np.asarray(X)):
            raise InputError("some training rows are also holdout rows: what was trained on cannot vouch for itself; split anew")
        scores = self._per_row(estimator, X, y), self._per_row(estimator, self._x, self._y)
        self.last = self.holdout.ask(*scores)
        return self.last.value


def _right(estimator: Any, X: Any, y: Any) -> ArrayLike:
    return (np.asarray(estimator.predict(X)) == np.asarray(y)).astype(np.float64)


def _row(x: Any) -> bytes:
    return np.ascontiguousarray(x).tobytes()
