"""Fieller's interval for the ratio of two paired means."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from apastats.resampling.intervals import tail_probabilities

__all__ = ["fieller"]


def fieller(
    numerator: np.ndarray,
    denominator: np.ndarray,
    *,
    conf_level: float = 0.95,
    alternative: str = "two-sided",
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of mean(numerator) / mean(denominator) for paired columns.

    Parameters
    ----------
    numerator, denominator : array, ``[n, m]``
        Same units in the rows; a row with NaN in either is left out of its column.
    conf_level : float
        Level.
    alternative : {"two-sided", "greater", "less"}
        One-sided limits take the root on their side.

    Returns
    -------
    low, high : numpy.ndarray, ``[m]``
        NaN where the set of ratios is unbounded: the denominator is not clearly different from 0.

    Notes
    -----
    All rho with ``(a - rho b)^2 <= t^2 (s_aa - 2 rho s_ab + rho^2 s_bb) / n`` (Fieller 1954, Journal of
    the Royal Statistical Society B 16:175).
    """
    low_p, high_p = tail_probabilities(conf_level, alternative)
    known = np.isfinite(numerator) & np.isfinite(denominator)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (np.where(known, v, 0).sum(axis=0) / n for v in (numerator, denominator))
        da, db = (np.where(known, v - mean, 0) for v, mean in ((numerator, a), (denominator, b)))
        scale = n * (n - 1.0)
        aa, ab, bb = (da * da).sum(0) / scale, (da * db).sum(0) / scale, (db * db).sum(0) / scale
        t2 = stdtrit(np.maximum(n - 1, 1), high_p if high_p < 1 else 1 - low_p) ** 2
        qa, qb, qc = b**2 - t2 * bb, a * b - t2 * ab, a**2 - t2 * aa
        root = np.sqrt(np.maximum(qb**2 - qa * qc, 0))
        bounded = (qa > 0) & (n > 1)
        low = np.where(bounded, (qb - root) / qa, np.nan)
        high = np.where(bounded, (qb + root) / qa, np.nan)
    if alternative == "greater":
        high = np.where(bounded, np.inf, np.nan)
    elif alternative == "less":
        low = np.where(bounded, -np.inf, np.nan)
    return low, high
