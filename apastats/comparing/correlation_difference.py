"""Two models against one brain: correlations that share a profile, with a margin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from apastats.arguments import applies, choice, flag, number, whole
from apastats.comparing.choices import combine
from apastats.comparing.correlation_tost import (
    _tested,
    correlation_margin,
    finish_correlation,
    profiles,
)
from apastats.comparing.decisions import check_alpha, check_hypothesis
from apastats.comparing.equivalence import EquivalenceResult
from apastats.comparing.margin import Margin
from apastats.errors import DesignError, InputError
from apastats.numbers.correlation import pearson
from apastats.numbers.fisher import (
    difference_limits,
    difference_root,
    z_difference,
)
from apastats.numbers.moments import rounding
from apastats.numbers.ranks import midranks
from apastats.numbers.shared_correlations import null_limits, null_p
from apastats.numbers.tested import Tested, with_wide
from apastats.recording import verb
from apastats.resampling.intervals import INTERVALS
from apastats.resampling.one_sample import Resampled, located_by_replicates, replicate_p
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.resampling.quantiles import QuantileRule
from apastats.seeds import RngLike, recorded_seed, seed_sequence

__all__ = [
    "bootstrap_claims",
    "correlation_difference",
    "steiger_error",
    "williams",
    "williams_error",
]


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
    se = float(williams_error(r12, r13, r23, n))
    return (r12 - r13 - difference) / se, n - 3.0


def williams_error(r12: ArrayLike, r13: ArrayLike, r23: ArrayLike, n: int) -> np.ndarray:
    """Standard error of ``r12 - r13`` by Williams; any shape."""
    r12, r13, r23 = (np.asarray(v, dtype=float) for v in (r12, r13, r23))
    determinant = 1 - r12**2 - r13**2 - r23**2 + 2 * r12 * r13 * r23
    mean = (r12 + r13) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - r23) ** 3) / (
            (n - 1) * (1 + r23)
        )
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def steiger_error(r12: ArrayLike, r13: ArrayLike, r23: ArrayLike, n: int) -> np.ndarray:
    """Standard error of ``r12 - r13`` from the large-sample covariances (Olkin and Siotani 1976); any shape."""
    r12, r13, r23 = (np.asarray(v, dtype=float) for v in (r12, r13, r23))
    covariance = r23 * (1 - r12**2 - r13**2) - r12 * r13 * (1 - r12**2 - r13**2 - r23**2) / 2
    variance = ((1 - r12**2) ** 2 + (1 - r13**2) ** 2 - 2 * covariance) / (n - 1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


@verb
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
    small_sample: bool = True,
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
        ``williams``: ordinary test by Williams' t. ``steiger``: statistic with the large-sample covariance at the
        estimates. ``bootstrap``: items resampled, both models and the brain together.
    interval, quantile_rule, n_resamples, rng, plan
        Settings of the bootstrap; ``studentized`` uses the ``steiger`` standard error of each resample.
    hypothesis, alpha
        As in :func:`apastats.tost`.
    small_sample : bool
        Whether the tests against the bounds are calibrated for the number of items (see Notes). False: the shifted t of
        Williams, the normal test of Steiger, or the plain bootstrap; all are liberal at a bound other than 0 with
        few items (up to 20 % false claims at a nominal 5 %).

    Returns
    -------
    EquivalenceResult

        Columns: ``contrast`` (what is subtracted from what), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval),
        ``conf_low_difference`` (lower limit beside the ordinary test), ``conf_high_difference`` (upper limit
        beside the ordinary test), ``conf_level_difference`` (level of that interval), ``bound_low`` (lower
        margin), ``bound_high`` (upper margin), ``statistic_low`` (statistic against the lower margin),
        ``statistic_high`` (statistic against the upper margin), ``p_value_noninf`` (p-value against the lower
        margin), ``p_value_nonsup`` (p-value against the upper margin), ``p_value_equiv`` (p-value of
        equivalence, the larger of the one-sided ones), ``r_x`` (first correlation), ``r_y`` (second
        correlation), ``r_xy`` (correlation of the two predictors), ``decision`` (equivalent, different, ...,
        or undecided), ``n_item`` (stimuli or units of it), ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If there are fewer than five items or a profile is constant.
    InputError
        If an argument is not allowed.

    See Also
    --------
    correlation_tost, correlation_difference_summary

    Notes
    -----
    Both correlations share the brain, so they are dependent; treating them as independent gives intervals that are
    too wide by far. See :func:`williams` for the formula.

    Calibration: at a bound the sampling distribution of the difference is skewed, and its standard error goes with it.
    The statistic is therefore compared with its own distribution under normal profiles whose correlations differ by
    exactly the bound and are otherwise the most likely ones (a parametric bootstrap under the null, on 8,192 evenly
    spaced fixed points: no seed, p-values not below 1 / 8,193). The interval holds all differences that these tests do
    not reject. Spearman's correlation has a variance 6 % larger (Fieller, Hartley and Pearson 1957). The bootstrap
    claims only what the calibrated ``williams`` test claims too.

    References
    ----------
    .. [1] Steiger, J. H. (1980). Tests for comparing elements of a correlation matrix. Psychological
       Bulletin, 87(2), 245–251. https://doi.org/10.1037/0033-2909.87.2.245

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
    choice("method", method, ("pearson", "spearman"))
    choice("test", test, ("williams", "steiger", "bootstrap"))
    sampling: dict[str, Any] = {"to": ["bootstrap"], "chosen": test}
    applies("interval", interval, **sampling, default="bca")
    choice("interval", interval, tuple(k for k, v in INTERVALS.items() if v.p_value))
    applies("quantile_rule", quantile_rule, **sampling, default="linear")
    applies("n_resamples", n_resamples, **sampling, default="auto")
    applies("plan", plan, **sampling)
    a, b, c = profiles({"x": x, "y": y, "brain": brain})
    n = len(a)
    triple = np.stack([a, b, c])
    if method == "spearman":
        triple = midranks(triple, rounding(triple, axis=1), axis=1)
    rx, ry, rxy = (
        pearson(triple[0], triple[2]),
        pearson(triple[1], triple[2]),
        pearson(triple[0], triple[1]),
    )
    seen = rx, ry, rxy
    # ranks carry a little less information (Fieller, Hartley and Pearson 1957)
    inflate = float(np.sqrt(1.06)) if method == "spearman" and small_sample else 1.0
    seed, resampled = "", ""
    if test == "bootstrap":
        root = seed_sequence(rng)
        plan = subject_counts(n, n_resamples, root) if plan is None else plan
        if plan.n != n:
            raise InputError("plan", f"a plan of {plan.n} units", f"one of {n} units")
        drawn: Plan = plan

        def make(level: float) -> Tested:
            found = _bootstrap(triple, drawn, margin, level, interval, quantile_rule)
            if not small_sample:
                return found
            return _both(found, _by_formula(seen, n, "williams", margin, level, True, inflate))

        tested = with_wide(make, alpha)
        seed, resampled = (recorded_seed(root) if not plan.exact else ""), "items, with replacement"
    else:
        tested = with_wide(
            lambda level: _by_formula(seen, n, test, margin, level, small_sample, inflate), alpha
        )
    found = finish_correlation(
        tested,
        margin,
        alpha,
        hypothesis,
        f"difference of dependent {method} correlations, {test}{WORDS[test, small_sample]}",
        n,
        contrast="r(x, brain) - r(y, brain)",
        estimand="difference of dependent correlations",
        resampled=resampled,
        seed=seed,
        beside={"r_x": rx, "r_y": ry, "r_xy": rxy},
    )
    if test != "bootstrap" or plan is None:
        return found
    return replace(found, info=found.info.but(n_resamples=plan.n_resamples, exact=plan.exact))


WORDS = {
    ("williams", True): "; bounds calibrated under normal profiles",
    ("steiger", True): "; calibrated under normal profiles",
    ("bootstrap", True): " and the calibrated williams test, claimed by both",
    ("williams", False): ", uncalibrated t",
    ("steiger", False): ", uncalibrated normal test",
    ("bootstrap", False): " without calibration",
}


def _by_formula(
    seen: tuple[float, float, float],
    n: int,
    test: str,
    margin: Margin,
    alpha: float,
    calibrated: bool,
    inflate: float,
) -> Tested:
    """Tests by the standard error of Williams or of Steiger, against its formula or against its null distribution."""
    error = williams_error if test == "williams" else steiger_error
    se = float(error(*seen, n)) * inflate
    if not se > 0:
        raise DesignError(
            "x, y: the two profiles are the same, or mirrored; their difference has no standard error"
        )
    tested = _t_tested(
        seen[0] - seen[1], se, n - 3.0 if test == "williams" else np.inf, margin, alpha
    )
    if not calibrated:
        return tested
    r12, r13, r23 = (np.array([v]) for v in seen)
    above_low, below_low = null_p((r12, r13, r23), margin.low, n, error, inflate=inflate)
    above_high, below_high = null_p((r12, r13, r23), margin.high, n, error, inflate=inflate)
    low, high = null_limits((r12, r13, r23), n, error, alpha, inflate=inflate)
    p = tested.p_value
    if test == "steiger":
        p = np.minimum(
            1.0, 2 * np.minimum(*null_p((r12, r13, r23), 0.0, n, error, inflate=inflate))
        )
    return replace(
        tested,
        p_value=p,
        conf_low=np.array([low]),
        conf_high=np.array([high]),
        p_low=above_low,
        p_high=below_high,
        p_below=below_low,
        p_above=above_high,
    )


def _both(first: Tested, second: Tested) -> Tested:
    """What both tests claim: the larger p-values, the hull of the intervals."""
    # both claim: an intersection-union test, its p-value the larger of the two; the interval holds whatever one of
    # them does not reject
    larger = {
        k: np.maximum(getattr(first, k), getattr(second, k))
        for k in ("p_value", "p_low", "p_high", "p_below", "p_above", "conf_high")
    }
    return replace(first, **larger, conf_low=np.minimum(first.conf_low, second.conf_low))


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


def _resampled(triple: np.ndarray, plan: Plan) -> Resampled:
    """Replicates of the difference of the correlations of profiles 1 and 2 with profile 3; items are resampled."""
    n = triple.shape[1]

    def correlations(weights: np.ndarray) -> np.ndarray:
        # a resample is a weight of every item: moments are products with the weights. Profiles are standardised
        # first, since second moments less squared means would lose the digits of a large mean
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

    whole = correlations(np.ones((1, n)))
    estimate = whole[0] - whole[1]
    replicates = correlations(plan.matrix)
    usable = np.isfinite(replicates).all(axis=0)
    replicates = replicates[:, usable]
    shift = replicates[0] - replicates[1] - estimate
    weights = None if plan.uniform else plan.weights[usable] / plan.weights[usable].sum()
    spread = steiger_error(replicates[0], replicates[1], replicates[2], n)
    with np.errstate(invalid="ignore", divide="ignore"):
        # a resample of few distinct items has profiles on a line and no spread: it is beyond any limit, on its side
        t_star = np.where(spread > 0, shift / spread, np.sign(shift) * 1e300)
    without = correlations(np.ones((n, n)) - np.eye(n))
    influence = (n - 1) * (estimate - (without[0] - without[1]))
    draws = float(len(shift)) if weights is None else float(n) ** n

    return Resampled(
        estimate,
        steiger_error(whole[0], whole[1], whole[2], n),
        shift[:, None],
        t_star[:, None],
        influence[:, None],
        weights,
        draws,
    )


def _bootstrap(
    triple: np.ndarray, plan: Plan, margin: Margin, alpha: float, interval: str, rule: QuantileRule
) -> Tested:
    """Bootstrap tests of the difference about 0 and about the bounds."""
    r = _resampled(triple, plan)
    about = [
        located_by_replicates(
            replace(r, estimate=r.estimate - b), alpha, interval=interval, quantile_rule=rule
        )
        for b in (0.0, margin.low, margin.high)
    ]
    return combine(about[0], about[0], about[1], about[2], 0)


def bootstrap_claims(
    triple: np.ndarray, plan: Plan, bound: float, interval: str
) -> tuple[float, float, float]:
    """p-values of the plain bootstrap: above the bound, below it, and different from it."""
    r = _resampled(triple, plan)
    above, below, two = replicate_p(replace(r, estimate=r.estimate - bound), interval)[:, 0]
    return float(above), float(below), float(two)


@verb
def correlation_difference_summary(
    r1: float,
    n1: int,
    r2: float,
    n2: int,
    *,
    bounds: Any = None,
    scale: str = "r",
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
    small_sample: bool = True,
) -> EquivalenceResult:
    """Test the difference of two independent correlations against bounds.

    Parameters
    ----------
    r1, n1, r2, n2 : float, int, float, int
        Correlations and their numbers of items.
    bounds : float or (float, float)
        The margin; there is no default. In correlations for ``scale="r"``. For ``scale="z"`` on Fisher's z scale.
    scale : {"r", "z"}
        ``r``: bounds on ``r1 - r2``. ``z``: bounds on ``atanh(r1) - atanh(r2)``; a distance of 0.2 in z is one of 0.2
        in r only near 0.
    hypothesis, alpha
        As in :func:`apastats.tost`.
    small_sample : bool
        Whether the test is corrected for few items (see Notes). False: for ``r`` the normal test with standard errors
        ``(1 - r^2) / sqrt(n - 2)`` (Kraatz 2007), which is liberal away from 0 (12 % with 8 items for correlations of
        0.85 and 0.3); for ``z`` Fisher's.

    Returns
    -------
    EquivalenceResult

        Columns: ``contrast`` (what is subtracted from what), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval),
        ``conf_low_difference`` (lower limit beside the ordinary test), ``conf_high_difference`` (upper limit
        beside the ordinary test), ``conf_level_difference`` (level of that interval), ``bound_low`` (lower
        margin), ``bound_high`` (upper margin), ``statistic_low`` (statistic against the lower margin),
        ``statistic_high`` (statistic against the upper margin), ``p_value_noninf`` (p-value against the lower
        margin), ``p_value_nonsup`` (p-value against the upper margin), ``p_value_equiv`` (p-value of
        equivalence, the larger of the one-sided ones), ``decision`` (equivalent, different, ..., or
        undecided), ``n_item`` (stimuli or units of it), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If a number is impossible.

    See Also
    --------
    correlation_difference

    Notes
    -----
    ``r``: Fisher's z knows no difference of correlations, so the pair of true correlations that differ by the bound and
    lie closest to the data on the z scale (bias included) is found; the root of its squared distance is the statistic,
    a standard normal. The interval holds the differences that are not rejected. ``z``: the bias ``r / (2 (n - 1))``
    is taken off each z.

    References
    ----------
    .. [1] Steiger, J. H. (1980). Tests for comparing elements of a correlation matrix. Psychological
       Bulletin, 87(2), 245–251. https://doi.org/10.1037/0033-2909.87.2.245

    Examples
    --------
    >>> found = correlation_difference_summary(0.42, 40, 0.38, 44, bounds=0.2)
    >>> found.tidy()["p_value_equiv"].round(4).item()
    0.1971
    """
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    choice("scale", scale, ("r", "z"))
    margin = correlation_margin(bounds, 2.0 if scale == "r" else np.inf)
    for name, r, n in (("r1", r1, n1), ("r2", r2, n2)):
        number(name, r, above=-1, below=1)
        whole(name.replace("r", "n"), n, least=5)
    few = flag("small_sample", small_sample)
    nulls = (0.0, margin.low, margin.high)
    if scale == "r":
        d = r1 - r2
        # delta method: r has variance (1 - rho^2)^2 / n, and independent samples add
        se = float(np.sqrt((1 - r1**2) ** 2 / (n1 - 2) + (1 - r2**2) ** 2 / (n2 - 2)))
    else:
        d, se = z_difference(r1, n1, r2, n2, small_sample=False)
    if few and scale == "r":
        roots = [difference_root(r1, n1, r2, n2, b) for b in nulls]
        limits = [difference_limits(r1, n1, r2, n2, a) for a in (alpha, alpha / 2)]
    else:
        centre = z_difference(r1, n1, r2, n2, small_sample=few)[0] if scale == "z" else d
        roots = [(centre - b) / se for b in nulls]
        halves = [float(ndtri(1 - a)) * se for a in (alpha, alpha / 2)]
        limits = [(centre - half, centre + half) for half in halves]
    t, low, high = roots
    tested = _tested(
        d,
        se,
        np.inf,
        (t, float(ndtr(-t)), float(ndtr(t))),
        (low, float(ndtr(-low))),
        (high, float(ndtr(high))),
        limits[0],
    )
    wide_low, wide_high = (np.array([v]) for v in limits[1])
    tested = replace(tested, wide_low=wide_low, wide_high=wide_high)
    how = "Fisher z" + (", corrected for few items" if few else "")
    if scale == "r":
        how = "distance from the bound on the z scale" if few else "Kraatz"
    name = f"difference of independent correlations ({how})"
    return finish_correlation(
        tested,
        margin,
        alpha,
        hypothesis,
        name,
        int(min(n1, n2)),
        contrast="r1 - r2",
        estimand="difference of independent correlations",
    )
