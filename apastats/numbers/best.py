"""Which models can be the best: numbers on arrays ``[..., n_subject, n_model]``, any number of data sets at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from apastats.numbers.simultaneous import best_critical, range_critical, range_sf

__all__ = [
    "BestIntervals",
    "Moments",
    "confidence_set",
    "joint_set",
    "moments",
    "with_the_best",
]


_MEMORY = 4_000_000  # differences at a time


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


def moments(x: np.ndarray) -> Moments:
    """Means, and one error for all differences."""
    n, k = x.shape[-2:]
    error = (residuals(x) ** 2).sum(axis=(-2, -1)) / ((n - 1.0) * (k - 1))
    off = 1.0 - np.eye(k)
    return Moments(x.mean(axis=-2), 2 * error[..., None, None] / n * off, (n - 1.0) * (k - 1))


@dataclass(frozen=True, slots=True)
class BestIntervals:
    """Intervals of mean_i minus the best of the others ``[..., k]``.

    ``low`` and ``high`` contain 0 (constrained), ``free_low`` and ``free_high`` need not; ``inside``: can be the best.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free_low: np.ndarray
    free_high: np.ndarray
    critical: float
    inside: np.ndarray


def with_the_best(
    m: Moments, alpha: float, *, shared: bool = True, rounding: float = 0.0
) -> BestIntervals:
    """Hsu's multiple comparisons with the best.

    Constrained intervals (Hsu 1984, with Hsu 1996, section 4.2.3.1 for unequal variances): the upper end is the
    positive part of ``min_j (mean_i - mean_j + c se_ij)``; models with a positive upper end can be the best; the lower
    end is the negative part of ``min (mean_i - mean_j - c se_ij)`` over those models, 0 where i is the only one. c is
    the one-sided critical value of Dunnett where all differences share one variance estimate (``shared``), else
    Bonferroni's: ratios with denominators of their own are less alike.

    Free intervals (in the manner of Edwards and Hsu 1983), with the two-sided value: on the event that all
    differences from the true best are within ``c se``, the true best is among the models B with
    ``mean_b >= mean_j - c se`` for all j, so ``mu_i - mu_best <= max over b in B of (mean_i - mean_b + c se_ib)``.
    """
    k = m.mean.shape[-1]
    others = max(k - 1, 1)
    if shared:
        c, two = (best_critical(1 - alpha, k, m.df, two_sided=t) for t in (False, True))
    else:
        c, two = (float(stdtrit(m.df, 1 - alpha / (t * others))) for t in (1, 2))
    top, reach, free_low, difference, low, free_high = np.empty((6, *m.mean.shape))
    for rows, own, d, se in _by_rows(m):
        top[..., rows] = np.where(own, np.inf, d + c * se).min(axis=-1)
        reach[..., rows] = np.where(own, np.inf, d + two * se).min(axis=-1)
        free_low[..., rows] = np.where(own, np.inf, d - two * se).min(axis=-1)
        difference[..., rows] = np.where(own, np.inf, d).min(axis=-1)
    inside = top >= -rounding
    high = np.maximum(top, 0.0)
    for rows, own, d, se in _by_rows(m):
        out_of_reach = ~inside[..., None, :]
        low[..., rows] = np.where(own | out_of_reach, np.inf, d - c * se).min(axis=-1)
        out_of_reach = (reach < 0)[..., None, :]
        free_high[..., rows] = np.where(own | out_of_reach, -np.inf, d + two * se).max(axis=-1)
    low = np.where(np.isinf(low), 0.0, np.minimum(low, 0.0))
    # the only candidate: it is the best, its lead over the second is bounded by its own difference
    free_high = np.where(np.isinf(free_high), reach, free_high)
    return BestIntervals(difference, low, high, free_low, free_high, c, inside)


def _by_rows(m: Moments) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Some models at a time: which, themselves among all ``[rows, k]``, differences from all and their errors."""
    k = m.mean.shape[-1]
    step = max(1, _MEMORY // max(1, m.mean.size))
    for start in range(0, k, step):
        rows = slice(start, min(start + step, k))
        own = np.arange(k)[rows, None] == np.arange(k)
        d = m.mean[..., rows, None] - m.mean[..., None, :]
        yield rows, own, d, np.sqrt(m.variance[..., rows, :])


def confidence_set(
    m: Moments,
    alpha: float,
    *,
    step_down: bool = False,
    p_values: bool = True,
    shared: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Set that holds all models tied for best together: (members, p-values, half widths), ``[..., k]``.

    Single step: a model leaves if the highest mean exceeds its own by more than the critical studentised range of
    all k, ``q se``. If the models tied for best are B, one of them leaves only if the range of the centred means of
    B and the highest one exceeds ``q se``, so all of B stay with probability at least ``1 - alpha``, whatever the
    others. Step-down: the lowest model leaves while the range of those that remain exceeds the critical value for their
    number (order of elimination of Hansen, Lunde and Nason 2011); sharper, and at its nominal level in the limit of
    well-separated groups only. Without ``p_values`` they are NaN, which is much
    faster for many data sets. Half widths are those of Tukey's simultaneous intervals of all pairs. Where the
    differences do not share one variance estimate, ``t`` of every pair is compared with Bonferroni's quantile
    over all pairs instead.
    """
    k = m.mean.shape[-1]
    if not shared:
        return _pairwise_set(m, alpha, step_down)
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


def joint_set(x: np.ndarray, alpha: float) -> np.ndarray:
    """Members of the single-step :func:`confidence_set` of ``[..., n, k]`` with one error, no matrix of pairs."""
    n, k = x.shape[-2:]
    df = (n - 1.0) * (k - 1)
    error = (residuals(x) ** 2).sum(axis=(-2, -1), keepdims=True)[..., 0] / df
    mean = x.mean(axis=-2)
    half = range_critical(1 - alpha, k, df) * np.sqrt(error / n)
    return np.asarray(mean.max(axis=-1, keepdims=True) - mean <= half)


def _pairwise_set(
    m: Moments, alpha: float, step_down: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for one data set whose differences have variances of their own."""
    k = len(m.mean)
    se = np.sqrt(m.variance)
    gap = m.mean[None, :] - m.mean[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, gap / se, np.where(gap > 0, np.inf, 0.0))
    half = float(stdtrit(m.df, 1 - alpha / (k * (k - 1)))) * se.max(axis=1)
    if not step_down:
        p = np.minimum(1.0, k * (k - 1) * stdtr(m.df, -t.max(axis=1)))
        return p > alpha, p, half
    p, left, running = np.ones(k), list(range(k)), 0.0
    while len(left) > 1:
        worst = t[np.ix_(left, left)].max(axis=1)
        i = int(worst.argmax())
        pairs = len(left) * (len(left) - 1)
        running = max(running, min(1.0, pairs * float(stdtr(m.df, -worst[i]))))
        p[left[i]] = running
        left.pop(i)
    return p > alpha, p, half
