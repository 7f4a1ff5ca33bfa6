"""Standardised mean differences from summary numbers, with four kinds of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import gammaln, nctdtr, ndtri, stdtrit

from apastats.errors import InputError

__all__ = ["Standardised", "hedges_factor", "noncentral_t_limits", "standardised_difference"]


@dataclass(frozen=True, slots=True)
class Standardised:
    """A standardised mean difference with its interval."""

    name: str
    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    denominator: float


def hedges_factor(df: Any) -> Any:
    """Small-sample factor ``J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2))`` (Hedges 1981, eq. 6e)."""
    df = np.asarray(df, dtype=float)
    return np.exp(gammaln(df / 2) - np.log(np.sqrt(df / 2)) - gammaln((df - 1) / 2))


def noncentral_t_limits(t: float, df: float, level: float) -> tuple[float, float]:
    """Noncentralities for which ``t`` is the upper and the lower ``(1 - level) / 2`` quantile."""
    tail = (1 - level) / 2
    return _ncp(t, df, 1 - tail), _ncp(t, df, tail)


def noncentral_t_cdf(df: Any, nc: Any, t: Any) -> np.ndarray:
    """``P(T <= t)`` of the noncentral t, any shapes."""
    value = nctdtr(df, nc, t)
    # the series has holes of NaN where the probability is 0 or 1
    return np.asarray(
        np.where(np.isfinite(value), value, np.where(np.isnan(t + nc), np.nan, t > nc))
    )


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
        value = nctdtr(df, middle, t)
        # far out the series gives NaN where the probability is 0 or 1
        value = np.where(np.isfinite(value), value, (middle < t).astype(float))
        up = value > p
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return t, (low + high) / 2


def noncentral_pivot(t: np.ndarray, df: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the noncentrality of every t ``[m]``, level ``1 - 2 alpha``.

    Few of them one by one; many from a spline over a grid (error below 1e-6), beyond it by the normal approximation.
    """
    if len(t) <= 16:
        found = [noncentral_t_limits(float(v), df, 1 - 2 * alpha) for v in t]
        low, high = np.array(found).reshape(-1, 2).T
        return low, high
    from scipy.interpolate import CubicSpline

    out = []
    for p in (1 - alpha, alpha):
        grid, nc = _pivot_grid(df, p)
        inside = np.abs(t) <= _GRID_END
        spline = CubicSpline(np.arcsinh(grid), nc)
        far = t - float(ndtri(p)) * np.sqrt(1 + t**2 / (2 * df))
        out.append(np.where(inside, spline(np.arcsinh(np.clip(t, -_GRID_END, _GRID_END))), far))
    return out[0], out[1]


def _ncp(t: float, df: float, p: float) -> float:
    from scipy.optimize import brentq

    def f(nc: float) -> float:
        value = float(nctdtr(df, nc, t))
        # the series has holes of NaN where the probability is 0 or 1
        return (value if np.isfinite(value) else float(t > nc)) - p

    width = 6.0 + abs(t)
    low, high = t - width, t + width
    while f(low) < 0:
        low -= width
    while f(high) > 0:
        high += width
    return float(brentq(f, low, high, xtol=1e-12, rtol=1e-14))


def _nct_quantile(p: float, df: float, nc: float) -> float:
    from scipy.optimize import brentq

    def f(t: float) -> float:
        value = float(nctdtr(df, nc, t))
        # far out the series gives NaN where the probability is 0 or 1
        return (value if np.isfinite(value) else float(t > nc)) - p

    step = 1.0 + abs(nc) / 4
    low, high = nc - step, nc + step
    while f(low) > 0:
        low -= step
    while f(high) < 0:
        high += step
    return float(brentq(f, low, high, xtol=1e-12, rtol=1e-14))


