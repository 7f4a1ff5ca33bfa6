"""Whether models vary differently over subjects: what a common error variance takes for granted."""

from __future__ import annotations

import numpy as np

__all__ = ["model_spread", "unequal_spread"]


def model_spread(x: np.ndarray) -> np.ndarray:
    """Variance of every model's own deviation over subjects, of scores ``[n, k, cell]``, pooled over cells.

    About the mean of all models a variance ``v_i`` becomes ``v_i (1 - 2 / k) + (mean of v) / k``, which is undone.
    """
    n, k = x.shape[:2]
    own = x - x.mean(axis=1, keepdims=True)
    own = own - own.mean(axis=0)
    seen = (own**2).sum(axis=0).mean(axis=1) / (n - 1)
    typical = seen.mean() * k / (k - 1)
    if k < 3:
        return np.full(k, typical)
    return np.asarray(np.maximum((seen - typical / k) / (1 - 2 / k), 0.1 * typical))


def unequal_spread(x: np.ndarray, alpha: float = 0.01) -> bool:
    """Whether one model varies more than the others, by F with Bonferroni over the models; cells count as half."""
    from scipy.special import fdtrc

    n, k, cells = x.shape
    v = model_spread(x)
    if k < 3 or not v.any():
        return False
    df = (n - 1) * (1 + (cells - 1) / 2)
    others = (v.sum() - v) / (k - 1)
    return bool(fdtrc(df, df * (k - 1), (v / others).max()) <= alpha / k)
