"""Pooled RDMs, and the noise ceilings of Nili et al. (2014) that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.errors import InputError
from apastats.scoring.comparisons import paired_similarity, parse_method
from apastats.scoring.similarity import PRODUCT_METHODS, RANK_METHODS, mid_ranks

__all__ = ["mean_of", "nili_bounds", "pool_others", "scaled_for_pooling"]


def scaled_for_pooling(vectors: np.ndarray, method: str) -> np.ndarray:
    """RDMs on the scale in which they are averaged for ``method``; NaN entries stay NaN.

    Cosines: divided by the root mean square; correlations: z-scored; rank methods: mid-ranks;
    distances of second moments: as they are. This is what rsatoolbox's ``pool_rdm`` averages.
    """
    x = np.asarray(vectors, dtype="f8")
    missing = np.isnan(x)
    if method in RANK_METHODS:
        if not missing.any():
            return np.asarray(mid_ranks(x))
        out = np.full(x.shape, np.nan)
        for i, row in enumerate(x):
            out[i, ~missing[i]] = mid_ranks(row[~missing[i]][None])[0]
        return out
    if method.startswith("corr"):
        x = x - np.nanmean(x, axis=1, keepdims=True)
    if method.startswith(("corr", "cosine")):
        size = np.sqrt(np.nanmean(x * x, axis=1, keepdims=True))
        return x / np.where(size > 0, size, np.nan)
    return x


def mean_of(scaled: np.ndarray) -> np.ndarray:
    """Mean over rows; NaN entries are left out, and stay NaN where no row has them."""
    present = np.isfinite(scaled)
    count = present.sum(axis=0)
    total = np.where(present, scaled, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pool_others(scaled: np.ndarray) -> np.ndarray:
    """Mean over all other rows, for every row of ``[n_rdm, n_pair]``; NaN entries are left out."""
    present = np.isfinite(scaled)
    if present.all():
        others: np.ndarray = (scaled.sum(axis=0) - scaled) / (len(scaled) - 1)
        return others
    filled = np.where(present, scaled, 0.0)
    count = present.sum(axis=0) - present
    total = filled.sum(axis=0) - filled
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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
    if method.startswith("bures"):
        raise InputError("method", method, "a method with a pooled RDM: not the Bures measures")
    x = np.asarray(vectors, dtype="f8")
    if x.ndim != 2 or len(x) < 2:
        raise InputError("vectors", x.shape, "[n_subject, n_pair] of at least two subjects")
    if method in PRODUCT_METHODS and not np.isnan(x.sum()):
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
