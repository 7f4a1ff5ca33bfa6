"""The rows of a result that a plot draws: which, in what order, under which names, with which interval and axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.arguments import column as known_column
from apastats.calls import not_among
from apastats.errors import InputError
from apastats.plots.panel import MOST_ROWS
from apastats.plots.style import model_colors, with_metric

__all__ = ["axis_words", "chosen", "deciding", "named_by", "prepared", "row_colors", "row_names"]

CELLS = ("roi", "metric", "split", "stream")
NAMES = ("contrast", "model", "term", "level", "roi")
INTERVALS = {
    "single": "",
    "joint": "_joint",
    "difference": "_difference",
    "joint margin": "_joint_margin",
}


def deciding(result: Any, interval: str = "deciding") -> pd.DataFrame:
    """Table whose ``conf_low, conf_high, conf_level`` are those of the interval that goes with its decisions.

    With a margin, that of the tests of the margin; the joint one where p-values are adjusted. An open end is infinite.
    """
    table: pd.DataFrame = result.table
    if interval == "deciding":
        found = result.info.interval_columns(table.columns, margin="bound_low" in table.columns)
    else:
        there = [k for k, tail in INTERVALS.items() if f"conf_low{tail}" in table.columns]
        if interval not in there:
            raise not_among("interval", interval, ["deciding", *there])
        found = tuple(f"conf_{end}{INTERVALS[interval]}" for end in ("low", "high", "level"))
    ends = dict(zip(("conf_low", "conf_high", "conf_level"), found, strict=True))
    return table.assign(**{k: table[c] for k, c in ends.items() if c in table.columns})


def chosen(table: pd.DataFrame, where: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows in which the columns named in ``where`` have the values given, and their mask."""
    if where is not None:
        instance("where", where, Mapping, "a mapping of columns to values")
    keep = np.ones(len(table), dtype=bool)
    for name, value in (where or {}).items():
        known_column("where", name, table.columns)
        keep &= (table[name] == value).to_numpy()
    if not keep.any():
        raise InputError("where", where, "values that occur in the table")
    return table[keep].reset_index(drop=True), keep


def row_names(
    frame: pd.DataFrame,
    column: str,
    by: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> list[str]:
    """Name of each row: the column, with the cells it stands in where there are several."""
    varying = [
        c
        for c in dict.fromkeys([*by, *CELLS])
        if c in frame.columns and c != column and frame[c].nunique() > 1
    ]
    if frame.duplicated([column, *varying]).any():
        # whatever text tells rows apart
        text = [c for c in frame.columns if not pd.api.types.is_float_dtype(frame[c])]
        for c in text:
            again = frame.duplicated([column, *varying]).sum()
            if (
                c not in (column, *varying)
                and frame.duplicated([column, *varying, c]).sum() < again
            ):
                varying.append(c)
    records = frame[[column, *varying]].to_dict(orient="records")
    words = labels or {}
    return [
        " \u00b7 ".join(str(words.get(str(r[c]), r[c])) for c in (column, *varying))
        for r in records
    ]


def named_by(frame: pd.DataFrame, candidates: Sequence[str] = NAMES) -> str:
    """Column whose names stand at the rows: the first of the candidates that is there."""
    return next((c for c in candidates if c in frame.columns), str(frame.columns[0]))


def prepared(
    result: Any,
    table: pd.DataFrame,
    named: str,
    where: Any,
    order: Any,
    labels: Any,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows to draw with their names in ``_row``, and their positions in the table."""
    frame, keep = chosen(table, where)
    at = np.flatnonzero(keep)
    if labels is not None:
        instance("labels", labels, Mapping, "a mapping of names to texts")
    frame = frame.assign(_row=row_names(frame, named, result.info.by, labels))
    if order is not None:
        names = [str(n) for n in order]
        there = list(dict.fromkeys(frame[named].astype(str)))
        for n in names:
            choice("order", n, there)
        rank = frame[named].astype(str).map({n: i for i, n in enumerate(names)})
        sequence = np.argsort(rank.to_numpy("f8"), kind="stable")[: int(rank.notna().sum())]
        frame, at = frame.iloc[sequence].reset_index(drop=True), at[sequence]
    elif len(frame) > MOST_ROWS and named == "model" and not frame["model"].duplicated().any():
        # the first of many models are shown: the best
        value = next((c for c in ("rank", "estimate") if c in frame.columns), None)
        if value is not None:
            best = frame[value].sort_values(ascending=value == "rank", kind="stable")
            sequence = best.index.to_numpy()
            frame, at = frame.iloc[sequence].reset_index(drop=True), at[sequence]
    return frame, at


def row_colors(frame: pd.DataFrame, colors: Any, every: pd.DataFrame) -> dict[str, str]:
    """Colour of each row, by its model; the same model has one colour."""
    if colors is not None:
        instance("colors", colors, Mapping, "a mapping of names to colours")
    key = next((c for c in ("model", "term", "contrast", "roi") if c in frame.columns), "_row")
    base = model_colors(every[key]) if key == "model" else {}
    own = base | {str(k): str(v) for k, v in (colors or {}).items()}
    return {
        str(row): own[str(name)]
        for row, name in zip(frame["_row"], frame[key], strict=True)
        if str(name) in own
    }


def axis_words(result: Any, frame: pd.DataFrame, difference: bool) -> str:
    """What the axis of the estimates shows: quantity, scale and metric."""
    info = result.info
    what = str(info.outcome) if info.outcome else ""
    if not what:
        return with_metric(info.estimand or "estimate", info, frame)
    if result.kind == "equivalence_set":
        words = f"{what}: model minus the best other model"
    elif difference or "contrast" in frame.columns:
        words = f"difference in {what}"
    elif result.kind in ("bootstrap", "rdm_evaluation", "fitted_evaluation"):
        words = f"mean {what}"
    elif result.kind == "agreement_bootstrap":
        words = f"{what}, or a difference in it" if frame["term"].nunique() > 1 else what
    elif result.kind in ("emmeans", "lmm", "bayes_lmm"):
        words = f"{info.estimand or 'coefficient'} (of {what})"
    else:
        words = info.estimand or what
    return with_metric(words, info, frame)
