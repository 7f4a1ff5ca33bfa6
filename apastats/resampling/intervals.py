"""Confidence intervals from replicates: normal, basic, percentile, bca, studentized and t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from apastats.arguments import choice, level
from apastats.calls import not_among
from apastats.errors import InputError
from apastats.numbers.moments import moments
from apastats.resampling.quantiles import QuantileRule, mass_below, quantiles

__all__ = [
    "ALTERNATIVES",
    "INTERVALS",
    "IntervalType",
    "Interval",
    "Replicates",
    "acceleration",
    "check_interval",
    "confidence_interval",
    "confidence_limits",
    "interval_p",
    "replicate_sd",
    "tail_probabilities",
    "tests_by_inversion",
]

Interval: TypeAlias = (
    str  # a key of INTERVALS, which is open: a Literal would have to be kept beside it
)
Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
# interval -> [4, m]: low, high, and the Monte-Carlo error of each
Limits: TypeAlias = dict[str, np.ndarray]

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
    ties : float or None
        Share with which these count for the bias of "bca"; None: as the quantile rule has it.
    """

    estimate: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None
    std_error: np.ndarray | None = None
    t_values: np.ndarray | None = None
    acceleration: np.ndarray | None = None
    df: np.ndarray | None = None
    tolerance: np.ndarray | float = 0.0
    ties: float | None = None


def check_interval(interval: str, conf_level: float, alternative: str) -> None:
    """Raise InputError unless the three arguments are allowed."""
    choice("interval", interval, INTERVALS)
    choice("alternative", alternative, ALTERNATIVES)
    level("conf_level", conf_level)


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
    with np.errstate(invalid="ignore"):
        out = INTERVALS[interval].limits(r, low_p, high_p, quantile_rule)
    if interval not in ("t", "normal"):
        out[:2] = _open(out[0], out[1], low_p, high_p)
    return out


def _t_limits(r: Replicates, low_p: float, high_p: float, rule: QuantileRule) -> np.ndarray:
    if r.std_error is None or r.df is None:
        raise InputError("interval", "t", "an interval that needs no standard error")
    out = np.zeros((4, len(r.estimate)))
    for side, p in enumerate((low_p, high_p)):
        out[side] = r.estimate + r.std_error * _student(r.df, p)
    return out


def _normal_limits(r: Replicates, low_p: float, high_p: float, rule: QuantileRule) -> np.ndarray:
    out = np.zeros((4, len(r.estimate)))
    _, mean, sd = moments(r.values, r.weights, axis=-1)
    centre = 2 * r.estimate - mean
    for side, p in enumerate((low_p, high_p)):
        out[side] = centre + sd * ndtri(p)
        if r.weights is None and 0 < p < 1:
            # var(mean) + z^2 var(sd), the latter for a normal distribution of the replicates
            out[side + 2] = sd * np.sqrt((1 + ndtri(p) ** 2 / 2) / r.values.shape[1])
    return out


def _studentized_limits(
    r: Replicates, low_p: float, high_p: float, rule: QuantileRule
) -> np.ndarray:
    if r.std_error is None or r.t_values is None:
        raise InputError("interval", "studentized", "an interval that needs no standard error")
    q, error = _two_quantiles(r.t_values, r.weights, 1 - high_p, 1 - low_p, rule)
    # a standard error of 0 is an interval of no width, whatever the quantile
    limits = np.where(r.std_error == 0, r.estimate, r.estimate - r.std_error * q[::-1])
    return np.concatenate([limits, r.std_error * error[::-1]])


def _basic_limits(r: Replicates, low_p: float, high_p: float, rule: QuantileRule) -> np.ndarray:
    q, error = _two_quantiles(r.values, r.weights, 1 - high_p, 1 - low_p, rule)
    return np.concatenate([2 * r.estimate - q[::-1], error[::-1]])


def _percentile_limits(
    r: Replicates, low_p: float, high_p: float, rule: QuantileRule
) -> np.ndarray:
    return np.concatenate(_two_quantiles(r.values, r.weights, low_p, high_p, rule))


def _bca_limits(r: Replicates, low_p: float, high_p: float, rule: QuantileRule) -> np.ndarray:
    low, high, steps = _bca_levels(r, low_p, high_p, rule)
    return np.concatenate(_two_quantiles(r.values, r.weights, low, high, rule, steps))


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


def _below_estimate(r: Replicates, rule: QuantileRule) -> np.ndarray:
    """Share of replicates below the estimate; ``z0 = Phi^-1`` of it is the bias of BCa."""
    ties = r.ties if r.ties is not None else 0.0 if rule == "boot" else 0.5
    return mass_below(r.values, r.estimate, r.weights, ties=ties, tolerance=r.tolerance)


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
    share = _below_estimate(r, rule)
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


