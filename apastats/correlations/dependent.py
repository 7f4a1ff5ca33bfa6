"""Two models against one brain: correlations that share a profile, with a margin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from apastats.correlations.verbs import correlation_margin, finish_correlation, pearson, profiles
from apastats.errors import DesignError, InputError
from apastats.margins.kinds import Margin
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.resampling.quantiles import QuantileRule
from apastats.results import describe_call
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.tosts.choices import combine
from apastats.tosts.decisions import Tested, check_alpha, check_hypothesis
from apastats.tosts.location import Located, midranks
from apastats.tosts.resampled import Resampled, located_by_replicates
from apastats.tosts.tables import EquivalenceResult

__all__ = ["correlation_difference", "steiger_error", "williams", "williams_error"]


def williams(
    r12: float, r13: float, r23: float, n: int, difference: float = 0.0
) -> tuple[float, float]:
    """Williams' t of ``r12 - r13`` (both with profile 1), shifted by a difference, and its df.

    Notes
    -----
    ``t = (r12 - r13 - delta) / se`` with ``se^2 = (2 (n-1)/(n-3) |R| + m^2 (1-r23)^3) / ((n-1)(1+r23))``, ``m`` the
    mean of both correlations, ``|R|`` the determinant, ``n - 3`` df (Williams 1959; Steiger 1980, eq. 7). At a
    difference other than 0 the t distribution is approximate: the standard error is that of equal correlations.

    Examples
    --------
    >>> t, df = williams(0.245, 0.415, 0.741, 24)
    >>> round(t, 3), df
    (-1.195, 21.0)
    """
    se = williams_error(r12, r13, r23, n)
    return (r12 - r13 - difference) / se, n - 3.0


def williams_error(r12: float, r13: float, r23: float, n: int) -> float:
    """Standard error of ``r12 - r13`` by Williams."""
    determinant = 1 - r12**2 - r13**2 - r23**2 + 2 * r12 * r13 * r23
    mean = (r12 + r13) / 2
    variance = (2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - r23) ** 3) / (
        (n - 1) * (1 + r23)
    )
    return float(np.sqrt(max(variance, 0.0)))


def steiger_error(r12: float, r13: float, r23: float, n: int) -> float:
    """Standard error of ``r12 - r13`` from the large-sample covariances (Olkin and Siotani 1976), as they are."""
    covariance = r23 * (1 - r12**2 - r13**2) - r12 * r13 * (1 - r12**2 - r13**2 - r23**2) / 2
    variance = ((1 - r12**2) ** 2 + (1 - r13**2) ** 2 - 2 * covariance) / (n - 1)
    return float(np.sqrt(max(variance, 0.0)))


def correlation_difference(
    x: ArrayLike,
    y: ArrayLike,
    brain: ArrayLike,
    *,
    bounds: Any = None,
    method: str = "pearson",
    test: str = "williams",
    interval: str = "bca",
    quantile_rule: QuantileRule = "linear",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    plan: Plan | None = None,
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
) -> EquivalenceResult:
    """Compare two models' correlations with one brain profile, with a margin.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Profiles of the two models.
    brain : array_like, shape (n,)
        The profile both are correlated with.
    bounds : float or (float, float)
        The margin on ``r(x, brain) - r(y, brain)``; there is no default.
    method : {"pearson", "spearman"}
        Correlation.
    test : {"williams", "steiger", "bootstrap"}
        ``williams``: ordinary test by Williams' t, the bounds by the same t shifted. ``steiger``: normal test with the
        large-sample covariance at the estimates, better for bounds far from 0 and many items. ``bootstrap``:
        items resampled, both models and the brain together.
    interval, quantile_rule, n_resamples, rng, plan
        Settings of the bootstrap; ``studentized`` uses the ``steiger`` standard error of each resample.
    hypothesis, alpha
        As in :func:`apastats.tost`.

    Returns
    -------
    EquivalenceResult

    Raises
    ------
    DesignError
        If there are fewer than five items or a profile is constant.
    InputError
        If an argument is not allowed.

    Notes
    -----
    Both correlations share the brain, so they are dependent; treating them as independent gives intervals that are
    too wide by far. See :func:`williams` for the formula.

    Examples
    --------
    >>> brain = [1, 2, 3, 4, 5, 6, 7, 8]
    >>> found = correlation_difference(
    ...     [1, 3, 2, 4, 6, 5, 7, 8], [2, 1, 3, 4, 5, 7, 6, 8], brain, bounds=0.1
    ... )
    >>> found.tidy()["estimate"].round(3).item()
    0.0
    """
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    margin = correlation_margin(bounds, 2.0)
    if method not in ("pearson", "spearman"):
        raise InputError("method", method, "'pearson' or 'spearman'")
    if test not in ("williams", "steiger", "bootstrap"):
        raise InputError("test", test, "'williams', 'steiger' or 'bootstrap'")
    a, b, c = profiles({"x": x, "y": y, "brain": brain})
    n = len(a)
    triple = np.stack([a, b, c])
    if method == "spearman":
        triple = midranks(triple.T).T
    rx, ry, rxy = (
        pearson(triple[0], triple[2]),
        pearson(triple[1], triple[2]),
        pearson(triple[0], triple[1]),
    )
    d = rx - ry
    seed, resampled = "", "nothing"
    if test == "bootstrap":
        root = seed_sequence(rng)
        plan = subject_counts(n, n_resamples, root) if plan is None else plan
        if plan.n != n:
            raise InputError("plan", f"a plan of {plan.n} units", f"one of {n} units")
        tested = _bootstrap(triple, plan, margin, alpha, interval, quantile_rule)
        seed, resampled = (recorded_seed(root) if not plan.exact else ""), "items, with replacement"
    else:
        se = williams_error(rx, ry, rxy, n) if test == "williams" else steiger_error(rx, ry, rxy, n)
        if not se > 0:
            raise DesignError(
                "x, y: the two profiles are the same; their difference has no standard error"
            )
        df = n - 3.0 if test == "williams" else np.inf
        tested = _t_tested(d, se, df, margin, alpha)
    call = describe_call(
        "correlation_difference", a, b, c, bounds=bounds, method=method, test=test, alpha=alpha
    )
    return finish_correlation(
        tested,
        margin,
        alpha,
        hypothesis,
        f"difference of dependent {method} correlations, {test}",
        n,
        call,
        contrast="r(x, brain) - r(y, brain)",
        resampled=resampled,
        seed=seed,
        beside={"r_x": rx, "r_y": ry, "r_xy": rxy},
    )


def _t_tested(d: float, se: float, df: float, margin: Margin, alpha: float) -> Tested:
    """T (or normal) tests of a difference against 0 and the bounds."""

    def tail(t: float) -> float:
        return float(ndtr(t) if np.isinf(df) else stdtr(df, t))

    half = se * float(ndtri(1 - alpha) if np.isinf(df) else stdtrit(df, 1 - alpha))
    t, low, high = d / se, (d - margin.low) / se, (d - margin.high) / se
    values = {
        "estimate": d,
        "std_error": se,
        "statistic": t,
        "df": df,
        "p_value": 2 * tail(-abs(t)),
        "conf_low": d - half,
        "conf_high": d + half,
        "statistic_low": low,
        "statistic_high": high,
        "p_low": tail(-low),
        "p_high": tail(high),
        "p_below": tail(low),
        "p_above": tail(-high),
        "n": 0,
    }
    return Tested(**{k: np.array([float(v)]) for k, v in values.items()})


def _bootstrap(
    triple: np.ndarray, plan: Plan, margin: Margin, alpha: float, interval: str, rule: QuantileRule
) -> Tested:
    """Bootstrap of the difference of both correlations with profile 3; items are resampled."""
    n = triple.shape[1]

    def correlations(weights: np.ndarray) -> np.ndarray:
        share = weights / weights.sum(axis=1, keepdims=True)
        z = (triple - triple.mean(axis=1, keepdims=True)) / triple.std(axis=1, keepdims=True)
        mean = share @ z.T
        pairs = [(0, 2), (1, 2), (0, 1)]
        second = {
            (i, j): share @ (z[i] * z[j]) - mean[:, i] * mean[:, j]
            for i in range(3)
            for j in range(i, 3)
        }
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([second[i, j] / np.sqrt(second[i, i] * second[j, j]) for i, j in pairs])

    def error(r: np.ndarray) -> np.ndarray:
        r12, r13, r23 = r
        covariance = r23 * (1 - r12**2 - r13**2) - r12 * r13 * (1 - r12**2 - r13**2 - r23**2) / 2
        variance = ((1 - r12**2) ** 2 + (1 - r13**2) ** 2 - 2 * covariance) / (n - 1)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    whole = correlations(np.ones((1, n)))
    estimate = whole[0] - whole[1]
    replicates = correlations(plan.matrix)
    usable = np.isfinite(replicates).all(axis=0)
    replicates = replicates[:, usable]
    shift = replicates[0] - replicates[1] - estimate
    weights = None if plan.uniform else plan.weights[usable] / plan.weights[usable].sum()
    spread = error(replicates)
    with np.errstate(invalid="ignore", divide="ignore"):
        t_star = np.where(spread > 0, shift / spread, np.sign(shift) * 1e300)
    without = correlations(np.ones((n, n)) - np.eye(n))
    influence = (n - 1) * (estimate - (without[0] - without[1]))
    draws = float(len(shift)) if weights is None else float(n) ** n

    def located(b: float) -> Located:
        r = Resampled(
            estimate - b,
            error(whole),
            shift[:, None],
            t_star[:, None],
            influence[:, None],
            weights,
            draws,
        )
        return located_by_replicates(r, alpha, interval=interval, quantile_rule=rule)

    return combine(located(0.0), located(margin.low), located(margin.high), 0)
