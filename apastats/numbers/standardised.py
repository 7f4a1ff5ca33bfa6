"""Standardised mean differences from summary numbers, with four kinds of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, ndtri, stdtrit

from apastats.arguments import choice
from apastats.errors import InputError
from apastats.numbers.moments import moments
from apastats.numbers.noncentral import noncentral_t_limits, noncentral_t_quantile

__all__ = ["Standardised", "hedges_factor", "sd_bounds", "sd_unit", "standardised_difference"]


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


def sd_unit(s1: float, n1: int, s2: float, n2: int, equal_var: bool) -> float:
    """SD unit of two independent samples: pooled, or the root mean square of both SDs."""
    if equal_var:
        return float(np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2)))
    return float(np.sqrt((s1**2 + s2**2) / 2))


def sd_bounds(
    low: np.ndarray, high: np.ndarray, differences: np.ndarray, size: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that are multiples of the SD of the differences ``[n, ...]``, in score units ``[...]``."""
    sd = moments(differences, size=size)[2]
    return low * sd, high * sd


def _variance_of_t(df: float) -> float:
    """``df / (df - 2)``, the variance of Student's t; NaN where it is infinite."""
    return df / (df - 2) if df > 2 else float("nan")


def standardised_difference(
    mean_x: float,
    sd_x: float,
    n_x: int,
    mean_y: float = 0.0,
    sd_y: float | None = None,
    n_y: int | None = None,
    *,
    r: float | None = None,
    sd_diff: float | None = None,
    denominator: str = "auto",
    unbiased: bool = True,
    equal_var: bool = False,
    welch_df: bool = False,
    interval: str = "nct",
    level: float = 0.95,
) -> Standardised:
    """Standardised mean difference from summary numbers; see :func:`effect_size` for the choices.

    Without ``sd_y`` the sample is one (``mean_y`` the value compared with); with ``r`` it is paired, and ``sd_diff``
    is the SD of the differences where it is known (from ``r`` it loses its digits as r nears 1). All numbers are NaN
    where the SD that is the unit is 0.
    """
    if sd_y is None:
        return _smd_one(mean_x - mean_y, sd_x, n_x, unbiased, interval, level)
    if r is not None:
        which = "z" if denominator == "auto" else denominator
        if sd_diff is None:
            sd_diff = float(np.sqrt(sd_x**2 + sd_y**2 - 2 * r * sd_x * sd_y))
        return _smd_paired(
            mean_x - mean_y, sd_x, sd_y, sd_diff, n_x, r, which, unbiased, interval, level
        )
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


def _undefined(name: str, df: float) -> Standardised:
    """No variation, no standardised difference."""
    nothing = float("nan")
    return Standardised(name, nothing, nothing, df, nothing, nothing, 0.0)


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
        low = noncentral_t_quantile(tail, df, ncp) / multiplier
        high = noncentral_t_quantile(1 - tail, df, ncp) / multiplier
    else:
        p = (1 + level) / 2
        half = sigma * float(stdtrit(df, p) if interval == "t" else ndtri(p))
        low, high = d - half, d + half
    return Standardised(name, d, sigma, df, float(low), float(high), unit)


