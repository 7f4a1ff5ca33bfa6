"""Confidence intervals from replicates: normal, basic, percentile, bca, studentized and t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from apastats.errors import InputError
from apastats.numbers.moments import moments
from apastats.resampling.quantiles import QuantileRule, mass_below, quantiles

__all__ = [
    "ALTERNATIVES",
    "INTERVALS",
    "Interval",
    "Replicates",
    "acceleration",
    "check_interval",
    "confidence_interval",
    "confidence_limits",
    "tail_probabilities",
]

Interval: TypeAlias = Literal["normal", "basic", "percentile", "bca", "studentized", "t", "fieller"]
Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
# interval -> [4, m]: low, high, and the Monte-Carlo error of each
Limits: TypeAlias = dict[str, np.ndarray]

INTERVALS = ("normal", "basic", "percentile", "bca", "studentized", "t")
ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicates of m estimates and what the intervals need beside them.

    Attributes
    ----------
    estimate : array, ``[m]``
        Estimates from the data.
    values : array, ``[m, B]``
        Replicates.
    weights : array ``[B]`` or None
        Probabilities of an enumerated plan; None for equal weights.
    std_error : array ``[m]`` or None
        Standard errors of the estimates, for "studentized" and "t".
    t_values : array ``[m, B]`` or None
        ``(replicate - estimate) / standard error of the replicate``, for "studentized".
    acceleration : array ``[m]`` or None
        For "bca".
    df : array ``[m]`` or None
        Degrees of freedom, for "t".
    tolerance : array or float
        Replicates this close to the estimate are equal to it.
    """

    estimate: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None
    std_error: np.ndarray | None = None
    t_values: np.ndarray | None = None
    acceleration: np.ndarray | None = None
    df: np.ndarray | None = None
    tolerance: np.ndarray | float = 0.0


def check_interval(interval: str, conf_level: float, alternative: str) -> None:
    """Raise InputError unless the three arguments are allowed."""
    if interval not in INTERVALS:
        raise InputError("interval", interval, f"one of {list(INTERVALS)}")
    if alternative not in ALTERNATIVES:
        raise InputError("alternative", alternative, f"one of {list(ALTERNATIVES)}")
    number = isinstance(conf_level, (int, float, np.floating)) and not isinstance(conf_level, bool)
    if not number or not 0 < conf_level < 1:
        raise InputError("conf_level", conf_level, "a number between 0 and 1")


def tail_probabilities(conf_level: float, alternative: str) -> tuple[float, float]:
    """Probabilities below the lower and below the upper limit; 0 or 1 where there is no limit."""
    if alternative == "two-sided":
        return (1 - conf_level) / 2, (1 + conf_level) / 2
    return (1 - conf_level, 1.0) if alternative == "greater" else (0.0, conf_level)