def standardised_difference(
    mean_x: float,
    sd_x: float,
    n_x: int,
    mean_y: float = 0.0,
    sd_y: float | None = None,
    n_y: int | None = None,
    *,
    r: float | None = None,
    denominator: str = "auto",
    unbiased: bool = True,
    equal_var: bool = False,
    welch_df: bool = False,
    interval: str = "nct",
    level: float = 0.95,
) -> Standardised:
    """Standardised mean difference from summary numbers; see :func:`effect_size` for the choices.

    Without ``sd_y`` the sample is one (``mean_y`` the value compared with); with ``r`` it is paired.
    """
    if sd_y is None:
        return _smd_one(mean_x - mean_y, sd_x, n_x, unbiased, interval, level)
    if r is not None:
        which = "z" if denominator == "auto" else denominator
        return _smd_paired(mean_x - mean_y, sd_x, sd_y, n_x, r, which, unbiased, interval, level)
    if n_y is None:
        raise InputError("n_y", n_y, "the size of the second sample")
    return _smd_two(
        mean_x - mean_y,
        sd_x,
        n_x,
        sd_y,
        n_y,
        denominator,
        unbiased,
        equal_var,
        welch_df,
        interval,
        level,
    )


def _finish(
    name: str,
    d: float,
    unit: float,
    df: float,
    factor: float,
    sigma: float,
    interval: str,
    level: float,
    *,
    t: float,
    t_df: float,
    scale: float,
    multiplier: float,
) -> Standardised:
    """Interval of a standardised difference ``d`` (factor included).

    ``t`` with ``t_df`` is the noncentral pivot of "nct", whose limits become ``limit * scale * factor``;
    ``d * multiplier`` is the noncentrality of "nct_lambda" (Goulet-Pelletier and Cousineau 2018).
    """
    if interval == "nct":
        low, high = noncentral_t_limits(t, t_df, level)
        low, high = low * scale * factor, high * scale * factor
    elif interval == "nct_lambda":
        tail = (1 - level) / 2
        ncp = d * multiplier
        low = _nct_quantile(tail, df, ncp) / multiplier
        high = _nct_quantile(1 - tail, df, ncp) / multiplier
    else:
        p = (1 + level) / 2
        half = sigma * float(stdtrit(df, p) if interval == "t" else ndtri(p))
        low, high = d - half, d + half
    return Standardised(name, d, sigma, df, float(low), float(high), unit)


def _smd_one(
    difference: float, sd: float, n: int, unbiased: bool, interval: str, level: float
) -> Standardised:
    df = n - 1.0
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / sd * j
    if interval == "nct_lambda":
        sigma = np.sqrt(df / (df - 2) / n * (1 + d**2 * n) - d**2 / j**2)
    else:
        sigma = np.sqrt(1 / n + d**2 / (2 * n))
    name = "Hedges's g" if unbiased else "Cohen's d"
    return _finish(
        name,
        d,
        sd,
        df,
        j,
        float(sigma),
        interval,
        level,
        t=difference / sd * np.sqrt(n),
        t_df=df,
        scale=np.sqrt(1 / n),
        multiplier=np.sqrt(n),
    )


def _smd_paired(
    difference: float,
    sd_x: float,
    sd_y: float,
    n: int,
    r: float,
    denominator: str,
    unbiased: bool,
    interval: str,
    level: float,
) -> Standardised:
    sd_diff = np.sqrt(sd_x**2 + sd_y**2 - 2 * r * sd_x * sd_y)
    units = {"z": sd_diff, "rm": sd_diff / np.sqrt(2 * (1 - r)), "x": sd_x, "y": sd_y}
    if denominator not in units:
        raise InputError("denominator", denominator, f"one of {list(units)} for paired data")
    unit = units[denominator]
    df = 2.0 * n - 2 if interval == "nct_lambda" else n - 1.0
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / unit * j
    q = 2 * (1 - r)
    # variance of d by Goulet-Pelletier and Cousineau (2018), eq. 4b
    sigma = np.sqrt(df / (df - 2) * (q / n) * (1 + d**2 * n / q) - d**2 / j**2)
    if denominator == "z":
        sigma *= np.sqrt(q)
    if interval == "nct" and denominator == "z":
        # variance of the noncentral t with the factor (Viechtbauer 2007, eq. 26)
        sigma = np.sqrt(1 / n + d**2 * (1 - (df - 2) / (df * j**2)))
    if denominator in ("x", "y"):
        sigma = j * np.sqrt(2 * ((1 - r) / n + d**2 / j / (2 * n)))
    t = (
        difference / (sd_diff / np.sqrt(n)) * np.sqrt(q)
        if denominator == "rm"
        else difference / unit * np.sqrt(n)
    )
    letter = {"z": "(z)", "rm": "(rm)"}
    if denominator in letter:
        name = ("Hedges's g" if unbiased else "Cohen's d") + letter[denominator]
    else:
        name = "Glass's delta" + ("(g)" if unbiased else "(d)")
    return _finish(
        name,
        d,
        float(unit),
        df,
        j,
        float(sigma),
        interval,
        level,
        t=float(t),
        t_df=df,
        scale=np.sqrt(1 / n),
        multiplier=np.sqrt(n / q),
    )


