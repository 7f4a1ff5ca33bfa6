"""Resampling tests of location: sign flips and the bootstrap, exact where the number of subjects allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.numbers.few import few_level, few_p
from apastats.numbers.location import Located, trimmed_moments
from apastats.numbers.moments import moments
from apastats.numbers.standardised import Standardised, hedges_factor
from apastats.resampling.intervals import (
    INTERVALS,
    Replicates,
    acceleration,
    confidence_interval,
    interval_p,
    replicate_sd,
)
from apastats.resampling.plans import Plan
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.relabel import permutation_p

__all__ = [
    "Resampled",
    "bootstrap_location",
    "centred_flips",
    "located_by_replicates",
    "replicate_p",
    "resample_means",
    "sign_flip",
]

_CHUNK = 2**23  # numbers held at once


def _undefined(located: Located, sd: np.ndarray) -> Located:
    """Blank p-values and interval of columns without variation."""
    bad = ~(sd > 0)
    if not bad.any():
        return located
    blank = {
        k: np.where(bad, np.nan, getattr(located, k))
        for k in (
            "std_error",
            "statistic",
            "p_above",
            "p_below",
            "p_value",
            "conf_low",
            "conf_high",
        )
    }
    return Located(located.estimate, df=located.df, **blank)


def sign_flip(
    z: np.ndarray, alpha: float, *, plan: Plan, size: np.ndarray | float = 0.0
) -> Located:
    """Sign-flip test of the mean about 0: exact where differences are symmetric about 0.

    Flips leave the sum of squares unchanged, so the mean and the studentised mean give the same
    one-sided p-values. The interval inverts the test; its ends are means of subsets (Tukey's
    subsample means), so it is exact as well.
    """
    _, mean, sd = moments(z, size=size)
    se = sd / np.sqrt(len(z))
    signs = plan.matrix
    m = z.shape[1]
    p = np.empty((3, m))
    limits = np.empty((2, m))
    step = max(1, _CHUNK // len(signs))
    for start in range(0, m, step):
        part = slice(start, min(start + step, m))
        flipped = signs @ z[:, part] / len(z)
        for k, alternative in enumerate(("greater", "less", "two-sided")):
            p[k, part] = permutation_p(
                flipped, mean[part], exact=plan.exact, alternative=alternative
            )
        limits[:, part] = _subset_interval(signs, z[:, part], plan.exact, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = mean / se
    df = np.full(m, np.nan)
    return _undefined(Located(mean, se, t, df, p[0], p[1], p[2], limits[0], limits[1]), sd)


def _subset_interval(signs: np.ndarray, z: np.ndarray, exact: bool, alpha: float) -> np.ndarray:
    """Interval of level 1 - 2 alpha by inverting the one-sided sign-flip tests.

    Flip s of ``z - c`` reaches the mean of ``z - c`` exactly when c is at least the mean of the values
    that s turns round; "above c" is rejected where at most ``alpha R`` flips do.
    """
    turned = signs < 0
    size = turned.sum(axis=1)
    some = size > 0
    means = np.sort((turned[some] @ z) / size[some, None], axis=0)
    total = len(signs) if exact else len(signs) + 1
    always = total - len(means)  # flips that turn nobody round count for every c
    k = int(np.floor(alpha * total * (1 + 1e-12))) - always
    if k < 0:
        return np.stack([np.full(z.shape[1], -np.inf), np.full(z.shape[1], np.inf)])
    return np.stack([means[min(k, len(means) - 1)], means[max(len(means) - 1 - k, 0)]])


def centred_flips(
    z: np.ndarray,
    alpha: float,
    *,
    plan: Plan,
    trim: float = 0.0,
    small_sample: bool = True,
    size: np.ndarray | float = 0.0,
) -> Located:
    """Studentised sign flips of the centred values, plain or trimmed.

    The absolute values of ``z - mean`` get every pattern of signs; the observed t is compared with the
    t of the patterns (Janssen 1997; Chung and Romano 2013). One distribution serves all bounds; it is
    approximate, unlike :func:`sign_flip`, but close to its level in the calibration tables. The interval inverts the
    one-sided tests: it holds the values that neither rejects. ``small_sample=False``: quantiles of the flipped means,
    as in TOSTER, which contradict the tests and cover 76 to 86 % where 90 % is said.
    """
    signs = plan.matrix
    n, m = z.shape
    mean, se, _ = trimmed_moments(z, trim, size)
    observed = mean / np.where(se > 0, se, np.nan)
    p, limits = np.empty((3, m)), np.empty((2, m))
    for j in range(m):
        flips = (signs * np.abs(z[:, j] - mean[j])).T
        means, errors, _ = trimmed_moments(flips, trim)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(errors > 0, means / errors, 0.0)
        for k, alternative in enumerate(("greater", "less", "two-sided")):
            p[k, j] = permutation_p(
                t[:, None], observed[j : j + 1], exact=plan.exact, alternative=alternative
            )[0]
        # the observed t about a bound is not among the patterns: a share of 0 becomes one pattern
        p[:, j] = np.maximum(p[:, j], 1 / len(signs))
        if small_sample:
            high, low = _critical(t, alpha, plan.exact)
            with np.errstate(invalid="ignore"):  # no spread, no limit: undefined below
                limits[:, j] = mean[j] - se[j] * high, mean[j] - se[j] * low
        else:
            limits[:, j] = mean[j] + np.quantile(means, [alpha, 1 - alpha])
    # no part of the test, which refers the ratio to its patterns of signs; TOSTER lists them beside it
    df = np.full(m, n - 2 * int(np.floor(trim * n)) - 1.0)
    located = Located(mean, se, observed, df, p[0], p[1], p[2], limits[0], limits[1])
    return _undefined(located, se)


def _critical(t: np.ndarray, alpha: float, exact: bool) -> tuple[float, float]:
    """Largest and smallest observed t that the one-sided tests against these patterns do not reject."""
    k = int(np.floor(alpha * (len(t) + (not exact)) * (1 + 1e-12))) - (not exact)
    if k < 0 or alpha * len(t) < 1:  # no share is at most alpha
        return np.inf, -np.inf
    ordered = np.sort(t)
    return float(ordered[max(len(t) - 1 - k, 0)]), float(ordered[min(k, len(t) - 1)])


@dataclass(frozen=True, slots=True)
class Resampled:
    """Replicates of m estimates, centred at the estimates.

    ``shift`` ``[B, m]`` are replicate minus estimate, ``t_star`` the same studentised (or None),
    ``influence`` ``[k, m]`` jackknife influence values, ``weights`` the probabilities of an enumerated plan
    (or None), ``draws`` the number of equally likely draws behind them. ``few`` holds degrees of freedom and ratio of
    :func:`apastats.numbers.few.few_p` where the level is corrected for few units.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    shift: np.ndarray
    t_star: np.ndarray | None
    influence: np.ndarray
    weights: np.ndarray | None
    draws: float
    few: tuple[float, float] | None = None


