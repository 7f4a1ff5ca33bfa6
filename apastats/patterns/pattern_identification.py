"""Which ROI a pattern belongs to: identification accuracy, confusion, permutation test."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.compared import (
    REFERENCES,
    average,
    brain_kind,
    brain_stack,
    compare_with,
    enough_subjects,
    predictors_of,
)
from apastats.patterns.pattern_agreement import brain_similarity, model_similarity
from apastats.patterns.pattern_similarity import check_similarity
from apastats.patterns.permutations import roi_permutations
from apastats.recording import verb
from apastats.resampling.plans import Resamples
from apastats.resampling.relabel import permutation_p
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import BRAIN, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, SUBJECTS, Drawn, Info

__all__ = ["PatternIdentification", "pattern_identification"]


class PatternIdentification(Result):
    """Identification of ROIs by their patterns.

    ``table``: ``kind, model, roi`` ("all", then each ROI), ``metric, split, estimate`` (share of subjects
    whose pattern is most similar to the reference of the right ROI), ``chance, p_value, mcse, n_subject,
    method``. ``arrays["confusion"]`` is ``[row, roi, roi]``: share of subjects in which the pattern of the first
    ROI is taken for the second; ``arrays["similarity"]`` likewise: mean similarity; ``arrays["cells"]`` and
    ``arrays["models"]`` label the rows, ``arrays["rois"]`` the ROIs.
    """

    kind: ClassVar[str] = "pattern_identification"


@verb
def pattern_identification(
    patterns: AlignmentPatterns,
    *,
    selection: ScoreTable | None = None,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
) -> PatternIdentification:
    """Tell which ROI a pattern belongs to by the reference it is most similar to.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    selection : ScoreTable, optional
        From :func:`select_layer`: then models are identified too, the layer chosen for a ROI standing for
        that ROI.
    reference, similarity, brain
        As in :func:`pattern_agreement`.
    n_resamples : "auto", "exact" or int
        Permutations of the references' ROI labels (all up to 9 ROIs, sampled above).
    rng : int, Generator, SeedSequence or None
        Used where permutations are sampled.

    Returns
    -------
    PatternIdentification

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``roi``
        (region), ``metric`` (measure of the scores), ``split`` (part of the stimuli), ``estimate`` (what is
        estimated, from the data themselves), ``chance`` (value by chance), ``p_value`` (p-value of the
        ordinary test), ``mcse`` (Monte-Carlo standard error), ``n_subject`` (subjects), ``method`` (how the
        interval or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are too few subjects.

    See Also
    --------
    pattern_agreement, pattern_reliability

    Notes
    -----
    ``accuracy = mean_s mean_r [r = argmax_t sim(pattern(s, r), ref(s, t))]``; ties share a point. The null
    permutes the labels of the references, the same for all subjects. The p-value of one ROI is the share of
    references that its pattern is taken for at least as often as for its own.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> found = apa.pattern_identification(patterns, n_resamples=199, rng=1)
    >>> bool(found.table.loc[0, "estimate"] > 0.5)
    True
    """
    choice("reference", reference, REFERENCES)
    check_similarity(similarity)
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    n_roi = len(arrays.rois)
    plan = roi_permutations(n_roi, n_resamples=n_resamples, rng=rng)
    drawn = plan.matrix.astype(np.intp)
    rows, confusions, similarities, cells, names = [], [], [], [], []
    for c, label in enumerate(arrays.cells):
        compared = compare_with(
            arrays.model[c],
            brain_stack(arrays, kind)[c],
            pairwise=kind == "subject_to_subject",
            reference=reference,
        )
        tables = [(kind, BRAIN, brain_similarity(compared, similarity))]
        if selection is not None:
            chosen = predictors_of(arrays, selection, label)
            every = model_similarity(compared, similarity)
            for j, model in enumerate(chosen.models):
                index = chosen.index[:, j]
                s = np.arange(len(index))[:, None]
                own = np.where(index[..., None] >= 0, every[s, np.maximum(index, 0)], np.nan)
                tables.append(("model", model, own))
        for row_kind, model, similar in tables:
            share, n_subject = confusion_shares(similar)
            frame = _identified(share, n_subject, arrays.rois, drawn, plan.exact)
            key = {"kind": row_kind, "model": model, "metric": label[0], "split": label[1]}
            rows.append(frame.assign(**key, method=f"{plan.kind} of reference labels"))
            confusions.append(share)
            similarities.append(average(similar, 0))
            cells.append("/".join(label))
            names.append(model)
    table = pd.concat(rows, ignore_index=True)
    first = ["kind", "model", "roi", "metric", "split"]
    table = table[[*first, *(col for col in table.columns if col not in first)]]
    info = Info(
        estimand="share of ROIs identified",
        outcome=patterns.info.outcome,
        method="identification of ROIs by the most similar reference pattern",
        null="labels of the reference patterns are exchangeable",
        reference=reference,
        n_subject=len(arrays.subjects),
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        resampled=Drawn("ROI labels of the references, the same for all subjects"),
        held_fixed=(SUBJECTS, STIMULI, CHOSEN_LAYERS),
        extra={"similarity": similarity, "brain": kind},
    )
    stacks = {
        "confusion": np.stack(confusions),
        "similarity": np.stack(similarities),
        "cells": np.asarray(cells, dtype=str),
        "models": np.asarray(names, dtype=str),
        "rois": np.asarray(arrays.rois, dtype=str),
    }
    provenance = Provenance(data_hash=patterns.provenance.data_hash, seed=plan.seed)
    return PatternIdentification(table, info, provenance, stacks)


def confusion_shares(similar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of subjects ``[roi, roi]`` in which the second ROI's reference is the most similar; ties share."""
    filled = np.where(np.isfinite(similar), similar, -np.inf)
    top = filled.max(axis=-1, keepdims=True)
    usable = np.isfinite(top[..., 0])
    hit = (filled == top) & usable[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        hit_share = np.where(usable[..., None], hit / hit.sum(axis=-1, keepdims=True), np.nan)
    return average(hit_share, 0), usable.sum(axis=0)


def _identified(
    share: np.ndarray, n_subject: np.ndarray, rois: list[str], drawn: np.ndarray, exact: bool
) -> pd.DataFrame:
    """Overall accuracy and that of each ROI."""
    n = len(rois)
    known = np.isfinite(share).all(axis=1)
    filled = np.where(known[:, None], share, 0.0)
    seen = np.trace(filled) / max(known.sum(), 1)
    values = filled[np.arange(n), drawn].sum(axis=1) / max(known.sum(), 1)
    p_all = float(permutation_p(values, seen, exact=exact, alternative="greater"))
    # one ROI has n possible labels: its p-value is the place of the right one among them, never below 1 / n
    p_roi = (filled >= np.diag(filled)[:, None] - 1e-12).sum(axis=1) / n
    mcse = 0.0 if exact else float(np.sqrt(p_all * (1 - p_all) / len(drawn)))
    return pd.DataFrame(
        {
            "roi": ["all", *rois],
            "estimate": [seen if known.any() else np.nan, *np.diag(share)],
            "chance": 1 / n,
            "p_value": [p_all, *np.where(known, p_roi, np.nan)],
            "mcse": [mcse, *np.zeros(n)],
            "n_subject": [int(n_subject.max()), *n_subject],
        }
    )
