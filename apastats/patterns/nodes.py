"""Agreement under resampling of subjects in every role: target, predictor, and part of the references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.errors import DesignError
from apastats.patterns.pattern_similarity import Prepared, prepare, similarity_of_products

__all__ = ["NodeProblem", "dyadic_std_error", "node_problem", "node_replicates", "pattern_values"]

CHUNK = 512  # replicates per product; part of the definition of the numbers (BLAS shapes)


@dataclass(frozen=True, eq=False)
class NodeProblem:
    """Agreement with one ROI, ready for resampling.

    Attributes
    ----------
    target, predictor : numpy.ndarray of int, shape (n_pattern,)
        Subjects of every single brain pattern; for leave-one-out rows both are the target.
    brain : numpy.ndarray, shape (n_pattern, n_kept)
        Single brain patterns as they are averaged.
    brain_ready : Prepared, shape (n_pattern,)
        The same, ready for inner products.
    model_ready : Prepared, shape (n_subject, n_model)
        0 where a subject lacks the model.
    has_model : numpy.ndarray of bool, shape (n_subject, n_model)
    reference, similarity : str
    pairwise : bool
    keep : numpy.ndarray of int
        Entries all subjects and predictors share.
    """

    target: np.ndarray
    predictor: np.ndarray
    brain: np.ndarray
    brain_ready: Prepared
    model_ready: Prepared
    has_model: np.ndarray
    reference: str
    similarity: str
    pairwise: bool
    keep: np.ndarray

    @property
    def n_subject(self) -> int:
        """Subjects."""
        return len(self.has_model)


def node_problem(
    model: np.ndarray,
    brain: np.ndarray,
    roi: int,
    *,
    pairwise: bool,
    reference: str,
    similarity: str,
) -> NodeProblem:
    """Collect what agreement with one ROI needs.

    Parameters
    ----------
    model : numpy.ndarray, shape (n_subject, n_model, n_entry)
        Patterns of the predictor that stands for each model at this ROI.
    brain : numpy.ndarray
        ``(n_subject, n_roi, n_entry)`` or, with ``pairwise``, ``(n_subject, n_subject, n_roi, n_entry)``.
    roi : int
    pairwise : bool
    reference, similarity : str

    Raises
    ------
    DesignError
        If fewer than three entries are shared.
    """
    own = brain[..., roi, :]
    if pairwise:
        target, predictor = np.nonzero(np.isfinite(own).any(axis=-1))
        patterns = own[target, predictor]
    else:
        target = np.flatnonzero(np.isfinite(own).any(axis=-1))
        predictor, patterns = target, own[target]
    has = np.isfinite(model).any(axis=-1)
    keep = np.isfinite(patterns).all(axis=0)
    keep &= np.where(has[..., None], np.isfinite(model), True).all(axis=(0, 1))
    # the entry that is left out on the brain's side is left out on the model's side as well
    places = np.flatnonzero(keep)
    if len(places) < 3 or not len(target):
        raise DesignError(
            f"resampling of agreement: {len(places)} entries are shared by all subjects and predictors for one "
            f"ROI; at least 3 are needed"
        )
    patterns = np.ascontiguousarray(patterns[:, places])
    ready = prepare(model[..., places], similarity)
    ready = Prepared(
        np.where(has[..., None], ready.rows, 0.0),
        np.where(has, ready.level, 0.0),
        np.where(has, ready.variance, 1.0),
    )
    return NodeProblem(
        *(target, predictor, patterns, prepare(patterns, similarity), ready, has),
        *(reference, similarity, pairwise, places),
    )


def node_replicates(problem: NodeProblem, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean agreement of models and brain for every row of counts.

    Parameters
    ----------
    problem : NodeProblem
    counts : numpy.ndarray, shape (n_row, n_subject)
        How often each subject is there.

    Returns
    -------
    model : numpy.ndarray, shape (n_row, n_model)
    brain : numpy.ndarray, shape (n_row,)
        NaN where a resample leaves nothing to compare.

    Notes
    -----
    A pair (p predicts t) weighs ``c_p c_t``; pairs of a person with itself do not exist. References are
    weighted means over the pairs without the target (and, for ``matched``, without the partner), so copies of
    a person never serve as that person's reference.
    """
    models, brains = [], []
    for start in range(0, len(counts), CHUNK):
        part = np.asarray(counts[start : start + CHUNK], dtype=np.float64)
        used = len(part)
        if used < CHUNK and len(counts) > CHUNK:
            # a product of another shape could round differently
            part = np.concatenate([part, np.ones((CHUNK - used, part.shape[1]))])
        model, brain = _chunk(problem, part)
        models.append(model[:used])
        brains.append(brain[:used])
    return np.concatenate(models), np.concatenate(brains)


