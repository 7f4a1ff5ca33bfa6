"""Correlations of two profiles, and the reliability of longer measurements."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.numbers.moments import rounding
from apastats.numbers.ranks import midranks

__all__ = ["correlate", "kendall_tau", "pearson", "spearman_brown"]


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Product-moment correlation ``s_xy / (s_x s_y)``; NaN where a profile is constant."""
    a, b = x - x.mean(), y - y.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def kendall_tau(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b (Kendall 1945, Biometrika 33:239): concordant minus discordant pairs, ties out of each norm."""
    i, j = np.triu_indices(len(x), 1)
    a, b = (np.where(np.abs(v[i] - v[j]) <= rounding(v), 0.0, np.sign(v[i] - v[j])) for v in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def correlate(x: np.ndarray, y: np.ndarray, method: str) -> float:
    """Correlation of two profiles; Spearman's is Pearson's of the midranks."""
    if method == "kendall":
        return kendall_tau(x, y)
    if method == "spearman":
        x, y = midranks(x, rounding(x)), midranks(y, rounding(y))
    return pearson(x, y)


def spearman_brown(reliability: Any, length: Any = 2.0) -> np.ndarray:
    """Reliability of a measurement ``length`` times as long: ``k r / (1 + (k - 1) r)``.

    Spearman (1910), Brown (1910), British Journal of Psychology 3:271 and 3:296.

    Examples
    --------
    >>> round(float(spearman_brown(0.5)), 4)
    0.6667
    """
    r, k = np.asarray(reliability, dtype=float), np.asarray(length, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        # divided by k: an infinite length, without any noise left, gives 1
        return np.asarray(r / (r + (1 - r) / k))
