"""Effect sizes with intervals: standardised differences, rank-biserial, superiority, shares of variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammaln, nctdtr, ndtri, stdtr, stdtrit

from apastats.errors import DesignError, InputError
from apastats.results import Provenance, Result, describe_call
from apastats.tosts.location import brunner_munzel, midranks

__all__ = [
    "EffectSizeResult",
    "Standardised",
    "effect_size",
    "hedges_factor",
    "noncentral_t_limits",
    "standardised_difference",
]

MEASURES = ("d", "g", "glass", "rank_biserial", "superiority")
SMD_INTERVALS = ("nct", "nct_lambda", "t", "normal")


class EffectSizeResult(Result):
    """Effect sizes; one row per measure: ``term, estimate, std_error, df, conf_low, conf_high, conf_level, method``.

    With a test of the effect size itself also ``statistic, p_value, bound_low, bound_high, p_value_noninf,
    p_value_nonsup, p_value_equiv``.
    """

    kind: ClassVar[str] = "effect_size"


@dataclass(frozen=True, slots=True)
class Standardised:
    """A standardised mean difference with its interval."""

    name: str
    estimate: float
    std_error: float
    df: float
    conf_low: float
    conf_high: float
    denominator: float


def hedges_factor(df: Any) -> Any:
    """Small-sample factor ``J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2))`` (Hedges 1981, eq. 6e)."""
    df = np.asarray(df, dtype=float)
    return np.exp(gammaln(df / 2) - np.log(np.sqrt(df / 2)) - gammaln((df - 1) / 2))


def noncentral_t_limits(t: float, df: float, level: float) -> tuple[float, float]:
    """Noncentralities for which ``t`` is the upper and the lower ``(1 - level) / 2`` quantile."""
    tail = (1 - level) / 2
    return _ncp(t, df, 1 - tail), _ncp(t, df, tail)


def _ncp(t: float, df: float, p: float) -> float:
    from scipy.optimize import brentq

    def f(nc: float) -> float:
        return float(nctdtr(df, nc, t) - p)

    width = 6.0 + abs(t)
    low, high = t - width, t + width
    while f(low) < 0:
        low -= width
    while f(high) > 0:
        high += width
    return float(brentq(f, low, high, xtol=1e-12, rtol=1e-14))


def _nct_quantile(p: float, df: float, nc: float) -> float:
    from scipy.optimize import brentq

    def f(t: float) -> float:
        value = float(nctdtr(df, nc, t))
        # far out the series gives NaN where the probability is 0 or 1
        return (value if np.isfinite(value) else float(t > nc)) - p

    step = 1.0 + abs(nc) / 4
    low, high = nc - step, nc + step
    while f(low) > 0:
        low -= step
    while f(high) < 0:
        high += step
    return float(brentq(f, low, high, xtol=1e-12, rtol=1e-14))


def standardised_difference(
    mean_x: float,
    sd_x: float,
    n_x: int,
    mean_y: float = 0.0,
    sd_y: float | None = None,
    n_y: int | None = None,
    *,
    r: float | None = None,
    denominator: str = "auto",
    unbiased: bool = True,
    equal_var: bool = False,
    welch_df: bool = False,
    interval: str = "nct",
    level: float = 0.95,
) -> Standardised:
    """Standardised mean difference from summary numbers; see :func:`effect_size` for the choices.

    Without ``sd_y`` the sample is one (``mean_y`` the value compared with); with ``r`` it is paired.
    """
    if sd_y is None:
        return _smd_one(mean_x - mean_y, sd_x, n_x, unbiased, interval, level)
    if r is not None:
        which = "z" if denominator == "auto" else denominator
        return _smd_paired(mean_x - mean_y, sd_x, sd_y, n_x, r, which, unbiased, interval, level)
    if n_y is None:
        raise InputError("n_y", n_y, "the size of the second sample")
    return _smd_two(
        mean_x - mean_y,
        sd_x,
        n_x,
        sd_y,
        n_y,
        denominator,
        unbiased,
        equal_var,
        welch_df,
        interval,
        level,
    )


def _finish(
    name: str,
    d: float,
    unit: float,
    df: float,
    factor: float,
    sigma: float,
    interval: str,
    level: float,
    *,
    t: float,
    t_df: float,
    scale: float,
    multiplier: float,
) -> Standardised:
    """Interval of a standardised difference ``d`` (factor included).

    ``t`` with ``t_df`` is the noncentral pivot of "nct", whose limits become ``limit * scale * factor``;
    ``d * multiplier`` is the noncentrality of "nct_lambda" (Goulet-Pelletier and Cousineau 2018).
    """
    if interval == "nct":
        low, high = noncentral_t_limits(t, t_df, level)
        low, high = low * scale * factor, high * scale * factor
    elif interval == "nct_lambda":
        tail = (1 - level) / 2
        ncp = d * multiplier
        low = _nct_quantile(tail, df, ncp) / multiplier
        high = _nct_quantile(1 - tail, df, ncp) / multiplier
    else:
        p = (1 + level) / 2
        half = sigma * float(stdtrit(df, p) if interval == "t" else ndtri(p))
        low, high = d - half, d + half
    return Standardised(name, d, sigma, df, float(low), float(high), unit)


def _smd_one(
    difference: float, sd: float, n: int, unbiased: bool, interval: str, level: float
) -> Standardised:
    df = n - 1.0
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / sd * j
    if interval == "nct_lambda":
        sigma = np.sqrt(df / (df - 2) / n * (1 + d**2 * n) - d**2 / j**2)
    else:
        sigma = np.sqrt(1 / n + d**2 / (2 * n))
    name = "Hedges's g" if unbiased else "Cohen's d"
    return _finish(
        name,
        d,
        sd,
        df,
        j,
        float(sigma),
        interval,
        level,
        t=difference / sd * np.sqrt(n),
        t_df=df,
        scale=np.sqrt(1 / n),
        multiplier=np.sqrt(n),
    )


def _smd_paired(
    difference: float,
    sd_x: float,
    sd_y: float,
    n: int,
    r: float,
    denominator: str,
    unbiased: bool,
    interval: str,
    level: float,
) -> Standardised:
    sd_diff = np.sqrt(sd_x**2 + sd_y**2 - 2 * r * sd_x * sd_y)
    units = {"z": sd_diff, "rm": sd_diff / np.sqrt(2 * (1 - r)), "x": sd_x, "y": sd_y}
    if denominator not in units:
        raise InputError("denominator", denominator, f"one of {list(units)} for paired data")
    unit = units[denominator]
    df = 2.0 * n - 2 if interval == "nct_lambda" else n - 1.0
    j = float(hedges_factor(df)) if unbiased else 1.0
    d = difference / unit * j
    q = 2 * (1 - r)
    # variance of d by Goulet-Pelletier and Cousineau (2018), eq. 4b
    sigma = np.sqrt(df / (df - 2) * (q / n) * (1 + d**2 * n / q) - d**2 / j**2)
    if denominator == "z":
        sigma *= np.sqrt(q)
    if interval == "nct" and denominator == "z":
        # variance of the noncentral t with the factor (Viechtbauer 2007, eq. 26)
        sigma = np.sqrt(1 / n + d**2 * (1 - (df - 2) / (df * j**2)))
    if denominator in ("x", "y"):
        sigma = j * np.sqrt(2 * ((1 - r) / n + d**2 / j / (2 * n)))
    t = (
        difference / (sd_diff / np.sqrt(n)) * np.sqrt(q)
        if denominator == "rm"
        else difference / unit * np.sqrt(n)
    )
    letter = {"z": "(z)", "rm": "(rm)"}
    if denominator in letter:
        name = ("Hedges's g" if unbiased else "Cohen's d") + letter[denominator]
    else:
        name = "Glass's delta" + ("(g)" if unbiased else "(d)")
    return _finish(
        name,
        d,
        float(unit),
        df,
        j,
        float(sigma),
        interval,
        level,
        t=float(t),
        t_df=df,
        scale=np.sqrt(1 / n),
        multiplier=np.sqrt(n / q),
    )


def _smd_two(
    difference: float,
    sd_x: float,
    n_x: int,
    sd_y: float,
    n_y: int,
    denominator: str,
    unbiased: bool,
    equal_var: bool,
    welch_df: bool,
    interval: str,
    level: float,
) -> Standardised:
    if denominator not in ("auto", "x", "y"):
        raise InputError("denominator", denominator, "'auto', 'x' or 'y' for independent samples")
    harmonic = 2 * n_x * n_y / (n_x + n_y)
    v_x, v_y = sd_x**2, sd_y**2
    multiplier = np.sqrt(harmonic / 2)
    if denominator in ("x", "y"):
        own, other = (
            ((sd_x, n_x), (sd_y, n_y)) if denominator == "x" else ((sd_y, n_y), (sd_x, n_x))
        )
        unit, df = own[0], own[1] - 1.0
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        # Algina, Keselman and Penfield (2006): the two means keep their own variances
        scale2 = 1 / own[1] + other[0] ** 2 / (other[1] * unit**2)
        sigma = np.sqrt(df / (df - 2) * scale2 + d**2 * (df / (df - 2) - j**2))
        t, t_df, name = difference / unit / np.sqrt(scale2), df, "Glass's delta"
    elif equal_var:
        df = n_x + n_y - 2.0
        unit = np.sqrt(((n_x - 1) * v_x + (n_y - 1) * v_y) / df)
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 1 / n_x + 1 / n_y
        sigma = j * np.sqrt(scale2 + (d / j) ** 2 / (2 * (n_x + n_y)))
        t, t_df, name = (
            difference / unit / np.sqrt(scale2),
            df,
            "Hedges's g" if unbiased else "Cohen's d",
        )
        multiplier = np.sqrt(n_x * n_y * (v_x + v_y) / (2 * (n_y * v_x + n_x * v_y)))
    else:
        unit = np.sqrt((v_x + v_y) / 2)
        # df of the unit, sqrt((v_x + v_y) / 2) (Delacre et al. 2021), or of the Welch test
        a, b = (v_x / n_x, v_y / n_y) if welch_df else (v_x, v_y)
        df = (a + b) ** 2 / (a**2 / (n_x - 1) + b**2 / (n_y - 1))
        j = float(hedges_factor(df)) if unbiased else 1.0
        d = difference / unit * j
        scale2 = 2 * (n_y * v_x + n_x * v_y) / (n_x * n_y * (v_x + v_y))
        sigma = np.sqrt(df / (df - 2) * scale2 + d**2 * (df / (df - 2) - j**2))
        t = difference / np.sqrt(v_x / n_x + v_y / n_y)
        t_df, name = df, ("Hedges's g" if unbiased else "Cohen's d") + "(av)"
    if interval == "nct" and denominator == "auto" and not equal_var:
        # Bonett (2008), eq. 9: each variance with its own weight
        sigma = np.sqrt(
            d**2 * (v_x**2 / (n_x - 1) + v_y**2 / (n_y - 1)) / (8 * unit**4)
            + (v_x / (n_x - 1) + v_y / (n_y - 1)) / unit**2
        )
    elif interval == "nct" and denominator == "auto":
        sigma = np.sqrt(scale2 + d**2 * (1 - (df - 2) / (df * j**2)))
    if interval == "nct_lambda":
        sigma = np.sqrt(df / (df - 2) * (2 / harmonic) * (1 + d**2 * harmonic / 2) - d**2 / j**2)
    return _finish(
        name,
        float(d),
        float(unit),
        float(df),
        j,
        float(sigma),
        interval,
        level,
        t=float(t),
        t_df=float(t_df),
        scale=float(np.sqrt(scale2)),
        multiplier=float(multiplier),
    )


def rank_biserial(x: np.ndarray, y: np.ndarray | None, *, null: float = 0.0) -> tuple[float, int]:
    """Rank-biserial correlation, and the number of values it rests on.

    Paired or one sample (``y`` None, ``x`` the differences): ``(R+ - R-) / (R+ + R-)`` (Kerby 2014),
    zeros left out as in the signed-rank test. Independent samples: ``P(X > Y) - P(X < Y)`` (Cliff's delta).
    """
    if y is None:
        z = (x - null)[x != null]
        if not z.size:
            return 0.0, 0
        ranks = midranks(np.abs(z))
        plus, minus = float(ranks[z > 0].sum()), float(ranks[z < 0].sum())
        n = len(z)
        return (plus - minus) / (n * (n + 1) / 2), n
    effect, _, _ = brunner_munzel(x - null, y)
    return 2 * effect - 1, len(x) + len(y)


def rank_biserial_interval(
    r: float, n_x: int, n_y: int | None, level: float, how: str, ties: np.ndarray | None = None
) -> tuple[float, float]:
    """Interval of a rank-biserial correlation.

    ``fisher``: on the z scale with the null standard error of the values that are not 0 (as in R's effectsize);
    ``fisher_n``: of all values (as in TOSTER). ``score`` and ``logit``
    (paired): the null variance of the signed-rank share ``p = (r + 1) / 2``, scaled by ``4 p (1 - p)``
    (score) or carried to the log odds (logit).
    """
    z = float(ndtri((1 + level) / 2))
    if how in ("fisher", "fisher_n"):
        if n_y is None:
            se = np.sqrt((2 * n_x**3 + 3 * n_x**2 + n_x) / 6) / ((n_x**2 + n_x) / 2)
        else:
            se = np.sqrt((n_x + n_y + 1) / (3 * n_x * n_y))
        with np.errstate(divide="ignore"):
            centre = np.arctanh(r)
        return float(np.tanh(centre - z * se)), float(np.tanh(centre + z * se))
    if n_y is not None:
        raise InputError("rank_interval", how, "'fisher' for independent samples")
    total = n_x * (n_x + 1) / 2
    correction = 0.0 if ties is None else float((ties**3 - ties).sum()) / 2
    variance = (n_x * (n_x + 1) * (2 * n_x + 1) - correction) / 24 / total**2
    p = (r + 1) / 2
    if how == "score":
        k = z**2 * 4 * variance
        centre, half = (p + k / 2) / (1 + k), np.sqrt(k * p * (1 - p) + k**2 / 4) / (1 + k)
        return float(2 * (centre - half) - 1), float(2 * (centre + half) - 1)
    if how != "logit":
        raise InputError("rank_interval", how, "'fisher', 'fisher_n', 'score' or 'logit'")
    p = min(max(p, 0.5 / total), 1 - 0.5 / total)
    half = z * np.sqrt(variance) / (p * (1 - p))
    low, high = (1 / (1 + np.exp(-(np.log(p / (1 - p)) + s * half))) for s in (-1, 1))
    return float(2 * low - 1), float(2 * high - 1)


def effect_size(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    measures: str | tuple[str, ...] | list[str] = ("d", "g", "rank_biserial", "superiority"),
    paired: bool = True,
    equal_var: bool = False,
    welch_df: bool = False,
    null: float = 0.0,
    denominator: str = "auto",
    interval: str = "nct",
    rank_interval: str = "fisher",
    bounds: Any = None,
    conf_level: float = 0.95,
) -> EffectSizeResult:
    """Effect sizes of one sample, matched or independent samples, with intervals.

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores.
    y : array_like, shape (m,), optional
        Second scores; differences are ``x - y``.
    measures : str or sequence of {"d", "g", "glass", "rank_biserial", "superiority"}
        Cohen's d (dz for matched scores), Hedges's g, Glass's delta, rank-biserial correlation, probability of
        superiority ``P(X > Y) + P(X = Y) / 2``.
    paired : bool
        Whether ``y`` is matched with ``x``.
    equal_var : bool
        Independent samples: pooled SD; otherwise the root mean square of both SDs.
    welch_df : bool
        Unpooled d: degrees of freedom of the Welch test instead of those of the averaged variance.
    null : float
        Value the difference is compared with.
    denominator : {"auto", "z", "rm", "x", "y"}
        SD of a standardised difference: of the differences (z), corrected for the correlation of the pairs (rm), of
        one sample (Glass). ``auto`` is z for pairs.
    interval : {"nct", "nct_lambda", "t", "normal"}
        Pivot on the noncentral t; quantiles of the noncentral t at the estimate (Goulet-Pelletier and Cousineau
        2018); t or normal about the estimate.
    rank_interval : {"fisher", "fisher_n", "score", "logit"}
        Interval of the rank measures.
    bounds : float, (float, float) or Margin, optional
        Tests each standardised difference against these bounds (in its own unit) by t.
    conf_level : float
        Level of the intervals; of the test, alpha is ``(1 - conf_level) / 2``.

    Returns
    -------
    EffectSizeResult

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are fewer than three values or no variation.

    Examples
    --------
    >>> found = effect_size([0.2, 0.3, 0.25, 0.4], [0.1, 0.25, 0.2, 0.3], measures="g")
    >>> found.tidy()["estimate"].round(3).tolist()
    [1.88]
    """
    from apastats.margins import as_margin
    from apastats.tosts.arrays import samples

    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    for m in wanted:
        if m not in MEASURES:
            raise InputError("measures", m, f"among {list(MEASURES)}")
    if interval not in SMD_INTERVALS:
        raise InputError("interval", interval, f"one of {list(SMD_INTERVALS)}")
    if not isinstance(conf_level, (int, float)) or not 0 < conf_level < 1:
        raise InputError("conf_level", conf_level, "a number between 0 and 1")
    first, second = samples(x, y, paired)
    if len(first) < 3 or (second is not None and len(second) < 3):
        raise DesignError(
            "x: an effect size with an interval needs at least 3 values in each sample"
        )
    margin = None if bounds is None else as_margin(bounds)
    rows = []
    for m in wanted:
        if m in ("d", "g", "glass"):
            where = "y" if m == "glass" and denominator == "auto" else denominator
            e = _standardised(
                first,
                second,
                paired,
                m == "g",
                equal_var,
                welch_df,
                null,
                where,
                interval,
                conf_level,
            )
            row: dict[str, Any] = {
                "term": e.name,
                "estimate": e.estimate,
                "std_error": e.std_error,
                "df": e.df,
                "conf_low": e.conf_low,
                "conf_high": e.conf_high,
            }
            t_df = len(first) - 1.0 if second is None or paired else e.df
            row |= _smd_test(e, t_df, margin)
        else:
            row = _rank_row(m, first, second, paired, null, rank_interval, conf_level)
        rows.append({**row, "conf_level": float(conf_level), "method": interval})
    info = {
        "method": "effect sizes with intervals",
        "conf_level": float(conf_level),
        "interval": interval,
        "n_subject": len(first),
        "margin": None
        if margin is None
        else f"{margin.low:g} to {margin.high:g} in units of the effect size",
    }
    call = describe_call(
        "effect_size", np.asarray(x), measures=wanted, paired=paired, interval=interval
    )
    return EffectSizeResult(pd.DataFrame(rows), info, Provenance(call))


def _standardised(
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    unbiased: bool,
    equal_var: bool,
    welch_df: bool,
    null: float,
    denominator: str,
    interval: str,
    level: float,
) -> Standardised:
    if y is None or paired:
        d = x if y is None else x - y
        if not d.std(ddof=1) > 0:
            raise DesignError(
                "x: the differences have no variation; a standardised difference is not defined"
            )
    mx, sx = float(x.mean()) - null, float(x.std(ddof=1))
    options = {"unbiased": unbiased, "interval": interval, "level": level}
    if y is None:
        return standardised_difference(mx, sx, len(x), 0.0, **options)  # type: ignore[arg-type]
    my, sy = float(y.mean()), float(y.std(ddof=1))
    r = None
    if paired:
        with np.errstate(invalid="ignore", divide="ignore"):
            r = float(np.corrcoef(x, y)[0, 1]) if sx > 0 and sy > 0 else 0.0
    return standardised_difference(
        mx,
        sx,
        len(x),
        my,
        sy,
        len(y),
        r=r,
        denominator=denominator,
        equal_var=equal_var,
        welch_df=welch_df,
        **options,  # type: ignore[arg-type]
    )


def _smd_test(e: Standardised, df: float, margin: Any) -> dict[str, Any]:
    """T tests of a standardised difference about 0 and about bounds in its own unit."""
    t = e.estimate / e.std_error
    row: dict[str, Any] = {"statistic": t, "p_value": float(2 * stdtr(df, -abs(t)))}
    if margin is not None:
        low, high = (e.estimate - b for b in (margin.low, margin.high))
        p_low = float(stdtr(df, -low / e.std_error))
        p_high = float(stdtr(df, high / e.std_error))
        row |= {"bound_low": margin.low, "bound_high": margin.high}
        row |= {"statistic_low": low / e.std_error, "statistic_high": high / e.std_error}
        row |= {
            "p_value_noninf": p_low,
            "p_value_nonsup": p_high,
            "p_value_equiv": max(p_low, p_high),
        }
    return row


def _rank_row(
    measure: str,
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    null: float,
    how: str,
    level: float,
) -> dict[str, Any]:
    single = y is None or paired
    z = x if y is None else (x - y if paired else x)
    r, n = rank_biserial(z, None if single else y, null=null)
    d = z - null
    ties = np.unique(np.abs(d[d != 0]), return_counts=True)[1] if single else None
    n = n if single and how != "fisher_n" else len(z)
    low, high = rank_biserial_interval(
        r, n, None if single or y is None else len(y), level, how, ties
    )
    if measure == "superiority":
        r, low, high = (r + 1) / 2, (low + 1) / 2, (high + 1) / 2
    name = (
        "rank-biserial correlation" if measure == "rank_biserial" else "probability of superiority"
    )
    return {"term": name, "estimate": r, "conf_low": low, "conf_high": high}
