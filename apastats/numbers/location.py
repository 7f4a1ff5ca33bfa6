"""Tests of location for one sample per column, without missing values; every kernel has one signature.

A kernel gets ``z`` ``[n, m]`` and gives, per column, the estimate of location and the p-values of
"above 0", "below 0" and "not 0". Bounds enter by shifting: the test against a bound is the test of
``z - bound``. ``size`` is the largest score the values were made from (0: they were not made from larger ones); it
decides what is a tie, a zero or no variation (:mod:`apastats.numbers.moments`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from apastats.numbers.moments import constant, moments, rounding, size_of
from apastats.numbers.ranks import midranks, tie_sizes

__all__ = ["Kernel", "Located", "brunner_munzel", "signed_rank", "t_location", "trimmed"]


@dataclass(frozen=True, slots=True)
class Located:
    """Location of m samples (arrays ``[m]``); the interval has level ``1 - 2 alpha``."""

    estimate: np.ndarray
    std_error: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_above: np.ndarray
    p_below: np.ndarray
    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray


Kernel = Callable[[np.ndarray, float], Located]


def from_t(estimate: np.ndarray, se: np.ndarray, df: np.ndarray | float, alpha: float) -> Located:
    """Located by a t statistic; undefined (NaN) where ``se`` is 0."""
    se = np.where(se > 0, se, np.nan)
    t = estimate / se
    half = stdtrit(df, 1 - alpha) * se
    return Located(
        estimate,
        se,
        t,
        np.broadcast_to(np.asarray(df, dtype=float), np.shape(estimate)),
        stdtr(df, -t),
        stdtr(df, t),
        2 * stdtr(df, -np.abs(t)),
        estimate - half,
        estimate + half,
    )


def t_location(z: np.ndarray, alpha: float, *, size: np.ndarray | float = 0.0) -> Located:
    """Student's t of the mean."""
    _, mean, sd = moments(z, size=size)
    return from_t(mean, sd / np.sqrt(len(z)), len(z) - 1.0, alpha)


