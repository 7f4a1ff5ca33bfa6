"""Intervals of replicates that were computed once and kept (statistics other than cell means)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, ndtri

from apastats.arguments import choice
from apastats.errors import InputError
from apastats.numbers.moments import moments
from apastats.resampling.intervals import (
    Alternative,
    Interval,
    Limits,
    Replicates,
    acceleration,
    confidence_limits,
)
from apastats.resampling.quantiles import QuantileRule, mass_below

__all__ = ["TRANSFORMS", "Kept", "diagnostics", "summarise_kept"]

Map = Callable[[np.ndarray], np.ndarray]

# scale -> (to the scale, back, derivative)
TRANSFORMS: dict[str, tuple[Map, Map, Map]] = {
    "fisher": (np.arctanh, np.tanh, lambda r: 1 / (1 - r**2)),
    "log": (np.log, np.exp, lambda x: 1 / x),
    "logit": (logit, expit, lambda p: 1 / (p * (1 - p))),
}


@dataclass(frozen=True, eq=False)
class Kept:
    """Replicates and what the intervals need beside them.

    Attributes
    ----------
    estimate : array, ``[m]``
    values : array, ``[B, m]``
        Replicates.
    weights : array ``[B]`` or None
        Probabilities of an enumerated plan.
    std_error : array ``[m]`` or None
    std_errors : array ``[B, m]`` or None
        Standard errors of the data and of every replicate.
    influence : array ``[n, m]`` or None
        Jackknife influence values.
    df : array ``[m]`` or None
        Degrees of freedom of the t interval.
    std_error_mcse : array ``[m]`` or None
        Monte-Carlo error of ``std_error`` where it comes from the replicates.
    pivot_error : array ``[m]`` or None
        Standard error of the data by the estimator of ``std_errors``, where it is another one than
        that of ``std_error``.
    """

    estimate: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None
    std_error: np.ndarray | None = None
    std_errors: np.ndarray | None = None
    influence: np.ndarray | None = None
    df: np.ndarray | None = None
    std_error_mcse: np.ndarray | None = None
    pivot_error: np.ndarray | None = None


def summarise_kept(
    kept: Kept,
    intervals: Sequence[Interval],
    *,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
    transform: str | None = None,
) -> Limits:
    """Limits by interval, ``[4, m]``: low, high and the Monte-Carlo error of each.

    Parameters
    ----------
    kept : Kept
        Replicates.
    intervals, conf_level, alternative, quantile_rule
        See :func:`apastats.resampling.intervals.confidence_limits`.
    transform : {"fisher", "log", "logit"}, optional
        Scale on which the intervals are built; limits are mapped back. Standard errors follow by the
        delta method, BCa's acceleration stays as it is (it is invariant to first order).
    """
    there, back, slope = _maps(transform)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = there(kept.estimate)
        values = np.ascontiguousarray(there(kept.values).T)
        std_error = (
            None if kept.std_error is None else kept.std_error * np.abs(slope(kept.estimate))
        )
        t_values = None
        if kept.std_errors is not None and "studentized" in intervals:
            errors = kept.std_errors * np.abs(slope(kept.values))
            t_values = (values - estimate[:, None]) / errors.T
            t_values[values == estimate[:, None]] = 0.0
    if transform is not None and not np.isfinite(estimate).all():
        raise InputError(
            "transform", transform, "a scale on which the estimate is finite",
            hint=f"The estimate is {kept.estimate[~np.isfinite(estimate)][0]:.4g}.",
        )  # fmt: skip
    r = Replicates(
        estimate=estimate,
        values=values,
        weights=kept.weights,
        std_error=std_error,
        t_values=t_values,
        acceleration=None if kept.influence is None else acceleration(kept.influence, axis=0),
        df=kept.df,
        tolerance=1e-12 * np.nanmax(np.abs(values), axis=1, initial=0.0),
    )
    pivot = r
    if kept.pivot_error is not None:
        pivot = replace(r, std_error=kept.pivot_error * np.abs(slope(kept.estimate)))
    out: Limits = {}
    for k in dict.fromkeys(intervals):
        # bca respects transformations: built on the plain scale, as R does; quantiles do too, and the plain scale has
        # those replicates that the other one has not
        plain = k == "bca" or (
            k == "percentile" and bool((np.isnan(values.T) > np.isnan(kept.values)).any())
        )
        found = confidence_limits(
            _plain(kept, r) if plain else pivot if k == "studentized" else r,
            k,
            conf_level=conf_level,
            alternative=alternative,
            quantile_rule=quantile_rule,
        )
        limits, errors = found[:2], found[2:]
        if k == "t" and kept.std_error_mcse is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                reach = np.abs(limits - estimate) * kept.std_error_mcse / kept.std_error
            errors[:] = np.where(np.isfinite(reach), reach, 0.0)
        if transform is not None and not plain:
            with np.errstate(invalid="ignore", divide="ignore"):
                moved = errors / np.abs(slope(back(limits)))
            errors[:] = np.where(errors > 0, moved, 0.0)
            limits[:] = back(limits)
        out[k] = found
    return out


def _plain(kept: Kept, r: Replicates) -> Replicates:
    """Replicates on the scale of the statistic itself."""
    values = np.ascontiguousarray(kept.values.T)
    tolerance = 1e-12 * np.nanmax(np.abs(values), axis=1, initial=0.0)
    return replace(r, estimate=kept.estimate, values=values, tolerance=tolerance)


def _maps(transform: str | None) -> tuple[Map, Map, Map]:
    """Functions of a scale; the identity for None."""
    if transform is None:
        return (lambda x: x), (lambda x: x), np.ones_like
    choice("transform", transform, TRANSFORMS)
    return TRANSFORMS[transform]


def diagnostics(kept: Kept, quantile_rule: QuantileRule = "linear") -> dict[str, np.ndarray]:
    """Bootstrap mean, bias, standard deviation, z0 and acceleration of each estimate."""
    values = np.ascontiguousarray(kept.values.T)
    _, mean, sd = moments(values, kept.weights, axis=-1)
    share = mass_below(
        values,
        kept.estimate,
        kept.weights,
        ties=0.0 if quantile_rule == "boot" else 0.5,
        tolerance=1e-12 * np.nanmax(np.abs(values), axis=1),
    )
    bend = np.full(len(kept.estimate), np.nan)
    if kept.influence is not None:
        bend = acceleration(kept.influence, axis=0)
    return {
        "boot_mean": mean,
        "bias": mean - kept.estimate,
        "boot_se": sd,
        "z0": ndtri(share),
        "acceleration": bend,
    }
