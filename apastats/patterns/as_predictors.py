"""People and models as predictors of people: what each scores on whom, and each person's share in the means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apastats.ceilings.from_tables import CORRELATIONS
from apastats.numbers.jackknife import person_shares
from apastats.patterns.arrays import PatternArrays
from apastats.patterns.compared import (
    Predictors,
    average,
    brain_stack,
    compare_with,
    take_predictors,
)
from apastats.patterns.pattern_agreement import agreement_values
from apastats.patterns.pattern_similarity import SIMILARITIES, fisher_z, pattern_similarity
from apastats.scoring.people import pair_values, shares_of_pooled

__all__ = ["AsPredictors", "of_agreement", "of_scores"]


@dataclass(frozen=True, eq=False)
class AsPredictors:
    """One outcome of one metric and split.

    Attributes
    ----------
    model : numpy.ndarray, shape (n, n_model, n_roi)
        Every model on every person.
    pairs : numpy.ndarray, shape (n, n, n_roi), or None
        Candidate p on target s; None where the brain's rows are pools of people, who are then no candidates.
    model_share, person_share : numpy.ndarray, shape (n, n_model, n_roi) and (n, n_roi)
        Share of every person, in all roles, in the mean of the model and in that of people (or pools).
    """

    model: np.ndarray
    pairs: np.ndarray | None
    model_share: np.ndarray
    person_share: np.ndarray


def of_scores(
    arrays: PatternArrays, c: int, chosen: Predictors, kind: str, reverse: bool
) -> AsPredictors:
    """Scores of the own region: ROI t of a person predicts ROI t of another.

    ``reverse``: the brain predicts. A candidate is then what is predicted, by all people.
    """
    model = take_predictors(arrays.model[c], chosen.index)
    own = np.diagonal(brain_stack(arrays, kind)[c], axis1=-2, axis2=-1).copy()
    if kind == "subject_to_subject":
        pairs = np.swapaxes(own, 0, 1) if reverse else own
        return AsPredictors(model, pairs, model, pair_values(pairs[..., None])[1])
    correlation = np.full(own.shape[1], arrays.cells[c][0] in CORRELATIONS)
    unknown = np.full(own.shape[1], np.nan)
    return AsPredictors(model, None, model, shares_of_pooled(own, unknown, correlation)[0])


def of_agreement(
    arrays: PatternArrays, c: int, chosen: Predictors, kind: str, similarity: str
) -> AsPredictors:
    """Agreement of patterns over regions, Fisher z where the similarity has one.

    Pairs: the pattern by which p predicts s with the mean pattern of all pairs without s and p. A model's pattern on s
    meets the same references, one per partner of s. z is taken of each similarity, before anything is averaged: of
    means it would put a model, which is one candidate, above people, who are many.
    """
    transform = fisher_z if SIMILARITIES[similarity].fisher else None
    pairwise = kind == "subject_to_subject"
    brain = brain_stack(arrays, kind)
    used = np.unique(chosen.index[chosen.index >= 0])
    model = arrays.model[c][:, used]
    index = np.where(chosen.index >= 0, np.searchsorted(used, chosen.index), -1)

    def values(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        some = brain[c][people]
        some = some[:, people] if pairwise else some
        find = _by_pair if pairwise else _by_pool
        found, own = find(model[people], some, similarity, transform)
        return take_predictors(found, index[people]), own

    n = len(arrays.subjects)
    everyone = np.arange(n)
    mine, own = values(everyone)
    left = [values(np.delete(everyone, i)) for i in range(n)]
    without = np.stack([average(v, 0) for v, _ in left])
    without_own = np.stack([average(_per_target(v), 0) for _, v in left])
    return AsPredictors(
        mine,
        own if pairwise else None,
        person_shares(mine, without),
        person_shares(_per_target(own), without_own),
    )


def _per_target(own: np.ndarray) -> np.ndarray:
    """Mean over the partners of every target, ``[n, n_roi]``; pools have one value already."""
    return average(own, 1) if own.ndim == 3 else own


Transform = Callable[[np.ndarray], np.ndarray] | None


def _by_pair(
    model: np.ndarray, brain: np.ndarray, similarity: str, transform: Transform
) -> tuple[np.ndarray, np.ndarray]:
    """``[n, n_predictor, n_roi]`` and ``[target, candidate, n_roi]``."""
    c = compare_with(model, brain, pairwise=True, reference="matched")
    change = transform or (lambda v: v)
    n, k, r = len(model), model.shape[1], brain.shape[2]
    found = np.full((n, k, r), np.nan)
    own = np.full((n, n, r), np.nan)
    for s in range(n):
        references = c.model_references[s]
        there = np.flatnonzero(np.isfinite(references).any(axis=(-1, -2)))
        if not len(there):
            continue
        each = pattern_similarity(c.model[s][None], references[there], similarity)
        found[s] = average(change(each), 0)
        mine = c.brain[s][there][..., None, :], references[there][..., None, :]
        own[s, there] = change(pattern_similarity(*mine, similarity)[..., 0, 0])
    return found, own


def _by_pool(
    model: np.ndarray, brain: np.ndarray, similarity: str, transform: Transform
) -> tuple[np.ndarray, np.ndarray]:
    found, own = agreement_values(
        model, brain, pairwise=False, reference="leave_one_out", similarity=similarity
    )
    return (found, own) if transform is None else (transform(found), transform(own))
