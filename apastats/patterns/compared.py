"""What is compared with what: candidate patterns and their references, as stacks of one cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.arguments import choice, instance
from apastats.errors import DataError, DesignError
from apastats.patterns.arrays import PatternArrays
from apastats.patterns.reference_patterns import mean_of_others, pairs_without, pairs_without_two
from apastats.rows import BRAIN_ROWS
from apastats.table import ScoreTable

__all__ = [
    "REFERENCES",
    "Compared",
    "Predictors",
    "average",
    "brain_kind",
    "brain_stack",
    "compare_with",
    "predictors_of",
]

REFERENCES = ("leave_one_out", "released", "matched")


@dataclass(frozen=True, eq=False)
class Compared:
    """Candidates and references of one cell; NaN where there is nothing.

    Attributes
    ----------
    model : numpy.ndarray, shape (n_subject, n_predictor, n_entry)
    model_references : numpy.ndarray, shape (n_subject, n_reference, n_roi, n_entry)
        A model's agreement is the mean over the references a subject has.
    brain : numpy.ndarray, shape (n_subject, n_candidate, n_roi, n_entry)
    brain_references : numpy.ndarray, shape (n_subject, n_candidate or 1, n_roi, n_entry)
    """

    model: np.ndarray
    model_references: np.ndarray
    brain: np.ndarray
    brain_references: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictors:
    """Which predictor stands for which model, ROI by ROI.

    Attributes
    ----------
    models : list of str
    layers : list of list of str
        ``[model][roi]``; "by subject" where it differs between subjects.
    index : numpy.ndarray of int, shape (n_subject, n_model, n_roi)
        Position among the predictors, -1 where there is none.
    """

    models: list[str]
    layers: list[list[str]]
    index: np.ndarray


def average(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean of what is there; NaN where nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    out: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return out


def brain_kind(arrays: PatternArrays, brain: str | None) -> str:
    """The brain rows used: as asked, or pairs where there are pairs."""
    if not arrays.kinds:
        raise DesignError(
            "pattern agreement needs brain rows (subject_to_subject or leave_one_out) whose layer names the ROI that "
            f"predicts. {BRAIN_ROWS}"
        )
    if brain is None:
        return arrays.kinds[0]
    choice("brain", brain, arrays.kinds)
    return brain


def brain_stack(arrays: PatternArrays, kind: str) -> np.ndarray:
    """Brain patterns of one kind, all cells."""
    values = arrays.pairs if kind == "subject_to_subject" else arrays.leave_one_out
    if values is None:
        raise DesignError(f"there are no brain patterns of kind {kind!r}")
    return values


def enough_subjects(arrays: PatternArrays, kind: str, reference: str) -> None:
    """DesignError where the reference would be empty."""
    need = _needed(kind, reference)
    if len(arrays.subjects) < need:
        raise DesignError(
            f"pattern agreement: {len(arrays.subjects)} subjects; reference {reference!r} with {kind} "
            f"patterns needs at least {need}"
        )


def enough_without_one(arrays: PatternArrays, kind: str, reference: str) -> bool:
    """Whether there is a reference left when a person is left out."""
    return len(arrays.subjects) > _needed(kind, reference)


def _needed(kind: str, reference: str) -> int:
    return 2 if kind == "leave_one_out" else (4 if reference == "matched" else 3)


def compare_with(
    model: np.ndarray, brain: np.ndarray, *, pairwise: bool, reference: str
) -> Compared:
    """Candidates and references of one cell.

    Parameters
    ----------
    model : numpy.ndarray, shape (n_subject, n_predictor, n_entry)
    brain : numpy.ndarray
        ``(n_subject, n_roi, n_entry)``, or with ``pairwise`` ``(n_subject, n_subject, n_roi, n_entry)``:
        target, predictor.
    pairwise : bool
        Which of the two ``brain`` is.
    reference : str
        See :func:`apastats.pattern_agreement`.

    Returns
    -------
    Compared
    """
    if not pairwise:
        others = mean_of_others(brain)[:, None]
        own = brain[:, None]
        return Compared(model, own if reference == "released" else others, own, others)
    if reference == "matched":
        outside = pairs_without_two(brain)
        # only the partners a subject really has: the same references for brain and models
        present = np.isfinite(brain).any(axis=(-1, -2))[:, :, None, None]
        outside = np.where(present, outside, np.nan)
        return Compared(model, outside, brain, outside)
    outside = pairs_without(brain)[:, None]
    return Compared(model, brain if reference == "released" else outside, brain, outside)


def predictors_of(
    arrays: PatternArrays, selection: ScoreTable | None, cell: tuple[str, str]
) -> Predictors:
    """Predictors to look at: all of them, or one layer per model and ROI as selected.

    Raises
    ------
    InputError
        If the selection is no score table.
    DataError
        If the selection names a layer that has no pattern, or two layers of a model for one ROI of a subject.
    """
    n_s, n_r = len(arrays.subjects), len(arrays.rois)
    if selection is None:
        index = np.broadcast_to(
            np.arange(len(arrays.models))[None, :, None], (n_s, len(arrays.models), n_r)
        )
        return Predictors(arrays.models, [[la] * n_r for la in arrays.layers], index)
    instance("selection", selection, ScoreTable, "what select_layer returned")
    f = selection.in_cells().frame
    f = f[(f["kind"] == "model") & (f["metric"] == cell[0]) & (f["split"] == cell[1])]
    models = [str(m) for m in f["model"].unique()]
    place = {key: k for k, key in enumerate(zip(arrays.models, arrays.layers, strict=True))}
    subjects = {s: i for i, s in enumerate(arrays.subjects)}
    rois = {r: i for i, r in enumerate(arrays.rois)}
    number = {m: j for j, m in enumerate(models)}
    index = np.full((n_s, len(models), n_r), -1, dtype=np.intp)
    columns = (f[c].astype(str).to_numpy() for c in ("model", "layer", "subject", "roi"))
    for m, la, s, r in zip(*columns, strict=True):
        if s not in subjects or r not in rois:
            continue
        if (m, la) not in place:
            raise DataError(f"selection: layer {la!r} of model {m!r} has no alignment pattern")
        at = (subjects[s], number[m], rois[r])
        if index[at] >= 0:
            raise DataError(f"selection: model {m!r} has two layers for ROI {r!r} of subject {s!r}")
        index[at] = place[m, la]
    layers = [[_one_layer(arrays, index[:, j, r]) for r in range(n_r)] for j in range(len(models))]
    return Predictors(models, layers, index)


def _one_layer(arrays: PatternArrays, chosen: np.ndarray) -> str:
    found = {arrays.layers[k] for k in chosen if k >= 0}
    return found.pop() if len(found) == 1 else ("by subject" if found else "-")


def take_predictors(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``values [subject, predictor, roi] -> [subject, model, roi]`` by the index; NaN where it is -1."""
    s = np.arange(values.shape[0])[:, None, None]
    r = np.arange(values.shape[2])[None, None, :]
    if not values.shape[1]:
        return np.full(index.shape, np.nan)
    out: np.ndarray = np.where(index >= 0, values[s, np.maximum(index, 0), r], np.nan)
    return out
