"""Distribution of the range of k standard normals, studentised or not, by quadrature."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtr

__all__ = ["dunnett_quantile", "dunnett_sf", "range_quantile", "range_sf"]


@lru_cache(maxsize=8)
def _legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    return x, w


def _normal_range_cdf(w: np.ndarray, k: int) -> np.ndarray:
    """``P(max - min <= w) = k int phi(z) (Phi(z + w) - Phi(z))^(k - 1) dz``, any shape."""
    x, weight = _legendre(200)
    z = 9.0 * x
    density = weight * 9.0 * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    w = np.asarray(w, dtype=float)
    inner = np.clip(ndtr(z + w[..., None]) - ndtr(z), 0.0, 1.0) ** (k - 1)
    out = k * (inner @ density)
    return np.where(w > 0, np.clip(out, 0.0, 1.0), 0.0)


@lru_cache(maxsize=64)
def _chi_nodes(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of ``s = sqrt(chi2_df / df)`` and their probabilities; the density is narrow for many df."""
    x, weight = _legendre(120)
    spread = 8.5 / np.sqrt(2 * df)
    low, high = max(0.0, 1 - spread * 1.1), 1 + spread * (1.6 if df < 8 else 1.2)
    s = low + (high - low) * (x + 1) / 2
    with np.errstate(divide="ignore"):
        log_density = (
            np.log(2.0)
            + df / 2 * np.log(df / 2)
            - gammaln(df / 2)
            + (df - 1) * np.log(s)
            - df * s * s / 2
        )
    return s, np.exp(log_density) * weight * (high - low) / 2


def range_sf(q: np.ndarray | float, k: int, df: float = np.inf) -> np.ndarray:
    """Upper tail of the studentised range of k means with ``df`` degrees of freedom.

    Parameters
    ----------
    q : array_like
        Ranges in units of the standard error of one mean.
    k : int
        Number of means.
    df : float
        Degrees of freedom of the standard error; infinite where it is known.

    Returns
    -------
    numpy.ndarray
        Same shape as ``q``.

    Examples
    --------
    >>> range_sf(3.8775, 3, 10).round(4).item()
    0.05
    """
    q = np.asarray(q, dtype=float)
    if np.isinf(df):
        return np.asarray(1 - _normal_range_cdf(q, k))
    s, mass = _chi_nodes(df)
    cdf = _normal_range_cdf(q[..., None] * s, k)
    return np.asarray(np.clip(1 - (cdf @ mass) / mass.sum(), 0.0, 1.0))


@lru_cache(maxsize=256)
def range_quantile(p: float, k: int, df: float = np.inf) -> float:
    """Value the studentised range exceeds with probability ``p``."""
    from scipy.optimize import brentq

    return float(brentq(lambda q: float(range_sf(q, k, df)) - p, 1e-6, 200.0, xtol=1e-10))


def dunnett_sf(q: float, k: int, df: float = np.inf, *, two_sided: bool = False) -> float:
    """Upper tail of ``max_j (Z_j - Z_0) / (sqrt(2) s)`` over k - 1 comparisons with one mean (Dunnett 1955)."""
    x, weight = _legendre(200)
    z = 9.0 * x
    density = weight * 9.0 * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)

    def cdf(s: np.ndarray) -> np.ndarray:
        top = ndtr(np.sqrt(2.0) * q * s[:, None] + z)
        if two_sided:
            top = np.maximum(top - ndtr(-np.sqrt(2.0) * q * s[:, None] + z), 0.0)
        return np.asarray((top ** (k - 1)) @ density)

    if np.isinf(df):
        return float(1 - cdf(np.ones(1))[0])
    s, mass = _chi_nodes(df)
    return float(1 - (cdf(s) @ mass) / mass.sum())


@lru_cache(maxsize=256)
def dunnett_quantile(p: float, k: int, df: float = np.inf, *, two_sided: bool = False) -> float:
    """Critical value of Dunnett's comparison of k - 1 means with one, equal numbers, tail ``p``.

    Examples
    --------
    >>> round(dunnett_quantile(0.05, 6, 45.0), 4)
    2.3005
    """
    from scipy.optimize import brentq

    return float(
        brentq(lambda q: dunnett_sf(q, k, df, two_sided=two_sided) - p, -5.0, 200.0, xtol=1e-12)
    )
