"""Score tables as dense arrays of patterns, and what is done to the patterns before they are compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from apastats.errors import CeilingError, DesignError
from apastats.table import BRAIN, ScoreTable

__all__ = ["PatternArrays", "ceiling_of", "dense_patterns", "rescale", "without_self"]


@dataclass(frozen=True, eq=False)
class PatternArrays:
    """Alignment patterns as arrays; the last axis is the entry of the pattern (target ROI).

    Attributes
    ----------
    subjects, rois : list of str
        Labels; brain predictors are the same ROIs.
    cells : list of (metric, split)
        First axis of all arrays.
    models, layers : list of str
        Labels of the model predictors.
    model : numpy.ndarray, shape (n_cell, n_subject, n_predictor, n_roi)
    leave_one_out : numpy.ndarray, shape (n_cell, n_subject, n_roi, n_roi), or None
        Predictor ROI, then target ROI.
    pairs : numpy.ndarray, shape (n_cell, n_subject, n_subject, n_roi, n_roi), or None
        Target subject, predicting subject, predictor ROI, target ROI; NaN where a pair was not scored.
    """

    subjects: list[str]
    rois: list[str]
    cells: list[tuple[str, str]]
    models: list[str]
    layers: list[str]
    model: np.ndarray
    leave_one_out: np.ndarray | None = None
    pairs: np.ndarray | None = None
    covariates: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """Brain kinds present."""
        found = {"subject_to_subject": self.pairs, "leave_one_out": self.leave_one_out}
        return [k for k, v in found.items() if v is not None]


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, levels = pd.factorize(column)
    return codes, [str(v) for v in levels]


def _ordered(column: pd.Series, levels: list[str]) -> np.ndarray:
    """Positions of the labels in ``levels``, -1 where absent."""
    codes, found = pd.factorize(column)
    place = {v: i for i, v in enumerate(levels)}
    return np.asarray([place.get(str(v), -1) for v in found], dtype=np.intp)[codes]


def dense_patterns(table: ScoreTable, outcome: str) -> PatternArrays:
    """Fill the arrays from a table; a cell that holds two rows is a DesignError."""
    table = table.in_cells()
    frame = table.frame
    frame = frame[(frame["model"] != BRAIN).to_numpy()]
    rois = [str(v) for v in frame["roi"].unique()]
    subjects = sorted(str(v) for v in frame["subject"].unique())
    keys = frame["metric"].astype(str) + "\n" + frame["split"].astype(str)
    cell, names = _codes(keys)
    cells = [(a, b) for a, b in (n.split("\n") for n in names)]
    subject, roi = _ordered(frame["subject"], subjects), _ordered(frame["roi"], rois)
    value = frame[outcome].to_numpy("f8")
    kind = frame["kind"].to_numpy()
    n_c, n_s, n_r = len(cells), len(subjects), len(rois)
    notes: list[str] = []

    at = np.flatnonzero(kind == "model")
    part = frame.iloc[at]
    model_code, model_names = _codes(part["model"])
    layer_code, layer_names = _codes(part["layer"])
    joint, predictors = pd.factorize(model_code.astype(np.int64) * len(layer_names) + layer_code)
    models = [model_names[p // len(layer_names)] for p in predictors]
    layers = [layer_names[p % len(layer_names)] for p in predictors]
    shape = (n_c, n_s, len(predictors), n_r)
    model = _fill(table, frame, at, value, (cell[at], subject[at], joint, roi[at]), shape)

    def brain(name: str, pairwise: bool) -> np.ndarray | None:
        at = np.flatnonzero(kind == name)
        if not len(at):
            return None
        source = _ordered(frame["layer"].iloc[at], rois)
        known = source >= 0
        if not known.all():
            lost = sorted(set(frame["layer"].iloc[at[~known]].astype(str)))
            notes.append(f"{name}: predictor ROIs that are no target were left out: {lost}")
            at, source = at[known], source[known]
        if not pairwise:
            index = (cell[at], subject[at], source, roi[at])
            return _fill(table, frame, at, value, index, (n_c, n_s, n_r, n_r))
        partner = _ordered(frame["model"].iloc[at], subjects)
        if (partner < 0).any():
            # a predicting subject that is nowhere a target still counts as a person
            extra = sorted(set(frame["model"].iloc[at[partner < 0]].astype(str)))
            raise DesignError(
                f"{table.source}: predicting subject {extra[0]!r} is never a target; kind "
                f"subject_to_subject needs the same subjects in both roles"
            )
        own = partner == subject[at]
        if own.any():
            raise DesignError(
                f"{table.source}: subject {subjects[int(partner[own][0])]!r} predicts itself"
            )
        both = (cell[at], subject[at], partner, source, roi[at])
        return _fill(table, frame, at, value, both, (n_c, n_s, n_s, n_r, n_r))

    pairs = brain("subject_to_subject", True)
    leave_one_out = brain("leave_one_out", False)
    return PatternArrays(
        *(subjects, rois, cells, models, layers, model, leave_one_out, pairs),
        covariates=_covariates(table, frame),
        notes=tuple(notes),
    )


def _fill(
    table: ScoreTable,
    frame: pd.DataFrame,
    at: np.ndarray,
    value: np.ndarray,
    index: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
) -> np.ndarray:
    out = np.full(shape, np.nan)
    if not len(at):
        return out
    flat = np.ravel_multi_index(index, shape)
    count = np.bincount(flat, minlength=out.size)
    if count.max() > 1:
        twice = at[np.flatnonzero(flat == np.argmax(count > 1))]
        rows = frame.iloc[twice]
        varying = [c for c in rows.columns if c not in table.outcomes and rows[c].nunique() > 1]
        key = rows.iloc[0][["kind", "model", "layer", "subject", "roi", "metric", "split"]]
        raise DesignError(
            f"{table.source}: {len(rows)} rows share {dict(key)}; they differ in {varying}. "
            f"Average or choose first: a pattern has one value per ROI"
        )
    out.reshape(-1)[flat] = value[at]
    return out


def _covariates(table: ScoreTable, frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Columns that are a function of the ROI (a stream, say), carried along as ``roi -> value``."""
    from apastats.table import KEY_COLUMNS

    out = {}
    for c in frame.columns:
        if c in KEY_COLUMNS or c in table.outcomes:
            continue
        levels = frame[["roi", c]].drop_duplicates()
        if len(levels) == frame["roi"].nunique() and levels[c].notna().all():
            out[str(c)] = {str(r): str(v) for r, v in levels.itertuples(index=False, name=None)}
    return out


