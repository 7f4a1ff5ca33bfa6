"""The noncentral t: its distribution, limits of its noncentrality, and the exact power of t tests with bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, gammaln, nctdtr, ndtr, stdtrit

__all__ = [
    "noncentral_pivot",
    "noncentral_t_cdf",
    "noncentral_t_limits",
    "noncentral_t_quantile",
    "owens_q",
    "tost_power",
]


# scipy's series is exact and quick up to here; beyond, it has holes of NaN and takes seconds
_SERIES = 37.0


def noncentral_t_cdf(t: ArrayLike, df: ArrayLike, nc: ArrayLike) -> np.ndarray:
    """``P(T <= t)`` of the noncentral t, any shapes; by quadrature where the series gives out."""
    t, df, nc = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (t, df, nc)))
    known = np.isfinite(t) & np.isfinite(nc) & (df > 0)
    near = known & (np.abs(nc) <= _SERIES) & (np.abs(t) <= 1e3)
    out = np.full(t.shape, np.nan)
    with np.errstate(all="ignore"):
        out[near] = nctdtr(df[near], nc[near], t[near])
    wrong = known & ~np.isfinite(out)
    if wrong.any():
        out[wrong] = _by_quadrature(t[wrong], df[wrong], nc[wrong])
    return out


def _by_quadrature(t: np.ndarray, df: np.ndarray, nc: np.ndarray) -> np.ndarray:
    """The same for arrays ``[m]``, over whichever of ``(Z + nc) / S <= t`` is smooth at these nodes.

    ``P = E_S[Phi(t S - nc)]`` with ``S = chi_df / sqrt(df)`` (Owen) is a step in S where t is large; then
    ``P = E_Z[P(S >= (Z + nc) / t)]`` is flat in Z. Negative t by symmetry.
    """
    sign = np.where(t < 0, -1.0, 1.0)
    t, nc = sign * t, sign * nc
    out = np.empty(len(t))
    narrow = t < np.sqrt(df)
    nothing = np.zeros(int(narrow.sum()))
    out[narrow] = owens_q(t[narrow], df[narrow], nc[narrow], nothing, nothing + np.inf)
    x, w = _nodes()
    z = 9.0 * x
    weight = 9.0 * w * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    s = np.maximum(z + nc[~narrow, None], 0.0) / t[~narrow, None]
    out[~narrow] = chdtrc(df[~narrow, None], s * s * df[~narrow, None]) @ weight
    return np.clip(np.where(sign < 0, 1.0 - out, out), 0.0, 1.0)


def noncentral_t_limits(t: float, df: float, level: float) -> tuple[float, float]:
    """Noncentralities for which ``t`` is the upper and the lower ``(1 - level) / 2`` quantile; NaN for no t."""
    if not (np.isfinite(t) and df > 0):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    width = 6.0 + abs(t)

    def limit(p: float) -> float:
        return _root(lambda nc: p - float(noncentral_t_cdf(t, df, nc)), t - width, t + width, width)

    return limit(1 - tail), limit(tail)


def noncentral_t_quantile(p: float, df: float, nc: float) -> float:
    """T below which the noncentral t has probability ``p``; NaN for no noncentrality."""
    if not (np.isfinite(nc) and df > 0):
        return float("nan")
    step = 1.0 + abs(nc) / 4
    return _root(lambda t: float(noncentral_t_cdf(t, df, nc)) - p, nc - step, nc + step, step)


def _root(f: Callable[[float], float], low: float, high: float, step: float) -> float:
    """Zero of a rising function; the bracket grows until it holds it."""
    from scipy.optimize import brentq

    while f(low) > 0:
        low, step = low - step, 2 * step
    while f(high) < 0:
        high, step = high + step, 2 * step
    return float(brentq(f, low, high, xtol=1e-12, rtol=1e-14, maxiter=1000))


_GRID_END = 30.0


@lru_cache(maxsize=64)
def _pivot_grid(df: float, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Noncentralities at a grid of t for which t is the p quantile, by vectorised bisection."""
    t = np.sinh(np.linspace(0, np.arcsinh(_GRID_END), 160))
    t = np.concatenate([-t[:0:-1], t])
    width = 8.0 + np.abs(t) * (1 + 8 / np.sqrt(df))
    low, high = t - width, t + width
    for _ in range(60):
        middle = (low + high) / 2
        up = noncentral_t_cdf(t, df, middle) > p
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return t, (low + high) / 2


def noncentral_pivot(t: np.ndarray, df: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the noncentrality of every t ``[m]``, level ``1 - 2 alpha``.

    Few of them one by one; many from a spline over a grid (error below 1e-6), beyond it one by one again.
    """
    from scipy.interpolate import CubicSpline

    out = np.full((2, len(t)), np.nan)
    inside = np.abs(t) <= _GRID_END
    if len(t) <= 16:
        inside = np.zeros(len(t), dtype=bool)
    elif inside.any():
        for k, p in enumerate((1 - alpha, alpha)):
            grid, nc = _pivot_grid(df, p)
            out[k, inside] = CubicSpline(np.arcsinh(grid), nc)(np.arcsinh(t[inside]))
    for j in np.flatnonzero(~inside):
        out[:, j] = noncentral_t_limits(float(t[j]), df, 1 - 2 * alpha)
    return out[0], out[1]


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
