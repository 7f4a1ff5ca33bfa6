"""t tests with bounds, vectorised over any number of contrasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import stdtr, stdtrit

from apastats.numbers.moments import moments
from apastats.numbers.noncentral import noncentral_pivot, noncentral_t_cdf
from apastats.numbers.tested import Tested

__all__ = ["from_summary", "in_sd_units", "one_sample", "two_sample", "welch_df"]

_ZERO = np.asarray(0.0)


def from_summary(
    estimate: np.ndarray,
    se: np.ndarray,
    df: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    n: np.ndarray,
    *,
    alpha: float,
    null: float = 0.0,
) -> Tested:
    """All t tests of an estimate against null and bounds; undefined (NaN) where ``se`` is 0."""
    se = np.where(se > 0, se, np.nan)
    with np.errstate(invalid="ignore"):
        t, t_low, t_high = (estimate - null) / se, (estimate - low) / se, (estimate - high) / se
    half, wide = _quantile(df, 1 - alpha) * se, _quantile(df, 1 - alpha / 2) * se
    above, below = _tails(df, t)
    p_low, p_below = (above, below) if np.all(low == null) else _tails(df, t_low)
    p_above, p_high = (above, below) if np.all(high == null) else _tails(df, t_high)
    return Tested(
        estimate=estimate,
        std_error=se,
        statistic=t,
        df=df,
        p_value=2 * np.minimum(above, below),
        conf_low=estimate - half,
        conf_high=estimate + half,
        statistic_low=t_low,
        statistic_high=t_high,
        p_low=p_low,
        p_high=p_high,
        p_below=p_below,
        p_above=p_above,
        n=n,
        wide_low=estimate - wide,
        wide_high=estimate + wide,
    )


def _tails(df: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(T > t) and P(T < t): the smaller by itself, the other its complement."""
    tail = stdtr(df, -np.abs(t))
    upper = t >= 0
    return np.where(upper, tail, 1 - tail), np.where(upper, 1 - tail, tail)


def _quantile(df: np.ndarray, p: float) -> np.ndarray:
    """Quantile of t; millions of contrasts with one df ask for it once."""
    df = np.asarray(df, dtype=float)
    if df.size > 1 and (df == df.flat[0]).all():
        return np.asarray(stdtrit(df.flat[0], p))
    return np.asarray(stdtrit(df, p))


def one_sample(
    d: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    alpha: float,
    null: float = 0.0,
    size: np.ndarray | float = 0.0,
) -> Tested:
    """T tests of the mean of ``d`` ``[n, ...]``.

    ``low`` and ``high`` are numbers (or arrays ``[...]``), or arrays with one bound per unit ``[n, ...]``:
    then the unit's own bound is subtracted, so that the uncertainty of an estimated bound is in the test
    (the bound is the mean of the units' bounds, and the contrast stays linear). ``size`` is that of the scores that
    were subtracted.
    """
    n, mean, sd = moments(d, size=size)
    df = np.where(n > 1, n - 1, np.nan).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        se = sd / np.sqrt(n)
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if max(low.ndim, high.ndim) < d.ndim or d.ndim == 0:
        return from_summary(mean, se, df, low, high, n, alpha=alpha, null=null)
    base = from_summary(mean, se, df, _ZERO, _ZERO, n, alpha=alpha, null=null)
    above = one_sample(d - low, _ZERO, _ZERO, alpha=alpha, size=size)
    below = one_sample(d - high, _ZERO, _ZERO, alpha=alpha, size=size)
    return Tested(
        estimate=base.estimate,
        std_error=base.std_error,
        statistic=base.statistic,
        df=base.df,
        p_value=base.p_value,
        conf_low=base.conf_low,
        conf_high=base.conf_high,
        statistic_low=above.statistic_low,
        statistic_high=below.statistic_high,
        p_low=above.p_low,
        p_high=below.p_high,
        p_below=above.p_below,
        p_above=below.p_above,
        n=np.minimum(above.n, below.n),
        wide_low=base.wide_low,
        wide_high=base.wide_high,
    )


def in_sd_units(tested: Tested, low: np.ndarray, high: np.ndarray, alpha: float) -> Tested:
    """T tests against bounds that are multiples of the standard deviation estimated on the same data.

    With the bounds ``low`` and ``high`` in score units, ``t = estimate / se`` has at a bound a noncentral t
    distribution with noncentrality ``bound / se``, a number without unit that no longer depends on the data (exactly
    for one sample, pairs and Student, nearly for Welch; Wellek 2010, section 5.3). The interval is that of the
    standardised difference times the standard deviation. Taking the estimated bounds as known is liberal beyond one SD.
    """
    df, se = np.asarray(tested.df, dtype=float), tested.std_error
    with np.errstate(invalid="ignore", divide="ignore"):
        t, below, above = tested.estimate / se, low / se, high / se
    flat_t, flat_df = t.ravel(), np.broadcast_to(df, t.shape).ravel()
    limits = np.full((4, t.size), np.nan)
    for d in np.unique(flat_df[np.isfinite(flat_t)]):
        rows = np.flatnonzero((flat_df == d) & np.isfinite(flat_t))
        limits[:2, rows] = noncentral_pivot(flat_t[rows], float(d), alpha)
        limits[2:, rows] = noncentral_pivot(flat_t[rows], float(d), alpha / 2)
    return replace(
        tested,
        conf_low=limits[0].reshape(t.shape) * se,
        conf_high=limits[1].reshape(t.shape) * se,
        wide_low=limits[2].reshape(t.shape) * se,
        wide_high=limits[3].reshape(t.shape) * se,
        p_low=noncentral_t_cdf(-t, df, -below),
        p_high=noncentral_t_cdf(t, df, above),
        p_below=noncentral_t_cdf(t, df, below),
        p_above=noncentral_t_cdf(-t, df, -above),
    )


def welch_df(v1: np.ndarray, n1: np.ndarray, v2: np.ndarray, n2: np.ndarray) -> np.ndarray:
    """Welch-Satterthwaite degrees of freedom from two variances and numbers."""
    a, b = v1 / n1, v2 / n2
    return np.asarray((a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1)))


def two_sample(
    m1: float,
    sd1: float,
    n1: int,
    m2: float,
    sd2: float,
    n2: int,
    low: float,
    high: float,
    *,
    alpha: float,
    equal_var: bool = False,
    null: float = 0.0,
) -> Tested:
    """Welch (or Student) tests of two independent means from their summary numbers."""
    v1, v2 = np.asarray(sd1**2), np.asarray(sd2**2)
    if equal_var:
        df = np.asarray(float(n1 + n2 - 2))
        pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / df
        se = np.sqrt(pooled * (1 / n1 + 1 / n2))
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            df = welch_df(v1, np.asarray(n1), v2, np.asarray(n2))
        se = np.sqrt(v1 / n1 + v2 / n2)
    n = np.asarray(n1 + n2)
    return from_summary(
        np.asarray(m1 - m2), se, df, np.asarray(low), np.asarray(high), n, alpha=alpha, null=null
    )