def ceiling_of(arrays: PatternArrays, kind: str) -> np.ndarray:
    """Same-ROI reference score ``[cell, subject, roi]``, averaged over partners for pairs."""
    if kind == "leave_one_out" and arrays.leave_one_out is not None:
        return np.diagonal(arrays.leave_one_out, axis1=-2, axis2=-1).copy()
    if kind == "subject_to_subject" and arrays.pairs is not None:
        own = np.diagonal(arrays.pairs, axis1=-2, axis2=-1)
        known = np.isfinite(own)
        n = known.sum(axis=2)
        total = np.where(known, own, 0.0).sum(axis=2)
        out: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
        return out
    raise DesignError(f"there are no rows of kind {kind!r} to take the ceiling from")


def rescale(arrays: PatternArrays, scale: str, ceiling: str, on_low: str) -> PatternArrays:
    """Patterns as they are, over the ceiling of their target, or double-centred."""
    if scale == "raw":
        return arrays
    if scale == "ceiling":
        own = ceiling_of(arrays, ceiling)
        low = ~(own > 0) & np.isfinite(own)
        if low.any():
            where = [
                f"{arrays.subjects[s]} {arrays.rois[r]} ({'/'.join(arrays.cells[c])}) {own[c, s, r]:.3g}"
                for c, s, r in np.argwhere(low)[:5]
            ]
            if on_low == "error":
                raise CeilingError(
                    f"{int(low.sum())} of {own.size} ceilings are not above zero, a share of them has "
                    f"no meaning: {'; '.join(where)}; in Python: on_low='nan' leaves these entries out"
                )
            own = np.where(low, np.nan, own)
        return _each(arrays, lambda a, lead: a / own.reshape(*own.shape[:2], *(1,) * lead, -1))
    return _each(arrays, lambda a, lead: _double_centre(a))


def _each(arrays: PatternArrays, transform) -> PatternArrays:  # type: ignore[no-untyped-def]
    """Apply ``transform(array, number of axes between subject and entry)`` to every kind."""
    return replace(
        arrays,
        model=transform(arrays.model, 1),
        leave_one_out=None if arrays.leave_one_out is None else transform(arrays.leave_one_out, 1),
        pairs=None if arrays.pairs is None else transform(arrays.pairs, 2),
    )


def _nanmean(a: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(a)
    n = known.sum(axis=axis, keepdims=True)
    total = np.where(known, a, 0.0).sum(axis=axis, keepdims=True)
    out: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return out


def _double_centre(a: np.ndarray) -> np.ndarray:
    """Take away what a target has for all predictors of the matrix, then each pattern's own mean."""
    if not a.size:
        return a
    # one axis, then the other: without gaps the order does not matter, with gaps the means of the last alone are 0
    centred = a - _nanmean(a, -2)
    out: np.ndarray = centred - _nanmean(centred, -1)
    return out


def without_self(arrays: PatternArrays) -> PatternArrays:
    """Blank the entry at which predictor ROI and target ROI are the same.

    Comparisons use shared entries only, so the matching entry of a model pattern drops out as well.
    """
    same = np.eye(len(arrays.rois), dtype=bool)

    def blank(a: np.ndarray | None) -> np.ndarray | None:
        return None if a is None else np.where(same, np.nan, a)

    return replace(arrays, leave_one_out=blank(arrays.leave_one_out), pairs=blank(arrays.pairs))
