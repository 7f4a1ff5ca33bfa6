"""Which models can be the best: numbers on arrays ``[..., n_subject, n_model]``, any number of data sets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, digamma, polygamma

from apastats.numbers.simultaneous import best_critical, range_critical, range_sf

__all__ = [
    "BestIntervals",
    "Moments",
    "confidence_set",
    "moderated_variance",
    "moments",
    "pooling_check",
    "with_the_best",
]


@dataclass(frozen=True, slots=True)
class Moments:
    """Means ``[..., k]``, variance of a difference of two models ``[..., k, k]`` (of the mean), and its df."""

    mean: np.ndarray
    variance: np.ndarray
    df: float


def residuals(x: np.ndarray) -> np.ndarray:
    """Subject-by-model residuals of ``[..., n, k]``."""
    both = x.mean(axis=(-2, -1), keepdims=True)
    return np.asarray(x - x.mean(axis=-2, keepdims=True) - x.mean(axis=-1, keepdims=True) + both)


def moments(x: np.ndarray, variance: str = "pooled") -> Moments:
    """Means and variances of their differences; ``pooled``: one error for all; ``moderated``: see there."""
    n, k = x.shape[-2:]
    mean = x.mean(axis=-2)
    if variance == "moderated":
        v, df = moderated_variance(x)
        return Moments(mean, v / n, df)
    error = (residuals(x) ** 2).sum(axis=(-2, -1)) / ((n - 1.0) * (k - 1))
    off = 1.0 - np.eye(k)
    return Moments(mean, 2 * error[..., None, None] / n * off, (n - 1.0) * (k - 1))


def pair_variances(x: np.ndarray) -> np.ndarray:
    """Variance of the difference of every two models ``[..., k, k]``, n - 1 df each."""
    centred = x - x.mean(axis=-2, keepdims=True)
    s = np.swapaxes(centred, -1, -2) @ centred / (x.shape[-2] - 1)
    d = np.diagonal(s, axis1=-2, axis2=-1)
    return np.asarray(np.maximum(d[..., :, None] + d[..., None, :] - 2 * s, 0.0))


def moderated_variance(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Pair variances shrunk to a common value by their own spread (Smyth 2004), one data set ``[n, k]``.

    The log variances of all pairs give the prior: ``d0`` df and ``s0``; the moderated variance is
    ``(d0 s0 + (n - 1) v) / (d0 + n - 1)``, with ``d0 + n - 1`` df, at most those of the pooled error.
    """
    n, k = x.shape[-2:]
    v = pair_variances(x)
    own = n - 1.0
    pairs = v[np.triu_indices(k, 1)]
    pairs = pairs[pairs > 0]
    top = (n - 1.0) * (k - 1)
    if len(pairs) < 2:
        return v, own
    e = np.log(pairs) - digamma(own / 2) + np.log(own / 2)
    extra = float(e.var(ddof=1) - polygamma(1, own / 2))
    if extra <= 0:
        d0, s0 = np.inf, float(np.exp(e.mean()))
        return np.where(v > 0, s0, 0.0), top
    d0 = 2 * _trigamma_inverse(extra)
    s0 = float(np.exp(e.mean() + digamma(d0 / 2) - np.log(d0 / 2)))
    off = 1.0 - np.eye(k)
    return off * (d0 * s0 + own * v) / (d0 + own), min(d0 + own, top)


def _trigamma_inverse(y: float) -> float:
    """Solve ``trigamma(x) = y`` by Newton steps on 1 / trigamma."""
    x = 0.5 + 1 / y
    for _ in range(60):
        value = float(polygamma(1, x))
        step = value * (1 - value / y) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def pooling_check(x: np.ndarray) -> float:
    """p-value of "all models have the same subject-by-model variance" (Bartlett's test, one data set ``[n, k]``).

    The residual variances of the models have about ``(n - 1)(k - 1) / k`` df each. Small values speak for
    ``variance="moderated"``.
    """
    n, k = x.shape
    if k < 3:
        return 1.0
    df = (n - 1.0) * (k - 1) / k
    v = (residuals(x) ** 2).sum(axis=0) / df
    if not (v > 0).all():
        return 0.0
    factor = 1 + (k / df - 1 / (k * df)) / (3 * (k - 1))
    statistic = df * (k * np.log(v.mean()) - np.log(v).sum()) / factor
    return float(chdtrc(k - 1.0, statistic))


