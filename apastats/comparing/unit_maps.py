"""Maps over units, and time points, from tables of scores by unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.errors import DataError, InputError
from apastats.rows import TIME
from apastats.table import ScoreTable

__all__ = ["maps_of"]

UNIT = "unit"


def maps_of(x: Any, y: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Arrays ``[n_subject, n_unit (, n_time)]`` and names of their axes; arrays stay as they are.

    Parameters
    ----------
    x, y : array or ScoreTable
        Tables by unit (``linear_predictivity(by_unit=True)``), with one row for every subject, unit and time point.
    labels : mapping or sequences, optional
        Names of the points; those of the table by default.

    Raises
    ------
    InputError
        A table without units, or of several models, regions, ...; a table beside an array.
    DataError
        Subjects without a score of a unit, other subjects or units in ``y``.
    """
    if not isinstance(x, ScoreTable):
        if isinstance(y, ScoreTable):
            raise InputError("x", type(x).__name__, "a table by unit, as y is one")
        return x, y, labels
    values, names, people = _map("x", x)
    if isinstance(y, ScoreTable):
        other, names_y, people_y = _map("y", y)
        if names_y != names or people_y != people:
            raise DataError("y: other subjects, units or time points than in x")
        y = other
    return values, y, names if labels is None else labels


def _map(argument: str, table: ScoreTable) -> tuple[np.ndarray, dict[str, list[Any]], list[Any]]:
    """Scores, names of the points by axis, and subjects."""
    frame = table.frame
    if UNIT not in frame:
        hint = "linear_predictivity(by_unit=True) keeps the scores of units."
        raise InputError(argument, "a table without units", "a table with a column unit", hint=hint)
    axes = [UNIT, *([TIME] if TIME in frame and frame[TIME].nunique() > 1 else [])]
    for column in ("kind", "model", "layer", "roi", "metric", "split"):
        if column in frame and frame[column].nunique() > 1:
            several = sorted(map(str, frame[column].unique()))[:4]
            hint = f"{argument}.where({column}=...) chooses one."
            raise InputError(argument, several, f"a table with one {column}", hint=hint)
    keys = ["subject", *axes]
    if frame.duplicated(keys).any():
        raise DataError(f"{argument}: several rows of a subject and {' and '.join(axes)}")
    wide = frame.set_index(keys)["score"].unstack(axes).sort_index(axis=1)
    if wide.isna().any(axis=None):
        lacking = wide.isna().any(axis=0)
        first = wide.columns[lacking.to_numpy()][0]
        raise DataError(
            f"{argument}: {int(lacking.sum())} of {wide.shape[1]} points lack a score of a subject (first: {first}); "
            f"a map has the same units in everybody"
        )
    names = {a: sorted(frame[a].unique()) for a in axes}
    shape = (len(wide), *(len(v) for v in names.values()))
    if wide.shape[1] != np.prod(shape[1:]):
        raise DataError(f"{argument}: not every unit has a score at every time point")
    return wide.to_numpy("f8").reshape(shape), names, list(wide.index)
