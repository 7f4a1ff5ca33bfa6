"""Similarities of whole second-moment matrices under a bootstrap of stimuli."""

from __future__ import annotations

import numpy as np

from apastats.errors import DataError, InputError
from apastats.scoring.fixed import nili_bounds
from apastats.scoring.rdm_similarity import similarity_counts

__all__ = ["BuresKernel", "DistinctKernel", "stretched"]


class _Kernel:
    """RDMs as square matrices.

    Parameters
    ----------
    x, y : array, ``[S, D]`` and ``[M, D]``
        RDMs of subjects and of models, no NaN.
    method : str
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, method: str) -> None:
        self.x, self.y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if not np.isfinite(self.x.sum() + self.y.sum()):
            raise DataError("RDMs have missing entries; a bootstrap of stimuli needs complete ones")
        self.method = method
        self.n = round((1 + np.sqrt(1 + 8 * self.x.shape[1])) / 2)
        self.iu, self.ju = np.triu_indices(self.n, 1)


class BuresKernel(_Kernel):
    """Bures similarity and squared Bures metric with a weight for every stimulus.

    Notes
    -----
    These measures compare kernels ``G = H (-D / 2) H``, diagonal included, and so do not exclude any
    pair: they are functions of the distribution of stimuli, and copies of a stimulus are pairs of distance
    0. Writing the copies out is not needed. With counts (or weights) c, their sum N, ``p = c / N`` and
    ``J = I - 1 p'``, the kernel of the N drawn stimuli is a rotation of ``C^1/2 J (-D / 2) J' C^1/2``
    with the same rotation for both RDMs, so all eigenvalues and traces agree. Weights are scaled to the
    number n of stimuli, which leaves the similarity as it is and keeps the metric comparable where a
    resample has another size. Fewer distinct stimuli look more similar, so replicates lie above the
    estimate: intervals about the estimate (t, the default) are for these measures, percentile is not.
    """

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores ``[b, S, M]``; there are no ceilings."""
        if ceiling:
            raise InputError("ceiling", True, f"False: {self.method} has no pooled RDM")
        out = np.full((len(counts), len(self.x), len(self.y)), np.nan)
        square = np.zeros((len(self.x) + len(self.y), self.n, self.n))
        square[:, self.iu, self.ju] = np.concatenate([self.x, self.y]) / -2
        square += square.transpose(0, 2, 1)
        for row, c in zip(out, np.asarray(counts, dtype=np.float64), strict=True):
            drawn = np.flatnonzero(c > 0)
            if len(drawn) >= 3:
                row[:] = self._scores(square[:, drawn[:, None], drawn], c[drawn])
        return out

    def _scores(self, kernels: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Scores ``[S, M]`` of the drawn stimuli."""
        # C^1/2 J K J' C^1/2 with J = I - 1 p': the weighted mean is taken off rows and columns of the distinct
        # stimuli, each then scaled by the root of its count; copies are never written out
        p = c / c.sum()
        mean = kernels @ p
        middle = mean @ p
        root = np.sqrt(self.n * p)
        centred = kernels - mean[:, :, None] - mean[:, None] + middle[:, None, None]
        centred *= root[:, None] * root
        x, y = centred[: len(self.x)], centred[len(self.x) :]
        values, vectors = np.linalg.eigh(y)
        # the Bures inner product tr (Y^1/2 X Y^1/2)^1/2: the root of Y serves all subjects; eigenvalues below 0 are
        # those of RDMs that are no squared distances
        half = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ vectors.transpose(0, 2, 1)
        inner = half @ x[:, None] @ half
        shared = np.sqrt(np.maximum(np.linalg.eigvalsh(inner), 0.0)).sum(axis=2)
        of_x, of_y = (np.einsum("kii->k", g) for g in (x, y))
        if self.method == "bures_metric":
            return np.asarray(of_x[:, None] + of_y - 2 * shared)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(shared / np.sqrt(of_x[:, None] * of_y))


class DistinctKernel(_Kernel):
    """The Riemannian distance, which depends on the distinct stimuli of a resample alone.

    Notes
    -----
    The distance is the same for ``(G1, G2)`` and ``(T G1 T', T G2 T')``. Multiplicities (or weights)
    are such a T on the contrasts of the distinct stimuli, noise covariance included, so they cancel, and a
    resample is a subset. The sum over m - 1 log eigenvalues of m stimuli is scaled to n - 1. The spread
    of subsets is that of a delete-d jackknife: about the value of all stimuli, a subset of m out of n has
    to be stretched by ``sqrt(m / (n - m))`` (Shao and Wu 1989, Annals of Statistics 17:1176).
    """

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``."""
        shape = (len(counts), len(self.x), len(self.y) + 2 * ceiling)
        out = np.full(shape, np.nan)
        for row, c in zip(out, counts, strict=True):
            there = c > 0
            m = int(there.sum())
            if m < 3:
                continue
            pairs = there[self.iu] & there[self.ju]
            x = self.x[:, pairs]
            row[:, : len(self.y)] = similarity_counts(self.y[:, pairs], x, self.method)[0].T
            if ceiling:
                row[:, len(self.y) :] = np.column_stack(nili_bounds(x, method=self.method))
            row *= np.sqrt((self.n - 1) / (m - 1))
        return out

    def stretched(self, values: np.ndarray, counts: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Values ``[b, ...]`` with the spread of a bootstrap about those of all stimuli."""
        return stretched(values, counts, whole)


def stretched(values: np.ndarray, counts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Values ``[b, ...]`` of subsets with the spread of a bootstrap about those of all stimuli."""
    n, m = counts.shape[1], (counts > 0).sum(axis=1).astype(np.float64)
    with np.errstate(divide="ignore"):
        factor = np.where(m < n, np.sqrt(m / (n - m)), 0.0)
    return np.asarray(whole + factor[:, None, None] * (values - whole))
