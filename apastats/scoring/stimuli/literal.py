"""Similarities under a bootstrap of stimuli for methods that are no weighted inner product."""

from __future__ import annotations

import numpy as np

from apastats.errors import DataError
from apastats.scoring.fixed import nili_bounds
from apastats.scoring.rdm_similarity import similarity_counts

__all__ = ["LiteralKernel"]


class LiteralKernel:
    """Every replicate is scored on the pairs of its drawn stimuli, written out.

    Parameters
    ----------
    x, y : array, ``[S, D]`` and ``[M, D]``
        RDMs without NaN.
    method : str
        Any method of pairs.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, method: str) -> None:
        if not np.isfinite(x.sum() + y.sum()):
            raise DataError("RDMs have missing entries; a bootstrap of stimuli needs complete ones")
        self.x, self.y, self.method = x, y, method
        self.n = round((1 + np.sqrt(1 + 8 * x.shape[1])) / 2)
        self.iu, self.ju = np.triu_indices(self.n, 1)

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``."""
        shape = (len(counts), len(self.x), len(self.y) + 2 * ceiling)
        out = np.full(shape, np.nan)
        for row, c in zip(out, counts, strict=True):
            if (c > 0).sum() < 3:
                continue
            copies = (c[self.iu] * c[self.ju]).astype(np.intp)
            pairs = np.repeat(np.arange(len(copies)), copies)
            x = self.x[:, pairs]
            row[:, : len(self.y)] = similarity_counts(self.y[:, pairs], x, self.method)[0].T
            if ceiling:
                row[:, len(self.y) :] = np.column_stack(nili_bounds(x, method=self.method))
        return out