def acceleration(influence: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """BCa acceleration ``sum L^3 / (6 (sum L^2)^1.5)`` from jackknife influence values.

    Source: Efron 1987, Journal of the American Statistical Association 82:171, eq. 7.3. NaN entries are
    left out; 0 where all influence values are 0.
    """
    cubes = np.nansum(influence**3, axis=axis)
    squares = np.nansum(influence**2, axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = np.where(squares > 0, cubes / (6 * squares**1.5), 0.0)
    return out


def confidence_interval(
    r: Replicates,
    interval: Interval,
    *,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low and high limits ``[m]`` and the larger Monte-Carlo error of the two.

    Arguments as in :func:`confidence_limits`.
    """
    found = confidence_limits(
        r, interval, conf_level=conf_level, alternative=alternative, quantile_rule=quantile_rule
    )
    return found[0], found[1], found[2:].max(axis=0)


def confidence_limits(
    r: Replicates,
    interval: Interval,
    *,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
) -> np.ndarray:
    """Limits of m estimates and their Monte-Carlo errors.

    Parameters
    ----------
    r : Replicates
        What was resampled.
    interval : str
        ``normal`` (bias-corrected), ``basic``, ``percentile``, ``bca``, ``studentized`` or ``t``.
    conf_level : float
        Level; a one-sided limit has this level too.
    alternative : {"two-sided", "greater", "less"}
        ``greater`` gives a lower limit only, ``less`` an upper one.
    quantile_rule : {"linear", "boot"}
        See :func:`apastats.resampling.quantiles.quantiles`. ``boot`` also counts, as R does, only
        replicates strictly below the estimate for the bias correction of BCa; otherwise equal ones
        count half.

    Returns
    -------
    numpy.ndarray, ``[4, m]``
        Low, high, Monte-Carlo standard error of low and of high; errors are 0 for enumerated plans,
        for "t" and where a side is open.

    Notes
    -----
    With quantiles q of the replicates, estimate e, a = (1 - conf_level) / 2: percentile
    ``q(a), q(1 - a)``; basic ``2e - q(1 - a), 2e - q(a)``; normal ``e - bias -+ z sd``; studentized
    ``e - se t(1 - a), e - se t(a)``; bca ``q(Phi(z0 + (z0 + z) / (1 - acc (z0 + z))))`` (Davison and
    Hinkley 1997, chapter 5; Efron 1987).
    """
    check_interval(interval, conf_level, alternative)
    low_p, high_p = tail_probabilities(conf_level, alternative)
    m = len(r.estimate)
    out = np.zeros((4, m))
    if interval == "t":
        if r.std_error is None or r.df is None:
            raise InputError("interval", interval, "an interval that needs no standard error")
        with np.errstate(invalid="ignore"):
            out[0] = r.estimate + r.std_error * _student(r.df, low_p)
            out[1] = r.estimate + r.std_error * _student(r.df, high_p)
        return out
    if interval == "normal":
        _, mean, sd = moments(r.values, r.weights, axis=-1)
        centre = 2 * r.estimate - mean
        size = r.values.shape[1]
        for side, p in enumerate((low_p, high_p)):
            with np.errstate(invalid="ignore"):
                out[side] = centre + sd * ndtri(p)
            if r.weights is None and 0 < p < 1:
                # var(mean) + z^2 var(sd), the latter for a normal distribution of the replicates
                out[side + 2] = sd * np.sqrt((1 + ndtri(p) ** 2 / 2) / size)
        return out
    if interval == "studentized":
        if r.std_error is None or r.t_values is None:
            raise InputError("interval", interval, "an interval that needs no standard error")
        q, error = _two_quantiles(r.t_values, r.weights, 1 - high_p, 1 - low_p, quantile_rule)
        with np.errstate(invalid="ignore"):
            # a standard error of 0 is an interval of no width, whatever the quantile
            out[:2] = np.where(r.std_error == 0, r.estimate, r.estimate - r.std_error * q[::-1])
        out[2:] = r.std_error * error[::-1]
    elif interval == "basic":
        q, out[3:1:-1] = _two_quantiles(r.values, r.weights, 1 - high_p, 1 - low_p, quantile_rule)
        out[:2] = 2 * r.estimate - q[::-1]
    else:
        low: np.ndarray | float = low_p
        high: np.ndarray | float = high_p
        steps = None
        if interval == "bca":
            low, high, steps = _bca_levels(r, low_p, high_p, quantile_rule)
        out[:2], out[2:] = _two_quantiles(r.values, r.weights, low, high, quantile_rule, steps)
    out[:2] = _open(out[0], out[1], low_p, high_p)
    return out


def _student(df: np.ndarray, p: float) -> np.ndarray:
    """Quantile of Student's t; infinite at 0 and 1."""
    if p in (0.0, 1.0):
        return np.full(len(df), np.inf if p else -np.inf)
    out: np.ndarray = stdtrit(df, p)
    return out


def _open(
    low: np.ndarray, high: np.ndarray, low_p: float, high_p: float
) -> tuple[np.ndarray, np.ndarray]:
    """Make the side without a limit infinite."""
    if low_p == 0:
        low = np.where(np.isnan(high), np.nan, -np.inf)
    if high_p == 1:
        high = np.where(np.isnan(low), np.nan, np.inf)
    return low, high


def _two_quantiles(
    values: np.ndarray,
    weights: np.ndarray | None,
    low: np.ndarray | float,
    high: np.ndarray | float,
    rule: QuantileRule,
    step: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles at two probabilities per row and their Monte-Carlo errors, both ``[2, m]``.

    ``step [m, 2]`` is the error of the probabilities, that of an empirical distribution by default.
    """
    m, size = values.shape
    p = np.column_stack([np.broadcast_to(low, (m,)), np.broadcast_to(high, (m,))])
    if weights is not None:
        inside = (p > 0) & (p < 1)
        q = quantiles(values, np.where(inside, p, np.nan), weights, rule)
        return q.T, np.zeros((2, m))
    # order statistics one standard error of the empirical distribution to either side
    if step is None:
        step = np.sqrt(p * (1 - p) / size)
    grid = np.hstack([p, np.clip(p - step, 0, 1), np.clip(p + step, 0, 1)])
    q = quantiles(values, grid, None, rule)
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num((q[:, 4:] - q[:, 2:4]) / 2, nan=0.0, posinf=np.inf)
    return q[:, :2].T, spread.T


def _bca_levels(
    r: Replicates, low_p: float, high_p: float, rule: QuantileRule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adjusted probabilities of the two limits ``[m]``, and their Monte-Carlo error ``[m, 2]``.

    The probability and the place it is looked up at come from the same replicates. With F the
    distribution of the replicates, s its value at the estimate, q the adjusted probability and d its
    derivative by s, the error is ``var(F(q) - d s)``, with ``cov(F(q), s) = min(q, s) - q s`` over B.
    """
    if r.acceleration is None:
        raise InputError("interval", "bca", "an interval that needs no acceleration")
    share = mass_below(
        r.values,
        r.estimate,
        r.weights,
        ties=0.0 if rule == "boot" else 0.5,
        tolerance=r.tolerance,
    )
    z0 = ndtri(share)
    levels, steps = [], []
    for p in (low_p, high_p):
        if p in (0.0, 1.0):
            levels.append(np.full(len(z0), p))
            steps.append(np.zeros(len(z0)))
            continue
        z = z0 + ndtri(p)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            bend = 1 - r.acceleration * z
            there = z0 + z / bend
            q = ndtr(there)
            d = np.exp((z0**2 - there**2) / 2) * (1 + 1 / bend**2)
            variance = q * (1 - q) + d**2 * share * (1 - share)
            variance -= 2 * d * (np.minimum(q, share) - q * share)
        levels.append(q)
        steps.append(np.sqrt(np.maximum(variance, 0) / r.values.shape[1]))
    return levels[0], levels[1], np.nan_to_num(np.stack(steps, axis=1), posinf=0.0)