def _smd_two(
    difference: float,
    sd_x: float,
    n_x: int,
    sd_y: float,
    n_y: int,
    denominator: str,
    unbiased: bool,
    equal_var: bool,
    welch_df: bool,
    interval: str,
    level: float,
) -> Standardised:
    if denominator not in ("auto", "x", "y"):
        raise InputError("denominator", denominator, "'auto', 'x' or 'y' for independent samples")
    harmonic = 2 * n_x * n_y / (n_x + n_y)
    v_x, v_y = sd_x**2, sd_y**2
    multiplier = np.sqrt(harmonic / 2)
    if denominator in ("x", "y"):
        own, other = (
            ((sd_x, n_x), (sd_y, n_y)) if denominator == "x" else ((sd_y, n_y), (sd_x, n_x))
        )
        unit, df = own[0], own[1] - 1.0
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        # Algina, Keselman and Penfield (2006): the two means keep their own variances
        scale2 = 1 / own[1] + other[0] ** 2 / (other[1] * unit**2)
        sigma = np.sqrt(df / (df - 2) * scale2 + d**2 * (df / (df - 2) - j**2))
        t, t_df, name = difference / unit / np.sqrt(scale2), df, "Glass's delta"
    elif equal_var:
        df = n_x + n_y - 2.0
        unit = np.sqrt(((n_x - 1) * v_x + (n_y - 1) * v_y) / df)
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 1 / n_x + 1 / n_y
        sigma = j * np.sqrt(scale2 + (d / j) ** 2 / (2 * (n_x + n_y)))
        t, t_df, name = (
            difference / unit / np.sqrt(scale2),
            df,
            "Hedges's g" if unbiased else "Cohen's d",
        )
        multiplier = np.sqrt(n_x * n_y * (v_x + v_y) / (2 * (n_y * v_x + n_x * v_y)))
    else:
        unit = np.sqrt((v_x + v_y) / 2)
        # df of the unit, sqrt((v_x + v_y) / 2) (Delacre et al. 2021), or of the Welch test
        a, b = (v_x / n_x, v_y / n_y) if welch_df else (v_x, v_y)
        df = (a + b) ** 2 / (a**2 / (n_x - 1) + b**2 / (n_y - 1))
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 2 * (n_y * v_x + n_x * v_y) / (n_x * n_y * (v_x + v_y))
        sigma = np.sqrt(df / (df - 2) * scale2 + d**2 * (df / (df - 2) - j**2))
        t = difference / np.sqrt(v_x / n_x + v_y / n_y)
        t_df, name = df, ("Hedges's g" if unbiased else "Cohen's d") + "(av)"
    if interval == "nct" and denominator == "auto" and not equal_var:
        # Bonett (2008), eq. 9: each variance with its own weight
        sigma = np.sqrt(
            d**2 * (v_x**2 / (n_x - 1) + v_y**2 / (n_y - 1)) / (8 * unit**4)
            + (v_x / (n_x - 1) + v_y / (n_y - 1)) / unit**2
        )
    elif interval == "nct" and denominator == "auto":
        sigma = np.sqrt(scale2 + d**2 * (1 - (df - 2) / (df * j**2)))
    if interval == "nct_lambda":
        sigma = np.sqrt(df / (df - 2) * (2 / harmonic) * (1 + d**2 * harmonic / 2) - d**2 / j**2)
    return _finish(
        name,
        float(d),
        float(unit),
        float(df),
        j,
        float(sigma),
        interval,
        level,
        t=float(t),
        t_df=float(t_df),
        scale=float(np.sqrt(scale2)),
        multiplier=float(multiplier),
    )