def located_by_replicates(
    r: Resampled,
    alpha: float,
    *,
    interval: str,
    quantile_rule: QuantileRule = "linear",
    ties: float = 0.5,
) -> Located:
    """Tests about 0 and interval that both invert one kind of bootstrap interval.

    studentized: ``P(t* >= t)`` with ``t* = (estimate* - estimate) / se*``; percentile: ``P(estimate* <= 0)``;
    basic: the same after reflecting about the estimate; bca: the percentile share shifted by bias and
    acceleration; normal: a z test with the bootstrap standard error about the bias-corrected estimate. A
    share is never 0: sampled plans count ``(k + 1) / (B + 1)``, enumerated ones add one of the equally
    likely draws. ``ties`` is the share with which replicates equal to the estimate count for the bias of bca.
    All but studentized, which has its own t, are corrected for few units where ``r.few`` is given; an end whose
    level is below one draw is infinite.
    """
    few = None if INTERVALS[interval].pivotal else r.few
    level = alpha if few is None else few_level(alpha, *few)
    m = r.shift.shape[1]
    low, high, _ = confidence_interval(
        _replicates(r, ties),
        interval,  # type: ignore[arg-type]
        conf_level=1 - 2 * level,
        quantile_rule=quantile_rule,
    )
    if few is not None and interval != "normal" and level * (r.draws + 1) < 1:
        low, high = np.full(m, -np.inf), np.full(m, np.inf)
    p = replicate_p(r, interval, ties)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = r.estimate / r.std_error
    located = Located(
        r.estimate,
        replicate_sd(r.shift, r.weights),
        t,
        np.full(m, np.nan),
        p[0],
        p[1],
        p[2],
        r.estimate + low,
        r.estimate + high,
    )
    return _undefined(located, r.std_error)


def _replicates(r: Resampled, ties: float) -> Replicates:
    """The same for the intervals."""
    return Replicates(
        estimate=np.zeros(r.shift.shape[1]),
        values=r.shift.T,
        weights=r.weights,
        std_error=r.std_error,
        t_values=None if r.t_star is None else r.t_star.T,
        acceleration=acceleration(r.influence.T),
        df=None,
        tolerance=1e-12 * np.abs(r.shift).max(axis=0, initial=0.0),
        ties=ties,
    )


def replicate_p(r: Resampled, interval: str, ties: float = 0.5) -> np.ndarray:
    """p-values (above 0, below 0, two-sided) ``[3, m]`` of :func:`located_by_replicates`, without the limits."""
    p = interval_p(interval, _replicates(r, ties), r.estimate, r.draws)
    if not INTERVALS[interval].pivotal and r.few is not None:
        p[:2] = few_p(p[:2], *r.few)
        p[2] = np.minimum(1.0, 2 * np.minimum(p[0], p[1]))
    return p