def _chunk(q: NodeProblem, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # a person is a node, a pattern (p predicts t) an edge. Drawing people c times makes c_p c_t copies of an edge, and
    # none between two copies of one person: the sum over drawn edges is a product of edge values with c_p c_t, so
    # no resample is ever laid out. The references are weighted means themselves, and similarity is not linear in them:
    # they are averaged first and compared afterwards, in every resample anew
    weight = c[:, q.target] * c[:, q.predictor] if q.pairwise else c[:, q.target]
    if q.reference == "matched" and q.pairwise:
        return _matched(q, c, weight)
    outside = _outside(q, weight)
    per_pattern = _of_patterns(q, outside)
    own = c[:, q.predictor] if q.pairwise else np.ones_like(weight)
    brain = _over_subjects(*_over_partners(q, per_pattern, own), c)
    if q.reference == "released":
        # the references are single patterns, which no draw changes: similarities are made once, [pattern, model], and
        # only their weights differ between resamples
        model = q.model_ready[q.target]
        products = np.einsum("nje,ne->nj", model.rows, q.brain_ready.rows)
        fixed = similarity_of_products(products, model, q.brain_ready[:, None], q.similarity)
        return _of_single_patterns(q, fixed, own, c), brain
    similar = similarity_of_products(
        outside.rows @ np.swapaxes(q.model_ready.rows, 1, 2),
        q.model_ready[:, None],
        outside[:, :, None],
        q.similarity,
    )
    return _weighted(similar, np.isfinite(outside.rows).all(axis=-1), q, c), brain


def _of_single_patterns(
    q: NodeProblem, values: np.ndarray, own: np.ndarray, c: np.ndarray
) -> np.ndarray:
    """Mean over subjects of means over partners of ``[pattern, model]``, ``[row, model]``."""
    summed, total = np.zeros((2, len(c), values.shape[1]))
    for s in range(q.n_subject):
        mine = q.target == s
        known = np.isfinite(values[mine])
        weight = own[:, mine] @ known.astype(np.float64)
        mean = own[:, mine] @ np.where(known, values[mine], 0.0) / np.where(weight > 0, weight, 1.0)
        there = np.where((weight > 0) & q.has_model[s], c[:, [s]], 0.0)
        summed += there * mean
        total += there
    out: np.ndarray = summed / np.where(total > 0, total, np.nan)
    return out


def _outside(q: NodeProblem, weight: np.ndarray) -> Prepared:
    """Reference of every subject ``[subject, row]``: the mean of all patterns that do not involve it."""
    out = np.empty((q.n_subject, len(weight), len(q.keep)))
    # one product per subject: total less the subject's own edges would be one product for all, but it cancels where
    # a resample is nearly that subject alone
    for s in range(q.n_subject):
        rest = (q.target != s) & (q.predictor != s)
        out[s] = _mean(weight[:, rest], q.brain[rest])
    with np.errstate(invalid="ignore", divide="ignore"):
        return prepare(out, q.similarity)


def _mean(weight: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    total = weight.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = np.where(total > 0, weight @ patterns / total, np.nan)
    return out


def _outside_two(q: NodeProblem, weight: np.ndarray, i: int) -> Prepared:
    """Reference ``[row]`` of pattern i under ``matched``: neither of its two people has a part in it."""
    pair = (q.target[i], q.predictor[i])
    # the pattern itself has p's errors as predictor and t's as target: an edge that touches either shares noise with it
    rest = ~np.isin(q.target, pair) & ~np.isin(q.predictor, pair)
    with np.errstate(invalid="ignore", divide="ignore"):
        return prepare(_mean(weight[:, rest], q.brain[rest]), q.similarity)


def pattern_values(q: NodeProblem) -> np.ndarray:
    """Similarity of every single brain pattern with its reference, ``[n_pattern]``, on the data as they are."""
    weight = np.ones((1, len(q.target)))
    if q.reference == "matched" and q.pairwise:
        found = [_of_pattern(q, _outside_two(q, weight, i), i)[0] for i in range(len(q.target))]
        return np.asarray(found)
    return _of_patterns(q, _outside(q, weight))[0]


def _of_pattern(q: NodeProblem, reference: Prepared, i: int) -> np.ndarray:
    """Similarity of pattern i with references ``[row]``."""
    own = q.brain_ready[i]
    return similarity_of_products(reference.rows @ own.rows, own, reference, q.similarity)


def _of_patterns(q: NodeProblem, outside: Prepared) -> np.ndarray:
    """Similarity of every pattern with its target's reference, ``[subject, row] -> [row, pattern]``."""
    reference, own = outside[q.target], q.brain_ready
    products = (reference.rows @ own.rows[..., None])[..., 0]
    return similarity_of_products(products, own[:, None], reference, q.similarity).T


def _over_partners(
    q: NodeProblem, values: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the patterns of each target, ``[row, subject]``, and where there is one."""
    weight = np.where(np.isfinite(values), weight, 0.0)
    values = np.where(np.isfinite(values), values, 0.0)
    # sums over the edges of each target as one product with the incidence matrix of edges and targets; a target with
    # many partners counts as one person afterwards, whatever it weighed here
    member = (q.target[:, None] == np.arange(q.n_subject)).astype(np.float64)
    total = weight @ member
    mean = (weight * values) @ member / np.where(total > 0, total, np.nan)
    return mean, total > 0


def _over_subjects(mean: np.ndarray, there: np.ndarray, c: np.ndarray) -> np.ndarray:
    weight = np.where(there, c, 0.0)
    total = weight.sum(axis=1)
    out: np.ndarray = (weight * np.where(there, mean, 0.0)).sum(axis=1) / np.where(
        total > 0, total, np.nan
    )
    return out


def _weighted(similar: np.ndarray, there: np.ndarray, q: NodeProblem, c: np.ndarray) -> np.ndarray:
    """Mean over subjects of ``[subject, row, model]``."""
    # c_t once: partners are averaged within the reference already, so a subject weighs its own copies alone
    weight = np.where(there, c.T, 0.0)
    total = weight.T @ q.has_model.astype(np.float64)
    usable = there[..., None] & q.has_model[:, None]
    summed = (weight[..., None] * np.where(usable, similar, 0.0)).sum(axis=0)
    out: np.ndarray = summed / np.where(total > 0, total, np.nan)
    return out


def _matched(q: NodeProblem, c: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_model = q.has_model.shape[1]
    per_pattern = np.empty((len(c), len(q.target)))
    summed = np.zeros((len(c), n_model))
    total = np.zeros((len(c), n_model))
    own = c[:, q.predictor]
    for s in range(q.n_subject):
        mine = [int(i) for i in np.flatnonzero(q.target == s)]
        partner_sum = np.zeros((len(c), n_model))
        partner_weight = np.zeros(len(c))
        for i in mine:
            reference = _outside_two(q, weight, i)
            per_pattern[:, i] = _of_pattern(q, reference, i)
            there = np.isfinite(reference.rows).all(axis=-1) & (own[:, i] > 0)
            w = np.where(there, own[:, i], 0.0)
            mine_ready = q.model_ready[s]
            similar = similarity_of_products(
                reference.rows @ mine_ready.rows.T, mine_ready, reference[:, None], q.similarity
            )
            partner_sum += w[:, None] * np.where(there[:, None], similar, 0.0)
            partner_weight += w
        usable = partner_weight > 0
        mean = partner_sum / np.where(usable, partner_weight, 1.0)[:, None]
        w = np.where(usable, c[:, s], 0.0)[:, None] * q.has_model[s]
        summed += w * mean
        total += w
    brain = _over_subjects(*_over_partners(q, per_pattern, own), c)
    return summed / np.where(total > 0, total, np.nan), brain


def dyadic_std_error(values: np.ndarray) -> float:
    """Standard error of the mean of pair values, pairs that share a person being dependent.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_subject, n_subject)
        Value of each ordered pair (target, predictor); NaN where there is none.

    Returns
    -------
    float
        NaN where the estimated variance is not positive.

    Notes
    -----
    ``V = sum over pairs d, d' that share a person of e_d e_d' / N^2`` with ``e`` the deviations from the mean
    and N pairs (Aronow, Samii and Assenova 2015, Political Analysis 23:564), times ``n / (n - 1)`` for n
    people.

    Examples
    --------
    >>> person = np.array([0.0, 1.0, 2.0, 4.0, 3.0])
    >>> values = person[:, None] + person + np.diag([np.nan] * 5)
    >>> round(dyadic_std_error(values), 3)
    0.866
    """
    target, predictor = np.nonzero(np.isfinite(values))
    e = values[target, predictor] - values[target, predictor].mean()
    # e'Se / N^2 with S = 1 where two pairs have a person in common: covariances of all other pairs are 0, those of the
    # rest are estimated by the products of their residuals. S is not positive definite, so the sum may be negative.
    # n / (n - 1) because residuals from an estimated mean are too small
    share = (target[:, None] == target) | (predictor[:, None] == predictor)
    share |= (target[:, None] == predictor) | (predictor[:, None] == target)
    people = len(np.union1d(target, predictor))
    variance = e @ (share @ e) / len(e) ** 2 * people / (people - 1)
    return float(np.sqrt(variance)) if variance > 0 else float("nan")