def _smd_one(
    difference: float, sd: float, n: int, unbiased: bool, interval: str, level: float
) -> Standardised:
    df = n - 1.0
    name = "Hedges's g" if unbiased else "Cohen's d"
    if not sd > 0:
        return _undefined(name, df)
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / sd * j
    if interval == "nct_lambda":
        sigma = np.sqrt(_variance_of_t(df) / n * (1 + d**2 * n) - d**2 / j**2)
    else:
        sigma = np.sqrt(1 / n + d**2 / (2 * n))
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
    sd_diff: float,
    n: int,
    r: float,
    denominator: str,
    unbiased: bool,
    interval: str,
    level: float,
) -> Standardised:
    names = {"z": "(z)", "rm": "(rm)", "x": "", "y": ""}
    choice("denominator", denominator, names)
    letter = names[denominator]
    name = "Hedges's g" + letter if unbiased else "Cohen's d" + letter
    if not letter:
        name = "Glass's delta" + ("(g)" if unbiased else "(d)")
    if denominator == "rm" and not r < 1:
        return _undefined(name, n - 1.0)
    unit = {"z": sd_diff, "x": sd_x, "y": sd_y}.get(denominator)
    if unit is None:
        unit = float(sd_diff / np.sqrt(2 * (1 - r)))
    if not unit > 0:
        return _undefined(name, n - 1.0)
    df = 2.0 * n - 2 if interval == "nct_lambda" else n - 1.0
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / unit * j
    q = 2 * (1 - r)
    if q < 1e-6 and sd_x > 0 and sd_y > 0:
        # the same from the SD of the differences, which keeps its digits
        q = max((sd_diff**2 - (sd_x - sd_y) ** 2) / (sd_x * sd_y), 0.0)
    # variance of d by Goulet-Pelletier and Cousineau (2018), eq. 4b
    sigma = np.sqrt(_variance_of_t(df) * (q / n + np.square(d)) - np.square(d) / j**2)
    if denominator == "z":
        sigma *= np.sqrt(q)
    if interval == "nct" and denominator == "z":
        # variance of the noncentral t with the factor (Viechtbauer 2007, eq. 26)
        sigma = np.sqrt(1 / n + d**2 * (1 - (df - 2) / (df * j**2)))
    if denominator in ("x", "y"):
        # Bonett (2008), eq. 13: mean and SD of normal pairs are independent, and the SDs need not be equal
        sigma = np.sqrt(((sd_diff / unit) ** 2 + d**2 / 2) / (n - 1))
    t = (
        difference / (sd_diff / np.sqrt(n)) * np.sqrt(q)
        if denominator == "rm"
        else difference / unit * np.sqrt(n)
    )
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
        multiplier=float(np.sqrt(n / q)) if q > 0 else np.inf,
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
    choice("denominator", denominator, ("auto", "x", "y"))
    harmonic = 2 * n_x * n_y / (n_x + n_y)
    v_x, v_y = sd_x**2, sd_y**2
    plain = "Hedges's g" if unbiased else "Cohen's d"
    if not v_x + v_y > 0:
        return _undefined(plain, n_x + n_y - 2.0)
    multiplier = np.sqrt(harmonic / 2)
    if denominator in ("x", "y"):
        own, other = (
            ((sd_x, n_x), (sd_y, n_y)) if denominator == "x" else ((sd_y, n_y), (sd_x, n_x))
        )
        unit, df = own[0], own[1] - 1.0
        if not unit > 0:
            return _undefined("Glass's delta", df)
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        # Algina, Keselman and Penfield (2006): the two means keep their own variances
        scale2 = 1 / own[1] + other[0] ** 2 / (other[1] * unit**2)
        sigma = np.sqrt(_variance_of_t(df) * scale2 + d**2 * (_variance_of_t(df) - j**2))
        t, t_df, name = difference / unit / np.sqrt(scale2), df, "Glass's delta"
    elif equal_var:
        df = n_x + n_y - 2.0
        unit = np.sqrt(((n_x - 1) * v_x + (n_y - 1) * v_y) / df)
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 1 / n_x + 1 / n_y
        sigma = j * np.sqrt(scale2 + (d / j) ** 2 / (2 * (n_x + n_y)))
        t, t_df, name = difference / unit / np.sqrt(scale2), df, plain
        multiplier = np.sqrt(n_x * n_y * (v_x + v_y) / (2 * (n_y * v_x + n_x * v_y)))
    else:
        unit = np.sqrt((v_x + v_y) / 2)
        # df of the unit, sqrt((v_x + v_y) / 2) (Delacre et al. 2021), or of the Welch test
        a, b = (v_x / n_x, v_y / n_y) if welch_df else (v_x, v_y)
        df = (a + b) ** 2 / (a**2 / (n_x - 1) + b**2 / (n_y - 1))
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 2 * (n_y * v_x + n_x * v_y) / (n_x * n_y * (v_x + v_y))
        sigma = np.sqrt(_variance_of_t(df) * scale2 + d**2 * (_variance_of_t(df) - j**2))
        t = difference / np.sqrt(v_x / n_x + v_y / n_y)
        t_df, name = df, plain + "(av)"
    if interval == "nct" and denominator == "auto" and not equal_var:
        # Bonett (2008), eq. 9: each variance with its own weight
        sigma = np.sqrt(
            d**2 * (v_x**2 / (n_x - 1) + v_y**2 / (n_y - 1)) / (8 * unit**4)
            + (v_x / (n_x - 1) + v_y / (n_y - 1)) / unit**2
        )
    elif interval == "nct" and denominator == "auto":
        sigma = np.sqrt(scale2 + d**2 * (1 - (df - 2) / (df * j**2)))
    if interval == "nct_lambda":
        sigma = np.sqrt(
            _variance_of_t(df) * (2 / harmonic) * (1 + d**2 * harmonic / 2) - d**2 / j**2
        )
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