@dataclass(frozen=True, slots=True)
class BestIntervals:
    """Intervals of mean_i minus the best of the others ``[..., k]``.

    ``low`` and ``high`` contain 0 (constrained), ``free_low`` and ``free_high`` need not.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free_low: np.ndarray
    free_high: np.ndarray
    critical: float


def with_the_best(m: Moments, alpha: float) -> BestIntervals:
    """Hsu's multiple comparisons with the best.

    Constrained intervals (Hsu 1984, with Hsu 1996, section 4.2.3.1 for unequal variances): the upper end is the
    positive part of ``min_j (mean_i - mean_j + c se_ij)``; models with a positive upper end can be the best; the lower
    end is the negative part of ``min (mean_i - mean_j - c se_ij)`` over those models, 0 where i is the only one. c is
    the one-sided critical value of Dunnett.

    Free intervals (in the manner of Edwards and Hsu 1983), with the two-sided value: on the event that all
    differences from the true best are within ``c se``, the true best is among the models B with
    ``mean_b >= mean_j - c se`` for all j, so ``mu_i - mu_best <= max over b in B of (mean_i - mean_b + c se_ib)``.
    """
    k = m.mean.shape[-1]
    se = np.sqrt(m.variance)
    d = m.mean[..., :, None] - m.mean[..., None, :]
    own = np.eye(k, dtype=bool)
    c = best_critical(1 - alpha, k, m.df)
    high = np.maximum(np.where(own, np.inf, d + c * se).min(axis=-1), 0.0)
    out_of_reach = (high <= 0)[..., None, :]
    low = np.where(own | out_of_reach, np.inf, d - c * se).min(axis=-1)
    low = np.where(np.isinf(low), 0.0, np.minimum(low, 0.0))
    two = best_critical(1 - alpha, k, m.df, two_sided=True)
    free_low = np.where(own, np.inf, d - two * se).min(axis=-1)
    reach: np.ndarray = np.where(own, np.inf, d + two * se).min(axis=-1)
    free_high = np.where(own | (reach < 0)[..., None, :], -np.inf, d + two * se).max(axis=-1)
    # the only candidate: it is the best, its lead over the second is bounded by its own difference
    lead = np.where(own, np.inf, d + two * se).min(axis=-1)
    free_high = np.where(np.isinf(free_high), lead, free_high)
    difference = np.where(own, np.inf, d).min(axis=-1)
    return BestIntervals(difference, low, high, free_low, free_high, c)


def confidence_set(
    m: Moments, alpha: float, *, step_down: bool = False, p_values: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Set that holds all models tied for best together: (members, p-values, half widths), ``[..., k]``.

    Single step: a model leaves if the highest mean exceeds its own by more than the critical studentised range of
    all k, ``q se``. If the models tied for best are B, one of them leaves only if the range of the centred means of
    B and the highest one exceeds ``q se``, so all of B stay with probability at least ``1 - alpha``, whatever the
    others. Step-down: the lowest model leaves while the range of those that remain exceeds the critical value for their
    number (order of elimination of Hansen, Lunde and Nason 2011); sharper, and at its nominal level in the limit of
    well-separated groups only. Without ``p_values`` they are NaN, which is much
    faster for many data sets. Half widths are those of Tukey's simultaneous intervals of all pairs.
    """
    k = m.mean.shape[-1]
    # with moderated variances a model has the largest error of its pairs
    unit = np.sqrt(m.variance.max(axis=-1) / 2)
    half = range_critical(1 - alpha, k, m.df) * unit
    gap = m.mean.max(axis=-1, keepdims=True) - m.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.where(unit > 0, gap / unit, np.where(gap > 0, np.inf, 0.0))
    if not p_values and not step_down:
        return gap <= half, np.full(q.shape, np.nan), half
    if not step_down:
        p = range_sf(np.minimum(q, 1e6), k, m.df)
        return gap <= half, np.where(gap == 0, 1.0, p), half
    order = np.argsort(m.mean, axis=-1, kind="stable")
    q_sorted = np.take_along_axis(np.minimum(q, 1e6), order, axis=-1)
    p_sorted = np.ones(q.shape)
    running = np.zeros(q.shape[:-1])
    for i in range(k - 1):
        running = np.maximum(running, range_sf(q_sorted[..., i], k - i, m.df))
        p_sorted[..., i] = running
    p = np.empty_like(p_sorted)
    np.put_along_axis(p, order, p_sorted, axis=-1)
    return p > alpha, p, half