def _share(hit: np.ndarray, weights: np.ndarray | None, draws: float) -> np.ndarray:
    """Share of resamples ``[B, m]`` that hit, never 0: one of the equally likely draws is added."""
    found = hit.mean(axis=0) if weights is None else weights @ hit
    return np.asarray((found * draws + 1) / (draws + 1))


def _shares(above: np.ndarray, below: np.ndarray, r: Replicates, draws: float) -> np.ndarray:
    return np.stack([_share(hit, r.weights, draws) for hit in (above, below)])


def _studentized_p(r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    t = estimate / r.std_error
    drawn = np.asarray(r.t_values).T
    return _shares(drawn >= t, drawn <= t, r, draws)


def _basic_p(r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    # the reflected replicate: 2 estimate - estimate* = estimate - shift
    return _shares(estimate <= r.values.T, estimate >= r.values.T, r, draws)


def _percentile_p(r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    return _shares(-estimate >= r.values.T, -estimate <= r.values.T, r, draws)


def _normal_p(r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    shift = r.values.T
    bias = shift.mean(axis=0) if r.weights is None else r.weights @ shift
    score = (estimate - bias) / replicate_sd(shift, r.weights)
    return np.stack([ndtr(-score), ndtr(score)])


def _bca_p(r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    """Percentile shares moved by the bias and acceleration terms (the interval solved for its level)."""
    z0, a = ndtri(_below_estimate(r, "linear")), np.asarray(r.acceleration)
    below = mass_below(r.values, -estimate, r.weights, ties=0.5, tolerance=r.tolerance)
    # half a draw on either side keeps the share away from 0 and 1
    u = ndtri((below * draws + 0.5) / (draws + 1)) - z0
    # u + z0 = z0 + (z0 + z) / (1 - a (z0 + z)) solved for z
    p = ndtr(u / (1 + a * u) - z0)
    return np.stack([p, 1 - p])


def replicate_sd(shift: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Standard deviation of replicates ``[B, m]``: divisor B - 1 where sampled."""
    if weights is None:
        return np.asarray(shift.std(axis=0, ddof=1))
    return np.sqrt(np.maximum(weights @ shift**2 - (weights @ shift) ** 2, 0.0))


def interval_p(interval: str, r: Replicates, estimate: np.ndarray, draws: float) -> np.ndarray:
    """p-values (above 0, below 0, two-sided) ``[3, m]`` by inverting an interval.

    ``r`` holds replicates minus their estimate (so ``r.estimate`` is 0), ``draws`` the equally likely draws behind
    them.
    """
    invert = INTERVALS[interval].p_value
    if invert is None:
        raise not_among("interval", interval, tests_by_inversion())
    with np.errstate(divide="ignore", invalid="ignore"):
        one = invert(r, estimate, draws)
    # twice the smaller one; a normal score has no atom to exceed 1 with
    return np.vstack([one, np.minimum(1.0, 2 * np.minimum(one[0], one[1]))[None]])


@dataclass(frozen=True)
class IntervalType:
    """One kind of interval from replicates.

    Attributes
    ----------
    limits : callable
        ``(replicates, low_p, high_p, rule) -> [4, m]``: limits at two probabilities, and their Monte-Carlo errors.
    p_value : callable or None
        ``(centred replicates, estimate, draws) -> [2, m]``: the one-sided p-values of "above 0" and "below 0" that
        invert it; None where no test goes with it.
    pivotal : bool
        Whether its own t takes care of few units; the levels of the others are corrected.
    invariant : bool
        Whether it respects transformations, so that no scale has to be chosen.
    """

    limits: Callable[[Replicates, float, float, QuantileRule], np.ndarray]
    p_value: Callable[[Replicates, np.ndarray, float], np.ndarray] | None = None
    pivotal: bool = False
    invariant: bool = False


INTERVALS: dict[str, IntervalType] = {
    "normal": IntervalType(_normal_limits, _normal_p),
    "basic": IntervalType(_basic_limits, _basic_p),
    "percentile": IntervalType(_percentile_limits, _percentile_p, invariant=True),
    "bca": IntervalType(_bca_limits, _bca_p, invariant=True),
    "studentized": IntervalType(_studentized_limits, _studentized_p, pivotal=True),
    "t": IntervalType(_t_limits, pivotal=True),
}


def tests_by_inversion() -> list[str]:
    """Intervals that a bootstrap test can invert."""
    return [name for name, entry in INTERVALS.items() if entry.p_value is not None]


def from_replicates() -> list[str]:
    """Intervals that resamples are drawn for: all but t."""
    return [name for name in INTERVALS if name != "t"]
