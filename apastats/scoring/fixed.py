"""Scores and both noise ceilings of one ROI in one go: everything follows from two Gram matrices."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from apastats.errors import InputError
from apastats.io.rdm_vectors import n_stimulus
from apastats.numbers.backends import NUMPY, Backend
from apastats.numbers.ordering import TIE
from apastats.scoring.methods import comparison, parse_method
from apastats.scoring.pooling import mean_of, pool_others, scaled_for_pooling
from apastats.scoring.rdm_similarity import paired_similarity, similarity_counts
from apastats.scoring.similarity import (
    CELLS,
    metric_rows,
    mid_ranks,
    whitening,
)

__all__ = ["FixedScores", "fixed_scores", "gram_bounds", "pair_variances", "subject_gram"]


KEPT = 2**20  # numbers in memory that is kept for the next ROI
_kept = threading.local()


class FixedScores(NamedTuple):
    """``scores [n_model, n_subject]``, ``lower`` and ``upper`` noise ceiling ``[n_subject]``."""

    scores: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def fixed_scores(
    brain: Any,
    models: Any,
    *,
    method: str = "corr",
    sigma_k: Any = None,
    rerank: bool = False,
    backend: Backend = NUMPY,
) -> FixedScores:
    """Scores of all models on all subjects, with each subject's noise ceilings.

    Parameters
    ----------
    brain : array
        ``[n_subject, n_pair]`` RDMs of one ROI.
    models : array
        ``[n_model, n_pair]``.
    method, sigma_k
        As in :func:`apastats.rdm_similarity`.
    rerank : bool
        As in :func:`apastats.scoring.fixed.nili_bounds`.
    backend : Backend

    Returns
    -------
    FixedScores

    Notes
    -----
    With rows ``f_s`` in the metric of the method and pooling weights ``w_s`` (1 / norm of the RDM,
    whitened or not), the pooled RDM of all is ``sum_s w_s f_s``, so both ceilings need only the Gram
    matrix ``K`` of the subjects: ``upper_s = (K w)_s / sqrt(K_ss w'Kw)``, and the lower bound is the
    same with ``w_s = 0``.

    Examples
    --------
    >>> out = fixed_scores([[1, 2, 3.0], [1, 3, 2.0]], [[3, 1, 2.0]], method="cosine")
    >>> out.scores.shape, out.lower.shape
    ((1, 2), (2,))
    """
    method = parse_method(method)
    x, y = np.asarray(brain), np.asarray(models)
    s = len(x)
    if s < 2:
        raise InputError("brain", x.shape, "RDMs of at least two subjects")
    c = comparison(method)
    # of RDMs as they are the norms tell whether a pair is missing
    complete = c.product and (c.plain or not (np.isnan(x.sum()) or np.isnan(y.sum())))
    if complete and rerank and c.ranks:
        return _reranked(x, y, method, backend)
    found = _metric_rows(x, y, method, sigma_k, backend) if complete else None
    if found is None:
        scores, _ = similarity_counts(y, x, method, sigma_k=sigma_k, backend=backend)
        lower, upper = nili_bounds(x, method=method, sigma_k=sigma_k, rerank=rerank)
        return FixedScores(scores, lower, upper)
    rows, size, norm = found
    gram = backend.numpy(rows[:s] @ rows.T)  # [S, S + M]
    weight = 1 / size[:s]
    if not c.normalised:
        n = x.shape[1]
        factor = 12 / (float(n) ** 3 - n)
        k = gram[:, :s] * factor
        total = k.sum(axis=1)
        return FixedScores(gram[:, s:].T * factor, (total - np.diag(k)) / (s - 1), total / s)
    scores = (gram[:, s:] / norm[:s, None] / norm[s:]).T
    if c.ranks:
        weight = np.ones(s)
    lower, upper = gram_bounds(gram[:, :s], weight)
    return FixedScores(scores, lower, upper)


def _metric_rows(
    x: np.ndarray, y: np.ndarray, method: str, sigma_k: Any, backend: Backend
) -> tuple[Any, np.ndarray, np.ndarray] | None:
    """Rows of subjects, then of models, in the metric of the method, and their norms before whitening and after it.

    None where a pair is missing, which the norms of plain RDMs tell.
    """
    c, xp = comparison(method), backend.xp
    w = whitening(sigma_k, n_stimulus(x.shape[1])) if c.whitened else None
    if backend.name == "numpy":
        # a few rows at a time stay in the cache through all passes
        step = max(1, CELLS // x.shape[1])
        parts = [v[k : k + step] for v in (x, y) for k in range(0, len(v), step)]
    else:
        parts = [xp.concat([backend.array(x), backend.array(y)], axis=0)]
    shape = len(x) + len(y), x.shape[1] + (n_stimulus(x.shape[1]) if c.whitened else 0)
    rows = _room(shape, np.dtype(backend.dtype)) if len(parts) > 1 else None
    sizes, norms, start = [], [], 0
    for values in parts:
        room = None if rows is None else rows[start : start + len(values)]
        part = backend.array(values)
        part = mid_ranks(part, backend, TIE) if c.ranks else part
        part, size = metric_rows(part, method, w, backend, None if c.ranks else room)
        sizes.append(backend.numpy(size))
        if np.isnan(sizes[-1]).any():
            return None
        if backend is NUMPY and c.plain and sizes[-1].all():
            norms.append(sizes[-1])  # the same sums
        else:
            norms.append(np.sqrt(backend.numpy(xp.vecdot(part, part))))
        if room is not None and part is not room:
            room[...] = part
        start += len(values)
    whole = part if rows is None else rows
    return whole, np.concatenate(sizes), np.concatenate(norms)


def _room(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Memory for rows that are gone when the scores are there; each thread keeps its own, up to a size.

    Taken anew for every ROI, its pages cost as much as all the arithmetic of a correlation.
    """
    size = shape[0] * shape[1]
    if size > KEPT:
        return np.empty(shape, dtype=dtype)
    held = getattr(_kept, "rows", None)
    if held is None or held.dtype != dtype or held.size < size:
        held = _kept.rows = np.empty(size, dtype=dtype)
    return held[:size].reshape(shape)


def _reranked(x: np.ndarray, y: np.ndarray, method: str, backend: Backend) -> FixedScores:
    """Rank methods with the pooled ranks ranked again; every RDM is ranked once."""
    xp = backend.xp
    s, n = x.shape
    ranks = mid_ranks(xp.concat([backend.array(x), backend.array(y)], axis=0), backend, TIE)
    total = xp.sum(ranks[:s], axis=0, keepdims=True)
    pools = mid_ranks(xp.concat([(total - ranks[:s]) / (s - 1), total / s], axis=0), backend, TIE)
    rows = xp.concat([ranks, pools], axis=0) - (n + 1) / 2
    gram = backend.numpy(rows @ rows[:s].T)
    if not comparison(method).normalised:
        gram *= 12 / (float(n) ** 3 - n)
    else:
        norm = np.sqrt(backend.numpy(xp.vecdot(rows, rows)))
        norm = np.where(norm > 0, norm, np.nan)
        gram /= norm[:, None] * norm[:s]
    m = s + len(y)
    return FixedScores(gram[s:m], np.diag(gram[m:-1]).copy(), gram[-1])


def gram_bounds(gram: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ceiling per subject, from the Gram matrix of RDMs and their pooling weights."""
    own = np.diag(gram)
    pooled = gram @ weight
    total = float(weight @ pooled)
    upper = pooled / np.sqrt(own * total)
    rest = total - 2 * weight * pooled + weight**2 * own
    lower = (pooled - own * weight) / np.sqrt(own * rest)
    return lower, upper


def subject_gram(vectors: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Gram matrix of the subjects' RDMs ``[S, S]`` and their pooling weights ``[S]``, for :func:`gram_bounds`.

    For the methods that are a matrix product, but rho-a, whose pool has no norm; no missing pairs.
    """
    c = comparison(method)
    w = whitening(None, n_stimulus(vectors.shape[1])) if c.whitened else None
    rows = mid_ranks(NUMPY.array(vectors), NUMPY) if c.ranks else NUMPY.array(vectors)
    rows, size = metric_rows(rows, method, w, NUMPY)
    return rows @ rows.T, np.ones(len(rows)) if c.ranks else 1 / size


@lru_cache(maxsize=4)
def _upper(n: int) -> np.ndarray:
    """Positions of the upper triangle in the flat matrix."""
    i, j = np.triu_indices(n, 1)
    return i * n + j


def pair_variances(covariance: Any) -> np.ndarray:
    """Variance of every pairwise difference, from the covariance matrix of the estimates.

    Parameters
    ----------
    covariance : numpy.ndarray
        ``[n, n]``.

    Returns
    -------
    numpy.ndarray
        ``[n (n - 1) / 2]`` in upper-triangle order: ``v_ii + v_jj - 2 v_ij``.

    Examples
    --------
    >>> pair_variances([[1.0, 0.5], [0.5, 2.0]])
    array([2.])
    """
    v = np.asarray(covariance, dtype="f8")
    if v.ndim != 2 or v.shape[0] != v.shape[1]:
        raise InputError("covariance", v.shape, "a square matrix")
    own = v.diagonal()
    out = v * -2
    out += own
    out += own[:, None]
    return out.ravel().take(_upper(len(v)))


def nili_bounds(
    vectors: Any, *, method: str = "spearman", sigma_k: Any = None, rerank: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper noise ceiling of every subject, from the subjects' RDMs of one ROI.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``[n_subject, n_pair]``; NaN pairs are left out pairwise.
    method : str
        Any method of :func:`apastats.score` that has a pooled RDM (not the Bures measures).
    sigma_k : array, optional
        Covariance of the pattern estimates, for the whitened methods.
    rerank : bool
        For ``spearman`` and ``rho-a`` the pooled RDM is the mean of ranks. By default it is compared
        as it is, which is the maximiser of the mean Spearman correlation; True ranks it again, as
        rsatoolbox does.

    Returns
    -------
    lower, upper : numpy.ndarray
        ``[n_subject]``. Lower: similarity of the subject's RDM with the pooled RDM of the others;
        upper: with the pooled RDM of all. Their means are rsatoolbox's ``boot_noise_ceiling`` (for
        rank methods with ``rerank=True``).

    Raises
    ------
    InputError
        Fewer than two subjects, an unknown method, or one without a pooled RDM.

    Notes
    -----
    Nili et al. (2014), PLoS Computational Biology 10:e1003553. The mean upper value is the maximum
    over all models for cosine, corr and (of ranks) spearman; for the others it is a heuristic.

    Examples
    --------
    >>> lower, upper = nili_bounds([[1, 2, 3.0], [1, 3, 2.0], [1, 2, 4.0]], method="corr")
    >>> bool((lower <= upper).all())
    True
    """
    method = parse_method(method)
    if not comparison(method).pools:
        raise InputError("method", method, "a method with a pooled RDM: not the Bures measures")
    x = np.asarray(vectors, dtype="f8")
    if x.ndim != 2 or len(x) < 2:
        raise InputError("vectors", x.shape, "[n_subject, n_pair] of at least two subjects")
    if comparison(method).product and not np.isnan(x.sum()):
        from apastats.scoring.fixed import fixed_scores

        found = fixed_scores(x, x[:1], method=method, sigma_k=sigma_k, rerank=rerank)
        return found.lower, found.upper
    scaled = scaled_for_pooling(x, method)
    others = pool_others(scaled)
    everyone = mean_of(scaled)[None]
    lower = paired_similarity(others, x, method, sigma_k=sigma_k, x_ranked=not rerank)
    upper = paired_similarity(
        np.broadcast_to(everyone, x.shape), x, method, sigma_k=sigma_k, x_ranked=not rerank
    )
    return lower, upper
