"""Means of RDMs over subjects, scaled as the comparison wants them."""

from __future__ import annotations

import numpy as np

from apastats.numbers.ordering import TIE
from apastats.scoring.methods import comparison
from apastats.scoring.similarity import mid_ranks


def scaled_for_pooling(vectors: np.ndarray, method: str) -> np.ndarray:
    """RDMs on the scale in which they are averaged for ``method``; NaN entries stay NaN.

    Cosines: divided by the root mean square; correlations: z-scored; rank methods: mid-ranks;
    distances of second moments: as they are. This is what rsatoolbox's ``pool_rdm`` averages.
    """
    pooled = comparison(method).pooled
    x = np.asarray(vectors, dtype="f8")
    missing = np.isnan(x)
    if pooled == "ranks":
        if not missing.any():
            return np.asarray(mid_ranks(x, tie=TIE))
        out = np.full(x.shape, np.nan)
        for i, row in enumerate(x):
            out[i, ~missing[i]] = mid_ranks(row[~missing[i]][None], tie=TIE)[0]
        return out
    if pooled == "z":
        x = x - np.nanmean(x, axis=1, keepdims=True)
    if pooled in ("z", "rms"):
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
