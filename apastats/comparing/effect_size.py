"""Effect sizes with intervals: standardised differences, rank-biserial, superiority, shares of variance."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtr

from apastats.arguments import applies, choice, names
from apastats.errors import AssumptionWarning, DegenerateWarning, DesignError, warn
from apastats.numbers.location import brunner_munzel
from apastats.numbers.moments import constant, moments, rounding, size_of
from apastats.numbers.ranks import midranks, tie_sizes
from apastats.numbers.standardised import Standardised, standardised_difference
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import Info, StatedMargin

__all__ = ["EffectSizeResult", "effect_size", "rank_biserial", "rank_biserial_interval"]

MEASURES = ("d", "g", "glass", "rank_biserial", "superiority")
SMD_INTERVALS = ("nct", "nct_lambda", "t", "normal")


class EffectSizeResult(Result):
    """Effect sizes; one row per measure: ``term, estimate, std_error, df, conf_low, conf_high, conf_level, method``.

    With a test of the effect size itself also ``statistic, p_value, bound_low, bound_high, p_value_noninf,
    p_value_nonsup, p_value_equiv``.
    """

    kind: ClassVar[str] = "effect_size"


def rank_biserial(
    x: np.ndarray, y: np.ndarray | None, small: float = 0.0
) -> tuple[float, int, np.ndarray | None]:
    """Rank-biserial correlation, the number of values it rests on, and the sizes of their ties.

    Paired or one sample (``y`` None, ``x`` the differences): ``(R+ - R-) / (R+ + R-)`` (Kerby 2014),
    zeros left out as in the signed-rank test. Independent samples: ``P(X > Y) - P(X < Y)`` (Cliff's delta). Values
    that differ by no more than ``small`` are tied.
    """
    if y is None:
        z = x[np.abs(x) > small]
        if not z.size:
            return 0.0, 0, np.empty(0)
        ranks = midranks(np.abs(z), small)
        plus, minus = float(ranks[z > 0].sum()), float(ranks[z < 0].sum())
        n = len(z)
        return (plus - minus) / (n * (n + 1) / 2), n, tie_sizes(ranks)
    effect, _, _ = brunner_munzel(x, y, small)
    return 2 * effect - 1, len(x) + len(y), None


def rank_biserial_interval(
    r: float, n_x: int, n_y: int | None, level: float, how: str, ties: np.ndarray | None = None
) -> tuple[float, float]:
    """Interval of a rank-biserial correlation.

    ``fisher``: on the z scale with the null standard error of the values that are not 0 (as in R's effectsize);
    ``fisher_n``: of all values (as in TOSTER). ``score`` and ``logit``: the null variance of the share
    ``p = (r + 1) / 2`` (of signed ranks, or of pairs of values), scaled by ``4 p (1 - p)`` (score) or carried to the
    log odds (logit). Complete separation has no Fisher z: ``score`` there, where R's effectsize gives [1, 1].
    """
    choice("rank_interval", how, ("fisher", "fisher_n", "score", "logit"))
    z = float(ndtri((1 + level) / 2))
    if not n_x:
        return np.nan, np.nan
    if how in ("fisher", "fisher_n") and abs(r) < 1 - 1e-12:
        if n_y is None:
            se = np.sqrt((2 * n_x**3 + 3 * n_x**2 + n_x) / 6) / ((n_x**2 + n_x) / 2)
        else:
            se = np.sqrt((n_x + n_y + 1) / (3 * n_x * n_y))
        centre = np.arctanh(r)
        return float(np.tanh(centre - z * se)), float(np.tanh(centre + z * se))
    if n_y is not None:
        total = float(n_x * n_y)
        variance = (n_x + n_y + 1) / 12 / total
    else:
        total = n_x * (n_x + 1) / 2
        correction = 0.0 if ties is None else float((ties**3 - ties).sum()) / 2
        variance = (n_x * (n_x + 1) * (2 * n_x + 1) - correction) / 24 / total**2
    p = (r + 1) / 2
    if how != "logit":
        k = z**2 * 4 * variance
        centre, half = (p + k / 2) / (1 + k), np.sqrt(k * p * (1 - p) + k**2 / 4) / (1 + k)
        # complete separation is the end itself, but for rounding
        return min(float(2 * (centre - half) - 1), r), max(float(2 * (centre + half) - 1), r)
    p = min(max(p, 0.5 / total), 1 - 0.5 / total)
    half = z * np.sqrt(variance) / (p * (1 - p))
    low, high = (1 / (1 + np.exp(-(np.log(p / (1 - p)) + s * half))) for s in (-1, 1))
    return min(float(2 * low - 1), r), max(float(2 * high - 1), r)


@verb
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
        Interval of the rank measures; ``score`` in place of ``fisher`` where all ranks lie on one side.
    bounds : float, (float, float) or Margin, optional
        Tests each standardised difference against these bounds (in its own unit) by t.
    conf_level : float
        Level of the intervals; of the test, alpha is ``(1 - conf_level) / 2``.

    Returns
    -------
    EffectSizeResult

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``df`` (degrees of freedom), ``conf_low`` (lower limit of the
        interval), ``conf_high`` (upper limit of the interval), ``statistic`` (test statistic), ``p_value``
        (p-value of the ordinary test), ``conf_level`` (level of the interval), ``method`` (how the interval
        or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are fewer than three values, or one sample without any variation.

    Warns
    -----
    AssumptionWarning
        If the differences of pairs vary more than the noncentral interval of Glass's delta takes for granted.
    DegenerateWarning
        If the SD that is the unit is 0 (up to the rounding of the scores); that effect size is NaN.

    See Also
    --------
    compare, tost, anova_effect

    Notes
    -----
    Glass's delta of pairs, SD s of one sample, s_d of the differences: ``SE^2 = (s_d^2 / s^2 + d^2 / 2) / (n - 1)``
    (Bonett 2008, Psychological Methods 13:99), which the ``t`` and ``normal`` intervals use. The noncentral intervals
    take ``s_d = s`` (``nct``) or ``s_d^2 = 2 (1 - r) s^2``, that is, equal SDs (``nct_lambda``). With SDs 2 to 1, r .5
    and 8 to 20 pairs 95 % intervals cover 78 % (``nct``), 74 % (``nct_lambda``), and 98 % (``t``).

    References
    ----------
    .. [1] Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related
       estimators. Journal of Educational Statistics, 6(2), 107–128. https://doi.org/10.3102/10769986006002107

    Examples
    --------
    >>> found = effect_size([0.2, 0.3, 0.25, 0.4], [0.1, 0.25, 0.2, 0.3], measures="g")
    >>> found.tidy()["estimate"].round(3).tolist()
    [1.88]
    """
    from apastats.arguments import samples
    from apastats.comparing.margin import as_margin

    wanted = names("measures", measures)
    for m in wanted:
        choice("measures", m, MEASURES)
    choice("interval", interval, SMD_INTERVALS)
    pairs = "one sample or matched" if y is None or paired else "independent"
    for option, value in (("equal_var", equal_var), ("welch_df", welch_df)):
        applies(option, value, to=["independent"], chosen=pairs, by="samples", default=False)
    ranks = ("rank_biserial", "superiority")
    if not set(wanted) & set(ranks):
        applies(
            "rank_interval",
            rank_interval,
            to=ranks,
            chosen=wanted[0],
            by="measures",
            default="fisher",
        )
    if not set(wanted) - set(ranks):
        others = [m for m in MEASURES if m not in ranks]
        belongs: dict[str, Any] = {"to": others, "chosen": wanted[0], "by": "measures"}
        applies("interval", interval, **belongs, default="nct")
        applies("denominator", denominator, **belongs, default="auto")
        applies("bounds", bounds, **belongs)
    first, second = samples(x, y, paired)
    if len(first) < 3 or (second is not None and len(second) < 3):
        raise DesignError(
            "x: an effect size with an interval needs at least 3 values in each sample"
        )
    if second is None and bool(constant(first)):
        raise DesignError("x: the values have no variation; an effect size is not defined")
    margin = None if bounds is None else as_margin(bounds)
    rows = []
    for m in wanted:
        if m in ("d", "g", "glass"):
            where = "y" if m == "glass" and denominator == "auto" else denominator
            e = smd(
                first,
                second,
                paired,
                unbiased=m == "g",
                null=null,
                denominator=where,
                equal_var=equal_var,
                welch_df=welch_df,
                interval=interval,
                level=conf_level,
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
            name, r, low, high = rank_effect(
                m, first, second, paired, null=null, how=rank_interval, level=conf_level
            )
            row = {"term": name, "estimate": r, "conf_low": low, "conf_high": high}
        rows.append({**row, "conf_level": float(conf_level), "method": interval})
    warn_without_unit([float(r["estimate"]) for r in rows])
    info = Info(
        estimand="effect size",
        statistic="t",
        null_value=null,
        extra={"rank_interval": rank_interval},
        method="effect sizes with intervals",
        conf_level=float(conf_level),
        interval=interval,
        n_subject=len(first),
        margin=(
            None
            if margin is None
            else StatedMargin(
                f"{margin.low:g} to {margin.high:g}".replace("-", "\u2212"),
                "in units of the effect size",
            )
        ),
    )
    return EffectSizeResult(pd.DataFrame(rows), info, Provenance())


def warn_without_unit(estimates: list[float]) -> None:
    """Warn where a standardised difference is NaN."""
    if np.isfinite(estimates).all():
        return

    text = (
        "the standard deviation that is the unit of the effect size is 0, but for rounding; the standardised "
        "difference is not defined (NaN)"
    )
    warn(text, DegenerateWarning)


def smd(
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    *,
    null: float = 0.0,
    interval: str,
    level: float,
    **options: Any,
) -> Standardised:
    """Standardised difference of one sample, pairs or independent samples; options as in the numbers."""
    options |= {"interval": interval, "level": level}
    mx, sx = (float(v) for v in moments(x)[1:])
    if y is None:
        return standardised_difference(
            mx - null, sx, len(x), unbiased=options["unbiased"], interval=interval, level=level
        )
    my, sy = (float(v) for v in moments(y)[1:])
    if paired:
        options["sd_diff"] = float(moments(x - y, size=size_of(x, y))[2])
        options["r"] = float(np.corrcoef(x, y)[0, 1]) if sx > 0 and sy > 0 else 0.0
    found = standardised_difference(mx - null, sx, len(x), my, sy, len(y), **options)
    if paired and options.get("denominator") in ("x", "y") and found.denominator > 0:
        _warn_of_glass(options["sd_diff"] / found.denominator, options["r"], interval)
    return found


def _warn_of_glass(ratio: float, r: float, interval: str) -> None:
    """Warn where an interval takes the SD of the differences for clearly smaller than it is, both in units."""
    assumed = {"nct": 1.0, "nct_lambda": float(np.sqrt(max(2 * (1 - r), 0.0)))}.get(interval, ratio)
    if ratio > 1.1 * assumed:
        text = (
            f"effect_size: the interval {interval!r} of Glass's delta takes {assumed:.2g} for the SD of the differences"
            f" in units of the sample's, which is {ratio:.2g} here; it is too narrow; in Python: interval='t' holds"
        )
        warn(text, AssumptionWarning)


def _smd_test(e: Standardised, df: float, margin: Any) -> dict[str, Any]:
    """T tests of a standardised difference about 0 and about bounds in its own unit."""
    error = e.std_error if e.std_error > 0 else float("nan")
    t = e.estimate / error
    row: dict[str, Any] = {"statistic": t, "p_value": float(2 * stdtr(df, -abs(t)))}
    if margin is not None:
        low, high = (e.estimate - b for b in (margin.low, margin.high))
        p_low = float(stdtr(df, -low / error))
        p_high = float(stdtr(df, high / error))
        row |= {"bound_low": margin.low, "bound_high": margin.high}
        row |= {"statistic_low": low / error, "statistic_high": high / error}
        row |= {
            "p_value_noninf": p_low,
            "p_value_nonsup": p_high,
            "p_value_equiv": max(p_low, p_high),
        }
    return row


def rank_effect(
    measure: str,
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    *,
    null: float = 0.0,
    how: str,
    level: float,
) -> tuple[str, float, float, float]:
    """Name, estimate and interval of "rank_biserial" or "superiority"."""
    single = y is None or paired
    z = (x if y is None else x - y if paired else x) - null
    small = float(rounding(x, y, np.asarray(null)))
    r, n, ties = rank_biserial(z, None if single else y, small)
    n = n if single and how != "fisher_n" else len(z)
    n_y = None if single or y is None else len(y)
    # a zero difference has no rank: for the interval of pairs n counts those that have one
    low, high = rank_biserial_interval(r, n, n_y, level, how, ties)
    # r = P(X > Y) - P(X < Y), and these two and P(X = Y) sum to 1: (r + 1) / 2 counts ties half
    if measure == "superiority":
        return "probability of superiority", (r + 1) / 2, (low + 1) / 2, (high + 1) / 2
    return "rank-biserial correlation", r, low, high
