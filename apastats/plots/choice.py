"""Which plot fits a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import instance
from apastats.errors import InputError
from apastats.plots.curves import layer_agreement
from apastats.plots.decisions import sensitivity
from apastats.plots.people import among_people
from apastats.plots.rows import ceilings, estimates, forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["deciding", "draw_result"]

CELLS = ("roi", "metric", "split", "stream")


def draw_result(result: Any, ax: Axes | None, options: dict[str, Any]) -> Axes:
    """Draw by the kind of the result, else by the columns of its table."""
    if ax is not None:
        from matplotlib.axes import Axes as AxesClass

        instance("ax", ax, AxesClass, "an Axes of matplotlib, or None")
    if result.kind == "layer_agreement":
        return layer_agreement(result, ax=ax, **options)
    if result.kind == "agreement_sensitivity":
        return _sensitivity(result, ax=ax, **options)
    if result.kind == "brain_test" and "person_low" in result.table.columns:
        return _among_people(result, ax, options)
    where = options.pop("where", None)
    frame, keep = chosen(deciding(result), where)
    columns = set(frame.columns)
    points = result.arrays.get("values")
    if points is not None and points.ndim == 2 and points.shape[1] == len(result.table):
        points = points[:, keep]
    else:
        points = None
    if result.kind == "noise_ceiling":
        return ceilings(frame, ax=ax, **({"points": points} | options))
    if {"bound_low", "bound_high", "conf_low", "conf_high", "estimate"} <= columns:
        frame = frame.assign(
            _row=row_names(frame, "contrast" if "contrast" in columns else "model")
        )
        return forest(frame, ax=ax, **({"rows": "_row"} | options))
    if "estimate" in columns:
        named = next(
            (c for c in ("model", "contrast", "term", "roi") if c in columns), frame.columns[0]
        )
        frame = frame.assign(_row=row_names(frame, named))
        return estimates(frame, ax=ax, **({"rows": "_row", "points": points} | options))
    raise InputError("result", result.kind, "a result that has a plot; this one has a table only")


def _among_people(result: Any, ax: Axes | None, options: dict[str, Any]) -> Axes:
    """Every model among the people."""
    frame, keep = chosen(result.table, options.pop("where", None))
    names = [
        c for c in ("roi", "outcome", "direction") if c in frame.columns and frame[c].nunique() > 1
    ]
    records = frame[["model", *names]].astype(str).agg(" \u00b7 ".join, axis=1)
    people = result.arrays["people"][:, keep]
    return among_people(frame.assign(_row=records), people, ax=ax, **({"rows": "_row"} | options))


def deciding(result: Any) -> pd.DataFrame:
    """Table whose ``conf_low, conf_high, conf_level`` are those of the interval that goes with its decisions.

    With a margin, that of the tests of the margin; the joint one where p-values are adjusted.
    """
    table: pd.DataFrame = result.table
    found = result.info.interval_columns(table.columns, margin="bound_low" in table.columns)
    ends = dict(zip(("conf_low", "conf_high", "conf_level"), found, strict=True))
    out = table.assign(**{k: table[c] for k, c in ends.items() if c in table.columns})
    if "conf_high" not in out.columns or "estimate" not in out.columns:
        return out
    for end in ("conf_low", "conf_high"):
        # an open end is drawn as far as the others reach
        limit, estimate = out[end].to_numpy("f8"), out["estimate"].to_numpy("f8")
        if np.isinf(limit).any():
            other = out["conf_high" if end == "conf_low" else "conf_low"].to_numpy("f8")
            reach = 2 * np.nanmax(np.abs(np.where(np.isfinite(other), other, np.nan) - estimate))
            out[end] = np.where(np.isinf(limit), estimate + np.sign(limit) * reach, limit)
    return out


def _sensitivity(result: Any, *, ax: Axes | None, term: str = "decisions", **options: Any) -> Axes:
    """Decisions per ROI and analysis, or one term of the table over the analyses."""
    if term == "decisions":
        return sensitivity(result.decisions(), ax=ax, **({"rows": "roi"} | options))
    frame = result.table[result.table["term"] == term]
    if frame.empty:
        raise InputError(
            "term", term, f"'decisions' or one of {list(result.table['term'].unique())}"
        )
    frame = frame.assign(row=frame["what"] + ": " + frame["analysis"])
    return estimates(frame, ax=ax, **({"rows": "row", "outcome": term} | options))


def chosen(table: pd.DataFrame, where: Any) -> tuple[pd.DataFrame, Any]:
    """Rows in which the columns named in ``where`` have the values given, and their mask."""
    keep = np.ones(len(table), dtype=bool)
    for column, value in (where or {}).items():
        if column not in table.columns:
            raise InputError("where", column, f"columns among {list(table.columns)}")
        keep &= (table[column] == value).to_numpy()
    if not keep.any():
        raise InputError("where", where, "values that occur in the table")
    return table[keep].reset_index(drop=True), keep


def row_names(frame: pd.DataFrame, column: str) -> list[str]:
    """Name of each row: the column, with the cell where there are several."""
    varying = [c for c in CELLS if c in frame.columns and c != column and frame[c].nunique() > 1]
    if not varying:
        return [str(v) for v in frame[column]]
    records = frame[[column, *varying]].to_dict(orient="records")
    return [" \u00b7 ".join(str(r[c]) for c in (column, *varying)) for r in records]
