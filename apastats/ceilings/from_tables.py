"""Noise ceilings from score tables: other subjects as predictors, or the subject's own other sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apastats.arguments import column
from apastats.calls import not_among
from apastats.errors import DataError, InputError
from apastats.numbers.correlation import spearman_brown
from apastats.resampling.means import describe_cells
from apastats.rows import BRAIN_ROWS, DEFAULTS, own_time
from apastats.scoring.methods import METHODS
from apastats.scoring.people import pair_values, shares_of_pooled
from apastats.table import ScoreTable

__all__ = ["table_values"]

TableValues = tuple[pd.DataFrame, np.ndarray, list[str], np.ndarray, np.ndarray | None]
# the pool is not divided by its norm; and similarities that are 1 at most
LINEAR = tuple(m for m, row in METHODS.items() if not row.normalised)
CORRELATIONS = tuple(m for m, row in METHODS.items() if row.normalised and row.pooled != "plain")


def table_values(
    data: ScoreTable, kind: str, by: list[str], split: str | None, within: str
) -> TableValues:
    """Ceiling of every subject: labels with ``bound``, ``[subject, row]``, subjects, person, widening.

    ``person [subject, row]`` is each person's share in the mean over subjects: from leaving the person out where
    there are rows of pairs, the own deviation widened by ``widening [row]`` for leave-one-out rows (None for the
    other kinds), the values themselves where nobody else has a part in them.

    Parameters
    ----------
    data : ScoreTable
        With brain rows.
    kind : {"leave_one_out", "subject_to_subject", "split_half", "repeat"}
    by : list of str
        Cells.
    split : str or None
        Split used; "test" where there are several.
    within : str
        Column of the predicted session (or repeat); averaged over last where the table has it.
    """
    for c in by:
        column("by", c, data.frame.columns)
    own = kind in ("split_half", "repeat")
    if own:
        rows = _own_rows(data, kind, within)
    else:
        frame = data.frame
        rows = frame[
            (frame["kind"] == kind)
            & _own_roi(frame, kind)
            & own_time(frame)
            & (frame["model"] != frame["subject"])
        ]
    rows = _of_split(rows, by, split)
    if rows.empty:
        raise DataError(
            f"{data.source}: no rows of kind {kind!r} whose predictor ROI (layer) is the target ROI; "
            f"kinds present: {list(data.frame['kind'].unique())}. {BRAIN_ROWS}"
        )
    nested = [within] if within in rows.columns and within not in by else []
    keys = ["subject", *by]
    score = rows.groupby([*keys, *nested], sort=False, dropna=False)[data.outcomes[0]].mean()
    score = score.groupby(keys, sort=False).mean()
    cells = rows[by].drop_duplicates().reset_index(drop=True)
    subjects = sorted(rows["subject"].unique())
    index = [tuple(row) for row in cells.itertuples(index=False)]
    values = np.array([[score.get((s, *cell), np.nan) for cell in index] for s in subjects])
    if kind == "subject_to_subject":
        people = [*subjects, *sorted(set(rows["model"]) - set(subjects))]
        found = pair_values(*_by_pair(rows, data.outcomes[0], people, cells, nested))[1]
        return cells.assign(bound="reference"), values, subjects, found[: len(subjects)], None
    if kind == "leave_one_out":
        metric = cells["metric"] if "metric" in by else pd.Series("/".join(rows["metric"].unique()))
        linear, correlation = (
            np.broadcast_to(metric.isin(names), len(cells)) for names in (LINEAR, CORRELATIONS)
        )
        pairs = np.where(linear, np.nan, _mean_of_pairs(data, by, split, within, cells))
        person, widening = shares_of_pooled(values, pairs, correlation)
        return cells.assign(bound="reference"), values, subjects, person, widening
    if kind == "repeat":
        return cells.assign(bound="reference"), values, subjects, values, None
    if np.nanmax(np.abs(values)) > 1:
        raise DataError(f"{data.source}: Spearman-Brown is for correlations; scores exceed 1")
    labels = pd.concat([cells.assign(bound=b) for b in ("uncorrected", "corrected")])
    order = np.arange(2 * len(cells)).reshape(2, -1).T.ravel()
    both = np.concatenate([values, spearman_brown(values)], axis=1)[:, order]
    return labels.iloc[order].reset_index(drop=True), both, subjects, both, None


def _mean_of_pairs(
    data: ScoreTable, by: list[str], split: str | None, within: str, cells: pd.DataFrame
) -> np.ndarray:
    """Mean of one subject predicting another in every cell, ``[cell]``; NaN where the table has no such rows."""
    try:
        found, values, *_ = table_values(data, "subject_to_subject", by, split, within)
    except (DataError, InputError):  # no such rows, or not of this split
        return np.full(len(cells), np.nan)
    mean = found[by].assign(mean=describe_cells(values)[0])
    return cells.merge(mean, on=by, how="left")["mean"].to_numpy(dtype=float)


def _by_pair(
    rows: pd.DataFrame, outcome: str, people: list[str], cells: pd.DataFrame, nested: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score ``[target, partner, cell, session]``, NaN where there is none, and the rows it stands for."""
    place = {p: i for i, p in enumerate(people)}
    by = list(cells.columns)
    session = pd.factorize(rows[nested[0]], use_na_sentinel=False)[0] if nested else 0
    at = (
        rows["subject"].map(place).to_numpy(),
        rows["model"].map(place).to_numpy(),
        pd.MultiIndex.from_frame(cells).get_indexer(pd.MultiIndex.from_frame(rows[by])),
        np.broadcast_to(session, len(rows)),
    )
    score = rows[outcome].to_numpy(dtype=float)
    known = np.isfinite(score)
    total = np.zeros((len(people), len(people), len(cells), int(np.max(session)) + 1))
    count = np.zeros(total.shape, dtype=int)
    at = tuple(w[known] for w in at)
    np.add.at(total, at, score[known])
    np.add.at(count, at, 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count


def _of_split(rows: pd.DataFrame, by: list[str], split: str | None) -> pd.DataFrame:
    """Rows of one split."""
    if "split" in by:
        return rows
    splits = list(rows["split"].unique())
    if split is None:
        # of several splits without a test split none is the one that is meant
        if len(splits) > 1 and "test" not in splits:
            raise InputError("split", None, f"one of {splits}")
        split = "test" if "test" in splits or not splits else splits[0]
    if splits and split not in splits:
        raise not_among("split", split, splits)
    return rows[rows["split"] == split]


def _own_roi(frame: pd.DataFrame, kind: str) -> pd.Series:
    """Rows in which a ROI predicts itself; where rows of a kind name no predictor ROI at all, those are meant."""
    rows = frame.loc[frame["kind"] == kind, "layer"]
    if len(rows) and (rows == DEFAULTS["layer"]).all():
        return frame["layer"] == DEFAULTS["layer"]
    return frame["layer"] == frame["roi"]


def _own_rows(data: ScoreTable, kind: str, within: str) -> pd.DataFrame:
    """Rows in which a subject's ROI predicts itself from another session."""
    frame, predictor = data.frame, f"predictor_{within}"
    lacking = [c for c in (within, predictor) if c not in frame.columns]
    if lacking:
        raise InputError(
            "within", within, f"a score table with the columns {within!r} and {predictor!r}",
            hint="Rows of kind 'subject_to_subject' with the subject itself as model are needed, one "
            "session predicting another; scores of models in several sessions are no ceiling. "
            f"RDMs with that label are taken as well. {BRAIN_ROWS}",
        )  # fmt: skip
    rows = frame[
        (frame["kind"] == "subject_to_subject")
        & (frame["layer"] == frame["roi"])
        & (frame["model"] == frame["subject"])
        & (frame[within] != frame[predictor])
    ]
    if rows.empty:
        raise DataError(
            f"{data.source}: no row of kind 'subject_to_subject' in which a subject's other {within} "
            f"predicts the same ROI (model is the subject, {predictor} another {within})"
        )
    if kind == "split_half":
        sides = [
            rows[["subject", c]].set_axis(["subject", "half"], axis=1) for c in (within, predictor)
        ]
        halves = pd.concat(sides).groupby("subject")["half"].nunique()
        if (halves != 2).any():
            raise DataError(
                f"{data.source}: subject {halves.idxmax()!r} has {halves.max()} {within}s; halves are two "
                f"(kind='repeat' takes more)"
            )
    return rows