def bootstrap_location(
    z: np.ndarray,
    alpha: float,
    *,
    plan: Plan,
    interval: str = "studentized",
    quantile_rule: QuantileRule = "linear",
    ties: float = 0.5,
    small_sample: bool = True,
    size: np.ndarray | float = 0.0,
) -> Located:
    """Bootstrap test of the mean about 0; see :func:`located_by_replicates`."""
    counts = plan.matrix
    step = max(1, _CHUNK // len(counts))
    sizes = np.broadcast_to(size, z.shape[1])
    parts = [
        located_by_replicates(
            resample_means(
                z[:, start : start + step], counts, plan, small_sample, sizes[start : start + step]
            ),
            alpha,
            interval=interval,
            quantile_rule=quantile_rule,
            ties=ties,
        )
        for start in range(0, z.shape[1], step)
    ]
    return Located(*(np.concatenate([getattr(q, k) for q in parts]) for k in Located.__slots__))


def one_sample_few(n: int) -> tuple[float, float]:
    """Degrees of freedom and ratio of the mean of n values."""
    return n - 1.0, float(np.sqrt((n - 1) / n))


def resample_means(
    z: np.ndarray,
    counts: np.ndarray,
    plan: Plan,
    small_sample: bool,
    size: np.ndarray | float = 0.0,
) -> Resampled:
    """Replicates of the column means and their t values."""
    n = len(z)
    _, mean, sd = moments(z, size=size)
    centred = z - mean
    total = counts.sum(axis=1)[:, None]
    shift = counts @ centred / total
    square = counts @ (centred * centred) / total
    variance = square - shift * shift
    variance[variance <= 1e-13 * square] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t_star = shift / np.sqrt(variance / (total - 1))
    t_star[np.abs(shift) <= 1e-12 * np.abs(centred).max(axis=0)] = 0.0
    weights = None if plan.uniform else plan.weights
    draws = float(len(counts)) if weights is None else float(n) ** n
    few = one_sample_few(n) if small_sample else None
    return Resampled(mean, sd / np.sqrt(n), shift, t_star, centred, weights, draws, few)


def bootstrap_standardised(
    x: np.ndarray,
    y: np.ndarray | None,
    plan: Plan,
    *,
    unbiased: bool,
    alpha: float,
    interval: str,
    quantile_rule: QuantileRule,
    ties: float,
    name: str,
    small_sample: bool = True,
) -> Standardised:
    """Standardised mean (difference) of one sample or of pairs with a bootstrap interval.

    Studentised by the standard error of Goulet-Pelletier and Cousineau (2018), eq. 4b.
    """
    counts = plan.matrix
    n = len(x)

    def measure(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = c.sum(axis=1)
        factor = float(hedges_factor(total[0] - 1)) if unbiased else 1.0

        def moment(v: np.ndarray) -> np.ndarray:
            out: np.ndarray = c @ v / total
            return out

        d = x if y is None else x - y
        centred = d - d.mean()
        mean, square = moment(centred), moment(centred**2)
        variance = (square - mean**2) * total / (total - 1)
        variance[variance <= 1e-13 * square] = np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            g = (mean + d.mean()) / np.sqrt(variance) * factor
            if y is None:
                return g, np.sqrt(1 / n + g**2 / (2 * n))
            a, b = x - x.mean(), y - y.mean()
            ma, mb = moment(a), moment(b)
            r = (moment(a * b) - ma * mb) / np.sqrt(
                (moment(a * a) - ma**2) * (moment(b * b) - mb**2)
            )
            q, df = 2 * (1 - r), n - 1.0
            core = df / (df - 2) * (q / n) * (1 + g**2 * n / q) - g**2 / factor**2
            return g, np.sqrt(core * q)

    weights = None if plan.uniform else plan.weights
    estimate, error = (v[0] for v in measure(np.ones((1, n))))
    g, errors = measure(counts)
    usable = np.isfinite(g) & np.isfinite(errors) & (errors > 0)
    shift = np.where(usable, g - estimate, np.nan)
    without = measure(np.ones((n, n)) - np.eye(n))[0]
    if weights is not None:
        weights = np.where(usable, weights, 0.0)
        weights = weights[usable] / weights.sum()
    shift, errors = shift[usable], errors[usable]
    resampled = Resampled(
        np.array([estimate]),
        np.array([error]),
        shift[:, None],
        (shift / errors)[:, None],
        ((n - 1) * (without.mean() - without))[:, None],
        weights,
        float(n) ** n if weights is not None else float(len(shift)),
        one_sample_few(n) if small_sample else None,
    )
    found = located_by_replicates(
        resampled, alpha, interval=interval, quantile_rule=quantile_rule, ties=ties
    )
    return Standardised(
        name,
        float(estimate),
        float(found.std_error[0]),
        n - 1.0,
        float(found.conf_low[0]),
        float(found.conf_high[0]),
        float("nan"),
    )
