"""Exact power of t tests with bounds: Owen's Q and the noncentral t."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, nctdtr, ndtr, stdtrit

__all__ = ["noncentral_t_cdf", "owens_q", "tost_power"]


def noncentral_t_cdf(t: np.ndarray, df: np.ndarray, nc: np.ndarray) -> np.ndarray:
    """``P(T <= t)`` of the noncentral t; by quadrature where the series gives out."""
    t, df, nc = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (t, df, nc)))
    with np.errstate(all="ignore"):
        out = np.array(nctdtr(df, nc, t), dtype=float)
    wrong = ~np.isfinite(out) | (np.abs(nc) > 37)
    if wrong.any():
        nothing = np.zeros(int(wrong.sum()))
        out[wrong] = owens_q(t[wrong], df[wrong], nc[wrong], nothing, nothing + np.inf)
    return out


@lru_cache(maxsize=1)
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(300)
    return x, w


def owens_q(
    t: np.ndarray, df: np.ndarray, nc: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Integrate ``Phi(t x / sqrt(df) - nc)`` over the chi density of x from ``low`` to ``high`` (Owen 1965).

    Gauss-Legendre on the part of the chi distribution that has mass; all arrays of one shape.
    """
    x, w = _nodes()
    root = np.sqrt(df)
    # chi has mean near sqrt(df) and standard deviation near sqrt(1/2)
    a = np.maximum(low, np.maximum(0.0, root - 9.0))
    b = np.minimum(high, root + 9.0)
    width = np.maximum(b - a, 0.0)
    s = a[..., None] + width[..., None] * (x + 1) / 2
    half = df[..., None] / 2
    with np.errstate(divide="ignore"):
        log_density = (
            (df[..., None] - 1) * np.log(s) - s * s / 2 - (half - 1) * np.log(2) - gammaln(half)
        )
    value = ndtr(t[..., None] * s / root[..., None] - nc[..., None]) * np.exp(log_density)
    return np.asarray((value @ w) * width / 2)


def tost_power(
    se: ArrayLike,
    df: ArrayLike,
    difference: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    alpha: float,
    hypothesis: str = "equivalence",
) -> np.ndarray:
    """Power of a t test with bounds, exact.

    Parameters
    ----------
    se : array_like
        True standard error of the difference.
    df : array_like
        Its degrees of freedom.
    difference, low, high : array_like
        True difference and bounds; all arrays broadcast.
    alpha : float
        Level of each one-sided test.
    hypothesis : str
        The claim.

    Returns
    -------
    numpy.ndarray

    Notes
    -----
    With ``d1 = (difference - low) / se``, ``d2 = (difference - high) / se``, the t quantile ``c`` and
    ``R = (d1 - d2) sqrt(df) / (2 c)``, the power of equivalence is ``Q(-c, d2; 0, R) - Q(c, d1; 0, R)`` (Owen 1965;
    Phillips 1990). Minimal effect: the sum of both tails outside the bounds.
    """
    se, df, difference, low, high = np.broadcast_arrays(
        *(np.asarray(v, dtype=float) for v in (se, df, difference, low, high))
    )
    c = stdtrit(df, 1 - alpha)
    d1, d2 = (difference - low) / se, (difference - high) / se
    if hypothesis == "noninferiority":
        return np.asarray(noncentral_t_cdf(-c, df, -d1))
    if hypothesis == "nonsuperiority":
        return np.asarray(noncentral_t_cdf(-c, df, d2))
    if hypothesis == "superiority":
        return np.asarray(noncentral_t_cdf(-c, df, -d2))
    if hypothesis == "minimal_effect":
        return _minimal_effect(c, df, d1, d2)
    end = (d1 - d2) * np.sqrt(df) / (2 * c)
    nothing = np.zeros_like(end)
    power = owens_q(-c, df, d2, nothing, end) - owens_q(c, df, d1, nothing, end)
    return np.clip(power, 0.0, 1.0)


def _minimal_effect(c: np.ndarray, df: np.ndarray, d1: np.ndarray, d2: np.ndarray) -> np.ndarray:
    """Power of either one-sided test outside the bounds; the two exclude each other."""
    above = noncentral_t_cdf(-c, df, -d2)
    below = noncentral_t_cdf(-c, df, d1)
    return np.clip(above + below, 0.0, 1.0)
