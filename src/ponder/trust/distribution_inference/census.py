"""UCI Adult as the attack's authors prepare it: 42 inputs, income above $50,000 as the label, sex as the attribute.

`ponder pull adult-train adult-test` fetches the two files (Becker & Kohavi 1996, CC BY 4.0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ponder.core.errors import InputError
from ponder.trust.distribution_inference.records import Records

COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex"),
    *("capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)
_SCORED = ("fnlwgt", "capital-gain", "capital-loss")
_SCALED = ("age", "hours-per-week", "education-num")
_ONE_HOT = ("workclass", "occupation", "race", "sex", "marital-status", "relationship")
_OTHER = {"Asian-Pac-Islander": "Other", "Amer-Indian-Eskimo": "Other"}
_DROPPED = {"workclass": {"Never-worked", "Without-pay"}, "occupation": {"Priv-house-serv", "Armed-Forces"}}


def read_census(*paths: str | Path, attribute: str = "sex=Female") -> tuple[Records, tuple[str, ...]]:
    """The files' records together, unknown values ("?") left out, with the names of the inputs.

    Args:
        paths: adult.data, adult.test or both.
        attribute: the input of 0 and 1 whose share is secret.

    Raises:
        InputError: for a file of another form, or an attribute that is no such input.
    """
    rows = [row for path in paths for row in _rows(Path(path))]
    if not rows:
        raise InputError(f"no records in {[str(p) for p in paths]}")
    table = {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}
    table["race"] = [_OTHER.get(v, v) for v in table["race"]]
    names: list[str] = []
    columns: list[np.ndarray] = []
    for name in (*_SCORED, *_SCALED):
        values = np.array(table[name], dtype=float)
        names.append(name)
        columns.append((values - values.mean()) / (values.std() or 1.0) if name in _SCORED else (values - values.min()) / values.max())
    for name in _ONE_HOT:
        values = np.array(table[name])
        for level in sorted(set(table[name]) - _DROPPED.get(name, set())):
            names.append(f"{name}={level}")
            columns.append((values == level).astype(float))
    if attribute not in names or attribute in (*_SCORED, *_SCALED):
        raise InputError(f"the attribute must be one of {', '.join(n for n in names if '=' in n)}, not {attribute!r}")
    x = np.column_stack(columns)
    income = np.array([v.startswith(">50K") for v in table["income"]]).astype(np.int64)
    return Records(x, income, x[:, names.index(attribute)].astype(np.int64)), tuple(names)


def _rows(path: Path) -> list[list[str]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if not line.strip() or line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(COLUMNS) or not cells[-1].startswith((">50K", "<=50K")):
            raise InputError(f"{path.name}, line {number}: {len(COLUMNS)} cells that end in an income are needed, not {line[:60]!r}")
        if "?" not in cells:
            rows.append(cells)
    return rows
