"""Shares of variance: F tests, partial and generalised eta squared, omega squared, omnibus equivalence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc, ncfdtr

from apastats.arguments import array, choice, level, number
from apastats.comparing.effect_size import EffectSizeResult
from apastats.errors import DesignError
from apastats.numbers.moments import rounding
from apastats.recording import verb
from apastats.results import Provenance
from apastats.words import Info

__all__ = ["anova_effect", "rm_anova", "share_limits"]


def _search(f: Callable[[float], float], top: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(f, 0.0, top, xtol=1e-10))


def share_limits(
    f: float,
    df1: float,
    df2: float,
    level: float,
    *,
    alternative: str = "two-sided",
    scale: str = "df",
) -> tuple[float, float]:
    """Limits of a share of variance from the noncentral F (Steiger 2004).

    The limits of the noncentrality ``v`` become ``v / (v + df2)`` (``scale="df"``, as in R's effectsize) or
    ``v / (v + df1 + df2 + 1)`` (``"n"``: the number of observations of a balanced design, as in TOSTER).
    """
    extra = df2 if scale == "df" else df1 + df2 + 1

    def limit(p: float) -> float:
        if fdtrc(df1, df2, f) > 1 - p:
            return 0.0
        top = max(10.0, 2 * f * df1)
        while ncfdtr(df1, df2, top, f) > p:
            top *= 2
        nc = _search(lambda v: float(ncfdtr(df1, df2, v, f) - p), top)
        return nc / (nc + extra)

    if alternative == "greater":
        return limit(level), 1.0
    return limit((1 + level) / 2), limit((1 - level) / 2)


CORRECTIONS = {
    "none": "sphericity assumed",
    "greenhouse-geisser": "degrees of freedom by Greenhouse and Geisser",
    "huynh-feldt": "degrees of freedom by Huynh and Feldt",
}


def _sphericity(residual: np.ndarray, n: int) -> dict[str, float]:
    """Epsilons and Mauchly's test of the covariance of the differences between levels.

    ``residual`` ``[n, k]`` is free of subjects' and levels' means. With the eigenvalues ``l`` of its covariance in the
    d = k - 1 directions of differences: epsilon = (sum l)^2 / (d sum l^2) (Greenhouse and Geisser 1959); that of Huynh
    and Feldt (1976) ``(n d e - 2) / (d (n - 1 - d e))``, at most 1; Mauchly's (1940) W = prod l / mean(l)^d with the
    second-order approximation of its distribution (Anderson 2003, section 10.7).
    """
    d = residual.shape[1] - 1
    found = np.linalg.eigvalsh(residual.T @ residual / (n - 1))[1:]
    found = np.maximum(found, 0.0) / found.max()
    e = float(found.sum() ** 2 / (d * (found**2).sum()))
    spare = d * (n - 1 - d * e)
    hf = (n * d * e - 2) / spare if spare > 0 else np.inf
    out = {"epsilon_gg": e, "epsilon_hf": hf, "mauchly_w": np.nan, "mauchly_p": np.nan}
    if d == 1:
        return out | {"epsilon_gg": 1.0, "epsilon_hf": 1.0}
    if n - 1 < d or found.min() <= 1e-12:
        return out  # fewer subjects than directions: the covariance has no full rank
    free = n - 1
    w = float(np.prod(found) / found.mean() ** d)
    rho = 1 - (2 * d * d + d + 2) / (6 * d * free)
    second = (d + 2) * (d - 1) * (d - 2) * (2 * d**3 + 6 * d * d + 3 * d + 2)
    second /= 288 * (free * d * rho) ** 2
    z, f = -free * rho * np.log(w), d * (d + 1) / 2 - 1
    first = float(chdtrc(f, z))
    return out | {"mauchly_w": w, "mauchly_p": first + second * (float(chdtrc(f + 4, z)) - first)}


@verb
def rm_anova(
    values: ArrayLike,
    *,
    correction: str = "greenhouse-geisser",
    conf_level: float = 0.9,
    alternative: str = "greater",
) -> EffectSizeResult:
    """Repeated-measures analysis of variance of one factor, with effect sizes.

    Parameters
    ----------
    values : array_like, shape (n_subject, n_level)
        Complete scores.
    correction : {"greenhouse-geisser", "huynh-feldt", "none"}
        What becomes of both degrees of freedom where variances of differences between levels differ: they are
        multiplied by the epsilon of Greenhouse and Geisser (conservative with few subjects), by that of Huynh and
        Feldt (at most 1), or left (sphericity assumed: too liberal where it does not hold).
    conf_level : float
        Level of the intervals of the shares.
    alternative : {"greater", "two-sided"}
        ``greater``: lower limit only, the upper one is 1.

    Returns
    -------
    EffectSizeResult
        Rows partial eta squared, generalised eta squared, partial omega squared; the F test in
        ``statistic, df, df2, p_value``; both epsilons and Mauchly's test of sphericity in ``info["epsilon_gg"]``,
        ``"epsilon_hf"``, ``"mauchly_w"``, ``"mauchly_p"`` (NaN with fewer subjects than levels).

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``statistic`` (test statistic), ``df`` (degrees of freedom), ``df2`` (denominator degrees of freedom),
        ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval), ``method`` (how the interval or
        test was made).

    Raises
    ------
    DesignError
        If there are missing values, fewer than two subjects or levels, or no variation besides that of subjects and of
        levels.

    See Also
    --------
    lmm, anova_effect, friedman

    Notes
    -----
    With sums of squares of the factor A, the subjects S and the error E: partial eta squared ``A / (A + E)``;
    generalised ``A / (A + S + E)`` (Olejnik and Algina 2003); omega squared
    ``(A - df1 MSE) / (A + S + E + MSS)``. Intervals treat each share as that of an F test with its (corrected) df.
    Epsilons: Greenhouse and Geisser (1959, Psychometrika 24, 95), Huynh and Feldt (1976, J. Educ. Stat. 1, 69).

    References
    ----------
    .. [1] Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related
       estimators. Journal of Educational Statistics, 6(2), 107–128. https://doi.org/10.3102/10769986006002107

    Examples
    --------
    >>> rm_anova([[1, 2, 4], [2, 2, 5], [1, 3, 6]]).tidy()["estimate"].round(3).tolist()
    [0.924, 0.866, 0.805]
    """
    x = array("values", values)
    if x.ndim != 2 or min(x.shape) < 2:
        raise DesignError(f"values: shape {x.shape}; at least 2 subjects and 2 levels are needed")
    if not np.isfinite(x).all():
        raise DesignError("values: missing values; the analysis of variance needs complete data")
    choice("alternative", alternative, ("greater", "two-sided"))
    choice("correction", correction, tuple(CORRECTIONS))
    residual = x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean()
    if np.abs(residual).max() <= rounding(x):
        raise DesignError(
            "values: subjects do not vary in their differences between levels; the F test has no error to divide by"
        )
    n, k = x.shape
    grand = x.mean()
    ss_a = n * float(((x.mean(axis=0) - grand) ** 2).sum())
    ss_s = k * float(((x.mean(axis=1) - grand) ** 2).sum())
    ss_e = float(((x - grand) ** 2).sum()) - ss_a - ss_s
    df1, df2 = k - 1.0, (n - 1.0) * (k - 1)
    mse, mss = ss_e / df2, ss_s / (n - 1)
    f = ss_a / df1 / mse
    # people and levels are orthogonal in complete data, so sums of squares add up. Omega squared takes off what
    # chance alone puts into A, df1 times the error
    shares = {
        "partial eta squared": ss_a / (ss_a + ss_e),
        "generalised eta squared": ss_a / (ss_a + ss_s + ss_e),
        "partial omega squared": (ss_a - df1 * mse) / (ss_a + ss_s + ss_e + mss),
    }
    sphericity = _sphericity(residual, n)
    epsilon = {
        "none": 1.0,
        "greenhouse-geisser": sphericity["epsilon_gg"],
        "huynh-feldt": min(1.0, sphericity["epsilon_hf"]),
    }[correction]
    df1, df2 = epsilon * df1, epsilon * df2
    rows = []
    for term, share in shares.items():
        as_f = max(share, 0.0) / df1 / ((1 - share) / df2)
        low, high = share_limits(as_f, df1, df2, conf_level, alternative=alternative)
        low = min(
            low, share
        )  # omega squared is below 0 where A is less than chance alone puts into it
        rows.append(
            {"term": term, "estimate": share, "statistic": f, "df": df1, "df2": df2}
            | {"p_value": float(fdtrc(df1, df2, f)), "conf_low": low, "conf_high": high}
            | {"conf_level": conf_level, "method": "repeated-measures F"}
        )
    info = Info(
        method=f"repeated-measures analysis of variance, {CORRECTIONS[correction]}",
        estimand="share of variance",
        statistic="F",
        interval="one-sided" if alternative == "greater" else "two-sided",
        n_subject=n,
        extra={"correction": correction, "epsilon": epsilon, **sphericity},
    )
    return EffectSizeResult(pd.DataFrame(rows), info, Provenance())


@verb
def anova_effect(
    f: float,
    df1: float,
    df2: float,
    *,
    bounds: float | None = None,
    conf_level: float = 0.95,
) -> EffectSizeResult:
    """Partial eta squared of an F test, with its interval, and the omnibus equivalence test.

    Parameters
    ----------
    f : float
        The F statistic.
    df1, df2 : float
        Its degrees of freedom.
    bounds : float, optional
        Largest partial eta squared that is practically nothing; adds ``p_value_equiv``.
    conf_level : float
        Level of the two-sided interval.

    Returns
    -------
    EffectSizeResult
        One row: ``estimate`` is ``df1 F / (df1 F + df2)``; ``p_value`` of the ordinary F test.

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``statistic`` (test statistic), ``df`` (degrees of freedom), ``df2`` (denominator degrees of freedom),
        ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval), ``method`` (how the interval or
        test was made).

    Raises
    ------
    InputError
        If a number is not positive, or the bound is not between 0 and 1.

    See Also
    --------
    rm_anova, effect_size

    Notes
    -----
    Equivalence (Campbell and Lakens 2021): with ``lambda = b / (1 - b) (df1 + df2 + 1)``, p is the probability
    of an F at most as large under noncentrality ``lambda``. The interval inverts the noncentral F. Without a bound
    ``lambda`` becomes ``lambda / (lambda + df2)``, as the estimate is ``df1 F / (df1 F + df2)``: the formula of
    :func:`rm_anova` and of R's effectsize, whose interval always holds the estimate. With a bound it becomes
    ``lambda / (lambda + df1 + df2 + 1)``, the relation the test is about (as in TOSTER), so that interval and
    p-value agree; with few df it is the lower of the two, and can end below the estimate.

    References
    ----------
    .. [1] Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related
       estimators. Journal of Educational Statistics, 6(2), 107–128. https://doi.org/10.3102/10769986006002107

    Examples
    --------
    >>> anova_effect(2.5, 3, 36, bounds=0.4).tidy()["p_value_equiv"].round(4).item()
    0.0051
    """
    # beyond these the noncentral F has no digits left
    number("f", f, least=0, most=1e9)
    number("df1", df1, least=1e-3, most=1e6)
    number("df2", df2, least=1e-3, most=1e9)
    total = df1 + df2 + 1
    low, high = share_limits(f, df1, df2, conf_level, scale="df" if bounds is None else "n")
    row: dict[str, Any] = {
        "term": "partial eta squared",
        "estimate": df1 * f / (df1 * f + df2),
        "statistic": float(f),
        "df": float(df1),
        "df2": float(df2),
        "p_value": float(fdtrc(df1, df2, f)),
        "conf_low": low,
        "conf_high": high,
        "conf_level": float(conf_level),
    }
    if bounds is not None:
        bounds = level("bounds", bounds)
        nc = bounds / (1 - bounds) * total
        row |= {"bound_high": float(bounds), "p_value_equiv": float(ncfdtr(df1, df2, nc, f))}
    row["method"] = "noncentral F"
    info = Info(
        estimand="share of variance",
        statistic="F",
        method="partial eta squared by the noncentral F distribution",
        conf_level=conf_level,
    )
    return EffectSizeResult(pd.DataFrame([row]), info, Provenance())
