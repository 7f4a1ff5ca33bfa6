"""The ratio of two paired means: Fieller's interval, and bootstrap intervals on the log scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from apastats.resampling.intervals import (
    INTERVALS,
    Alternative,
    Interval,
    Limits,
    Replicates,
    acceleration,
    confidence_limits,
    tail_probabilities,
)
from apastats.resampling.means import MeanSummary
from apastats.resampling.plans import Plan
from apastats.resampling.quantiles import QuantileRule

__all__ = ["fieller", "summarise_ratios"]


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


def summarise_ratios(
    numerator: np.ndarray,
    denominator: np.ndarray,
    plan: Plan,
    intervals: Sequence[Interval],
    *,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
) -> MeanSummary:
    """Ratios of paired column means, numerator and denominator drawn together.

    Parameters
    ----------
    numerator, denominator : array, ``[n, m]``
        Same units in the rows; a row with NaN in either is left out of its column.
    plan : Plan
        Counts of the units.
    intervals : sequence of str
        ``fieller``, or any of :func:`apastats.resampling.intervals.confidence_limits`; the
        normal, basic, studentized and t intervals are built on the log scale and mapped back.
    conf_level, alternative, quantile_rule
        See there.

    Returns
    -------
    MeanSummary
        Standard errors by the delta method. Limits on the log scale are NaN where the ratio is not
        positive.
    """
    m = numerator.shape[1]
    wanted = tuple(dict.fromkeys(intervals))
    limits: Limits = {k: np.full((4, m), np.nan) for k in wanted}
    estimate, error, size = np.empty(m), np.empty(m), np.empty(m, dtype=np.intp)
    drawn = [k for k in wanted if k != "fieller"]
    counts = plan.matrix if drawn else np.empty((0, plan.n))
    weights = None if plan.uniform else plan.weights
    with threadpool_limits(1, "blas"):
        for j in range(m):
            a, b = numerator[:, j], denominator[:, j]
            known = np.isfinite(a) & np.isfinite(b)
            size[j] = known.sum()
            a, b = np.where(known, a, 0.0), np.where(known, b, 0.0)
            values, errors = _ratio_replicates(a, b, known, np.ones((1, len(a))))
            estimate[j], error[j] = values[0], errors[0]
            if not drawn or size[j] < 2:
                continue
            values, errors = _ratio_replicates(a, b, known, counts)
            # influence of a unit on a ratio of means
            influence = np.where(known, a - estimate[j] * b, np.nan)
            for k in drawn:
                logs = not INTERVALS[k].invariant
                r = _one(estimate[j], error[j], values, errors, weights, influence, size[j], logs)
                if r is None:
                    continue
                found = confidence_limits(
                    r,
                    k,
                    conf_level=conf_level,
                    alternative=alternative,
                    quantile_rule=quantile_rule,
                )
                if logs:
                    found[:2] = np.exp(found[:2])
                    ends = np.where(np.isfinite(found[:2]), found[:2], 0.0)
                    found[2:] *= ends
                limits[k][:, j] = found[:, 0]
    if "fieller" in wanted:
        low, high = fieller(numerator, denominator, conf_level=conf_level, alternative=alternative)
        limits["fieller"] = np.stack([low, high, np.zeros(m), np.zeros(m)])
    return MeanSummary(estimate, error, size, limits)


def _ratio_replicates(
    a: np.ndarray, b: np.ndarray, known: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of weighted means and their delta-method standard errors, ``[B]``."""
    products = counts @ np.column_stack([a, b, a * a, a * b, b * b, known])
    n = products[:, 5]
    with np.errstate(invalid="ignore", divide="ignore"):
        ma, mb, aa, ab, bb = (products[:, k] / n for k in range(5))
        ratio = ma / mb
        residual = aa - 2 * ratio * ab + ratio**2 * bb  # the mean residual is 0
        error = np.sqrt(np.maximum(residual, 0) / (n - 1)) / np.abs(mb)
        error = np.where(residual <= 1e-13 * aa, 0.0, error)
    return ratio, error


def _one(
    estimate: float,
    error: float,
    values: np.ndarray,
    errors: np.ndarray,
    weights: np.ndarray | None,
    influence: np.ndarray,
    size: int,
    logs: bool,
) -> Replicates | None:
    """Replicates of one ratio, on the log scale if wanted; None where that does not exist."""
    if logs:
        if not estimate > 0:
            return None
        with np.errstate(invalid="ignore", divide="ignore"):
            error, errors = error / estimate, errors / np.abs(values)
            values = np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), np.nan)
        estimate = float(np.log(estimate))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (values - estimate) / errors
    t[np.abs(values - estimate) <= 1e-12] = 0.0
    return Replicates(
        estimate=np.array([estimate]),
        values=values[None],
        weights=weights,
        std_error=np.array([error]),
        t_values=t[None],
        acceleration=acceleration(influence[None]),
        df=np.array([size - 1.0]),
        tolerance=1e-12 * max(abs(estimate), 1.0),
    )