def trimmed_moments(
    z: np.ndarray, trim: float, size: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Trimmed mean, its standard error from the winsorised variance, and the number left."""
    n = len(z)
    cut = int(np.floor(trim * n))
    ordered = np.sort(z, axis=0)
    kept = n - 2 * cut
    mean = ordered[cut : n - cut].mean(axis=0)
    wins = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    se = np.sqrt((n - 1) * wins.var(axis=0, ddof=1) / (kept * (kept - 1)))
    flat = constant(wins, size=np.maximum(size, size_of(z, axis=0)))
    return mean, np.where(flat, 0.0, se), kept


def trimmed(z: np.ndarray, alpha: float, *, trim: float, size: np.ndarray | float = 0.0) -> Located:
    """Yuen's (1974) t of the trimmed mean: ``se^2 = (n - 1) s_w^2 / (h (h - 1))``, ``h - 1`` df."""
    mean, se, kept = trimmed_moments(z, trim, size)
    return from_t(mean, se, kept - 1.0, alpha)


def signed_rank_counts(ranks: np.ndarray) -> np.ndarray:
    """Distribution of the sum of the positive ranks over all signs: counts by twice the sum."""
    twice = np.rint(2 * ranks).astype(int)
    counts = np.zeros(int(twice.sum()) + 1)
    counts[0] = 1.0
    for r in twice:
        shifted = np.zeros_like(counts)
        shifted[r:] = counts[: len(counts) - r]
        counts = counts + shifted
    return np.asarray(counts)


def signed_rank(
    z: np.ndarray, alpha: float, *, exact: bool | None = None, size: np.ndarray | float = 0.0
) -> Located:
    """Wilcoxon's signed-rank test; zeros are dropped, ties get average ranks, both up to rounding.

    Normal approximation with continuity and tie correction, or the exact distribution given the ranks
    (ties included). ``exact=None``: exact up to 50 subjects. The estimate is that of Hodges and
    Lehmann; the exact interval consists of Walsh averages, the other one inverts the normal test.
    """
    small = rounding(z, axis=0, size=size)
    columns = [
        _signed_rank_column(v, alpha, exact, float(t)) for v, t in zip(z.T, small, strict=True)
    ]
    table = np.array(columns, dtype=float).reshape(z.shape[1], 7)
    statistic, p_above, p_below, p_value, estimate, low, high = table.T
    nothing = np.full(len(table), np.nan)
    return Located(estimate, nothing, statistic, nothing, p_above, p_below, p_value, low, high)


def _signed_rank_column(
    z: np.ndarray, alpha: float, exact: bool | None, small: float
) -> tuple[float, ...]:
    use_exact = len(z) <= 50 if exact is None else exact
    z = np.where(np.abs(z) <= small, 0.0, z)
    x = z[z != 0]
    n = len(x)
    if not n:
        return (0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    ranks = midranks(np.abs(x), small)
    v = float(ranks[x > 0].sum())
    i, j = np.triu_indices(len(z))
    walsh = np.sort((z[i] + z[j]) / 2)
    walsh[np.abs(walsh) <= small] = 0.0
    if use_exact:
        p_above, p_below = exact_signed_rank_p(ranks, v)
        low, high = _walsh_interval(walsh, len(z), alpha)
        return (
            v,
            p_above,
            p_below,
            min(1.0, 2 * min(p_above, p_below)),
            float(np.median(walsh)),
            low,
            high,
        )
    p_above, p_below, p_two = normal_signed_rank_p(v, ranks)
    if x.max() - x.min() <= small:
        return v, p_above, p_below, p_two, float(x[0]), float(x[0]), float(x[0])
    # as in R's wilcox.test(exact = FALSE), zeros leave the estimate and the interval as well
    if n < len(z):
        i, j = np.triu_indices(n)
        walsh = (x[i] + x[j]) / 2
    low, high = _normal_interval(x, alpha, small)
    return v, p_above, p_below, p_two, float(np.median(walsh)), low, high


def exact_signed_rank_p(ranks: np.ndarray, v: float) -> tuple[float, float]:
    """One-sided exact p-values (above, below)."""
    counts = signed_rank_counts(ranks)
    share = counts / counts.sum()
    at = round(2 * v)
    return min(1.0, float(share[at:].sum())), min(1.0, float(share[: at + 1].sum()))


def normal_signed_rank_p(v: float, ranks: np.ndarray) -> tuple[float, float, float]:
    """One-sided (above, below) and two-sided p by the corrected normal approximation."""
    n, ties = len(ranks), tie_sizes(ranks)
    sigma = np.sqrt(n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48)
    centre = v - n * (n + 1) / 4
    above = float(ndtr(-(centre - 0.5) / sigma))
    below = float(ndtr((centre + 0.5) / sigma))
    two = 2 * min(
        float(ndtr((centre - np.sign(centre) * 0.5) / sigma)),
        float(ndtr(-(centre - np.sign(centre) * 0.5) / sigma)),
    )
    return above, below, min(1.0, two)


def _walsh_interval(walsh: np.ndarray, n: int, alpha: float) -> tuple[float, float]:
    """Exact interval of level at least 1 - 2 alpha: order statistics of the Walsh averages."""
    counts = signed_rank_counts(np.arange(1, n + 1, dtype=float))[::2]
    below = np.cumsum(counts) / counts.sum()
    # smallest k with P(V <= k) > alpha; as the quantile function of R, with its guard against rounding
    k = int(np.searchsorted(below, alpha * (1 + 64 * np.finfo(float).eps)))
    if k == 0:
        k = 1
        if below[0] > alpha:
            return float("-inf"), float("inf")
    return float(walsh[k - 1]), float(walsh[len(walsh) - k])


def _normal_interval(z: np.ndarray, alpha: float, small: float) -> tuple[float, float]:
    """Invert the normal signed-rank test."""

    def w(d: float, zq: float, sign: float) -> float:
        x = z - d
        x = x[np.abs(x) > small]
        n = len(x)
        ranks = midranks(np.abs(x), small)
        ties = tie_sizes(ranks)
        sigma = np.sqrt(n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48)
        if sigma == 0:
            return -zq
        centre = float(ranks[x > 0].sum()) - n * (n + 1) / 4
        return float((centre - sign * 0.5) / sigma - zq)

    zq = float(ndtri(1 - alpha))
    low = _step_root(lambda d: w(d, zq, 1.0), float(z.min()), float(z.max()))
    high = _step_root(lambda d: w(d, -zq, -1.0), float(z.min()), float(z.max()))
    return low, high


def _step_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling step function changes sign, to the precision of bisection; an end if it does not."""
    if f(low) <= 0:
        return low
    if f(high) >= 0:
        return high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if f(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def rank_sum(
    x: np.ndarray, y: np.ndarray, *, exact: bool | None = None, small: float = 0.0
) -> tuple[float, float, float, float]:
    """Mann-Whitney ``W`` of x, and p-values of x above y, below y, different.

    Exact given the ranks (ties included) up to 50 + 50, as :func:`signed_rank` is; beyond, or where asked for, the
    normal approximation with continuity and tie correction: of tied, separated triples it says .047 where 2 of 20
    relabellings are so extreme. Values that differ by no more than ``small`` are tied.
    """
    n1, n2 = len(x), len(y)
    ranks = midranks(np.concatenate([x, y]), small)
    w = float(ranks[:n1].sum() - n1 * (n1 + 1) / 2)
    ties = tie_sizes(ranks)
    use_exact = (n1 <= 50 and n2 <= 50) if exact is None else exact
    if use_exact:
        share = rank_sum_counts(ranks, n1)
        at = round(2 * w) + n1 * (n1 + 1)
        above, below = float(share[at:].sum()), float(share[: at + 1].sum())
        return w, min(1.0, above), min(1.0, below), min(1.0, 2 * min(above, below))
    total = n1 + n2
    sigma = np.sqrt(n1 * n2 / 12 * ((total + 1) - (ties**3 - ties).sum() / (total * (total - 1))))
    centre = w - n1 * n2 / 2
    if sigma == 0:
        return w, 1.0, 1.0, 1.0
    above = float(ndtr(-(centre - 0.5) / sigma))
    below = float(ndtr((centre + 0.5) / sigma))
    middle = (centre - np.sign(centre) * 0.5) / sigma
    return w, above, below, min(1.0, 2 * float(ndtr(-abs(middle))))


def rank_sum_counts(ranks: np.ndarray, n1: int) -> np.ndarray:
    """Distribution of the rank sum of the first group over all relabellings, by twice the sum."""
    twice = np.rint(2 * ranks).astype(int)
    size = int(twice.sum()) + 1
    ways = np.zeros((n1 + 1, size))
    ways[0, 0] = 1.0
    for r in twice:
        ways[1:, r:] = ways[1:, r:] + ways[:-1, : size - r]
    out: np.ndarray = ways[n1] / ways[n1].sum()
    return out


def rank_sum_interval(
    x: np.ndarray, y: np.ndarray, alpha: float, small: float = 0.0
) -> tuple[float, float, float]:
    """Hodges-Lehmann shift (median difference), and limits that invert the normal rank-sum test."""

    def w(d: float, zq: float, sign: float) -> float:
        ranks = midranks(np.concatenate([x - d, y]), small)
        n1, n2 = len(x), len(y)
        total = n1 + n2
        ties = tie_sizes(ranks)
        sigma = np.sqrt(
            n1 * n2 / 12 * ((total + 1) - (ties**3 - ties).sum() / (total * (total - 1)))
        )
        if sigma == 0:
            return -zq
        centre = float(ranks[:n1].sum() - n1 * (n1 + 1) / 2) - n1 * n2 / 2
        return float((centre - sign * 0.5) / sigma - zq)

    first, last = float(x.min() - y.max()), float(x.max() - y.min())
    zq = float(ndtri(1 - alpha))
    return (
        float(np.median(x[:, None] - y)),
        _step_root(lambda d: w(d, zq, 1.0), first, last),
        _step_root(lambda d: w(d, -zq, -1.0), first, last),
    )


def brunner_munzel(x: np.ndarray, y: np.ndarray, small: float = 0.0) -> tuple[float, float, float]:
    """Relative effect ``P(X > Y) + P(X = Y) / 2``, its standard error and degrees of freedom.

    Brunner and Munzel (2000), Biometrical Journal 42:17. Without overlap the standard error is 0. Values that differ by
    no more than ``small`` are tied.
    """
    n1, n2 = len(x), len(y)
    ranks = midranks(np.concatenate([x, y]), small)
    # placements: share of the other sample below each value
    px = (ranks[:n1] - midranks(x, small)) / n2
    py = (ranks[n1:] - midranks(y, small)) / n1
    effect = float(px.mean())
    v1, v2 = float(px.var(ddof=1)) / n1, float(py.var(ddof=1)) / n2
    se = float(np.sqrt(v1 + v2))
    df = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) if se > 0 else float("nan")
    return effect, se, float(df)
