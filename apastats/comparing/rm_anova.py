"""Shares of variance: F tests, partial and generalised eta squared, omega squared, omnibus equivalence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import fdtrc, ncfdtr

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


@verb
def rm_anova(
    values: ArrayLike, *, conf_level: float = 0.9, alternative: str = "greater"
) -> EffectSizeResult:
    """Repeated-measures analysis of variance of one factor, with effect sizes (sphericity assumed).

    Parameters
    ----------
    values : array_like, shape (n_subject, n_level)
        Complete scores.
    conf_level : float
        Level of the intervals of the shares.
    alternative : {"greater", "two-sided"}
        ``greater``: lower limit only, the upper one is 1.

    Returns
    -------
    EffectSizeResult
        Rows partial eta squared, generalised eta squared, partial omega squared; the F test in
        ``statistic, df, df2, p_value``.

    Raises
    ------
    DesignError
        If there are missing values, fewer than two subjects or levels, or no variation besides that of subjects and of
        levels.

    Notes
    -----
    With sums of squares of the factor A, the subjects S and the error E: partial eta squared ``A / (A + E)``;
    generalised ``A / (A + S + E)`` (Olejnik and Algina 2003); omega squared
    ``(A - df1 MSE) / (A + S + E + MSS)``. Intervals treat each share as that of an F test with its df.

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
    rows = []
    for term, share in shares.items():
        as_f = max(share, 0.0) / df1 / ((1 - share) / df2)
        low, high = share_limits(as_f, df1, df2, conf_level, alternative=alternative)
        rows.append(
            {"term": term, "estimate": share, "statistic": f, "df": df1, "df2": df2}
            | {"p_value": float(fdtrc(df1, df2, f)), "conf_low": low, "conf_high": high}
            | {"conf_level": conf_level, "method": "repeated-measures F"}
        )
    info = Info(
        method="repeated-measures analysis of variance, sphericity assumed",
        estimand="share of variance",
        statistic="F",
        interval="one-sided" if alternative == "greater" else "two-sided",
        n_subject=n,
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

    Raises
    ------
    InputError
        If a number is not positive, or the bound is not between 0 and 1.

    Notes
    -----
    Equivalence (Campbell and Lakens 2021): with ``lambda = b / (1 - b) (df1 + df2 + 1)``, p is the probability
    of an F at most as large under noncentrality ``lambda``. The interval inverts the noncentral F. Without a bound
    ``lambda`` becomes ``lambda / (lambda + df2)``, as the estimate is ``df1 F / (df1 F + df2)``: the formula of
    :func:`rm_anova` and of R's effectsize, whose interval always holds the estimate. With a bound it becomes
    ``lambda / (lambda + df1 + df2 + 1)``, the relation the test is about (as in TOSTER), so that interval and
    p-value agree; with few df it is the lower of the two, and can end below the estimate.

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
