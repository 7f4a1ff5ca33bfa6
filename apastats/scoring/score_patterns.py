"""Scores from response patterns: RSA and linear predictivity of models, other subjects and their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import checked
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.scoring.methods import parse_method
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.scoring.rdms_from_patterns import FAST, distances
from apastats.scoring.response_patterns import (
    Patterns,
    check_same_rows,
    checked_patterns,
    other_people,
    rows_by_name,
)
from apastats.scoring.score import parse_references, score
from apastats.table import ScoreTable

__all__ = ["score_patterns"]


@checked
def score_patterns(
    brain: Mapping[tuple[str, str], Any],
    models: Mapping[tuple[str, str], Any] | None = None,
    *,
    distance: str = "correlation",
    method: str = "corr",
    references: Sequence[str] | None = ("subject_to_subject", "leave_one_out"),
    reference_from: str = "mean_patterns",
    stimuli: Sequence[Any] | None = None,
    split: str = "test",
) -> ScoreTable:
    """RSA scores from response patterns, with references made from patterns or from RDMs.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)`` to ``[n_stimulus, n_vertex]``. A column that is NaN is a vertex the
        subject lacks. Data frames name their rows by their index: sets with names are matched by them,
        sets without by position (the log says so).
    models : mapping, optional
        From ``(model, layer)`` to ``[n_stimulus, n_feature]``.
    distance : {"correlation", "euclidean", "cosine"}
        Distance between patterns.
    method : str
        Comparison of RDMs, as in :func:`apastats.rdm_similarity`.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain rows to compute.
    reference_from : {"mean_patterns", "pooled_rdms"}
        How leave_one_out predictors are made: the RDM of the other subjects' mean patterns (all
        subjects of a ROI need the same vertices), or the pooled RDM of their RDMs. The column of this
        name says it.
    stimuli : sequence, optional
        Names of the rows.
    split : str
        Value of the column ``split``.

    Returns
    -------
    ScoreTable

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form; with mean patterns, subjects whose vertices do not correspond.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> common = rng.standard_normal((8, 30))
    >>> brain = {(s, "V1"): common + rng.standard_normal((8, 30)) for s in ("s1", "s2", "s3")}
    >>> score_patterns(brain).frame["reference_from"].unique().tolist()
    ['-', 'mean_patterns']
    """
    if distance not in FAST:
        raise InputError("distance", distance, f"one of {list(FAST)}")
    if reference_from not in ("mean_patterns", "pooled_rdms"):
        raise InputError("reference_from", reference_from, "'mean_patterns' or 'pooled_rdms'")
    parse_method(method)
    wanted = parse_references(references)
    brain, models, log = rows_by_name(brain, models)
    data = checked_patterns(brain, "brain", pairs=False)
    predictors = {} if models is None else checked_patterns(models, "models", pairs=False)
    check_same_rows(data, predictors)
    names = () if stimuli is None else tuple(map(str, stimuli))
    log = log if stimuli is None else ()

    def rdms(sets: Mapping[tuple[str, str], Patterns], columns: Sequence[str]) -> RDMSet:
        vectors = np.concatenate(
            [distances(p.compact().train[None], distance) for p in sets.values()]
        )
        return RDMSet(vectors, pd.DataFrame(list(sets), columns=list(columns)), names, distance)

    targets = rdms(data, ("subject", "roi"))
    from_rdms = (
        wanted
        if reference_from == "pooled_rdms"
        else tuple(w for w in wanted if w != "leave_one_out")
    )
    several = len({s for s, _ in data}) > 1
    parts = []
    if predictors or (from_rdms and several):
        layers = rdms(predictors, ("model", "layer")) if predictors else None
        found = score(targets, layers, method=method, references=from_rdms, split=split)
        parts.append(found.frame)
    if reference_from == "mean_patterns" and "leave_one_out" in wanted and several:
        parts.append(
            _mean_pattern_rows(data, targets, distance, method).assign(metric=method, split=split)
        )
    if not parts:
        raise DesignError(
            "nothing to score: models is None, and references need at least two subjects"
        )
    return ScoreTable(pd.concat(parts, ignore_index=True), log=log, source="scores of patterns")


def _mean_pattern_rows(
    data: Mapping[tuple[str, str], Patterns], targets: RDMSet, distance: str, method: str
) -> pd.DataFrame:
    subject_of = targets.labels["subject"].to_numpy()
    rows = []
    for subject, roi, mean in other_people(data):
        predictor = distances(mean.compact().train[None], distance)
        own = np.flatnonzero(subject_of == subject)
        values, _ = similarity_counts(predictor, targets.vectors[own], method)
        rows.append(
            pd.DataFrame(
                {
                    "layer": roi,
                    "subject": subject,
                    "roi": targets.labels["roi"].to_numpy()[own],
                    "score": values[0],
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(kind="leave_one_out", model="others", reference_from="mean_patterns")
