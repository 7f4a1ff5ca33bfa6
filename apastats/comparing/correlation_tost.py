"""Correlations with a margin: one, two independent ones, and two that share a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from apastats.arguments import array, choice, number, whole
from apastats.comparing.decisions import check_alpha, check_hypothesis
from apastats.comparing.equivalence import EquivalenceResult
from apastats.comparing.margin import Margin, as_margin
from apastats.comparing.rows import claim_words, insert_before, tidy_row
from apastats.errors import DesignError, InputError, MarginError
from apastats.numbers.correlation import correlate
from apastats.numbers.fisher import (
    OneTest,
    one_test,
)
from apastats.numbers.moments import constant
from apastats.numbers.tested import Tested, with_wide
from apastats.recording import verb
from apastats.results import Provenance
from apastats.words import Held

__all__ = [
    "correlation_tost",
    "correlation_tost_summary",
]

METHODS = ("pearson", "spearman", "kendall")


def profiles(arrays: dict[str, Any]) -> list[np.ndarray]:
    """One-dimensional arrays of one length, items with a missing value left out of all."""
    line = "a one-dimensional array of numbers"
    out = [array(name, values, ndim=1, allowed=line) for name, values in arrays.items()]
    lengths = {len(x) for x in out}
    if len(lengths) > 1:
        raise InputError(", ".join(arrays), sorted(lengths), "arrays of one length")
    keep = np.all([np.isfinite(x) for x in out], axis=0)
    out = [x[keep] for x in out]
    if len(out[0]) < 5:
        raise DesignError(f"{next(iter(arrays))}: {len(out[0])} items; at least 5 are needed")
    for name, x in zip(arrays, out, strict=True):
        if constant(x):
            raise DesignError(f"{name}: the profile is constant; a correlation is not defined")
    return out


def jackknife_error(x: np.ndarray, y: np.ndarray, method: str) -> float:
    """Jackknife standard error of ``atanh(r)``; infinite where a correlation without one item is perfect."""
    n = len(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.arctanh([correlate(x[k], y[k], method) for k in ~np.eye(n, dtype=bool)])
        error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return error if np.isfinite(error) else float("inf")


def _check_method(method: Any) -> str:
    choice("method", method, METHODS)
    return str(method)


def correlation_margin(bounds: Any, limit: float) -> Margin:
    margin = as_margin(bounds)
    if margin.origin != "raw":
        raise MarginError("bounds", margin, "a number or a pair of correlations")
    if not -limit < margin.low < margin.high < limit:
        raise MarginError("bounds", bounds, f"numbers between {-limit:g} and {limit:g}")
    return margin


def _tested(
    estimate: float,
    se: float,
    df: float,
    ordinary: tuple[float, float, float],
    low: tuple[float, float],
    high: tuple[float, float],
    limits: tuple[float, float],
) -> Tested:
    """One family of tests from their statistics and the lower tails of these.

    ``ordinary``: statistic, p above, p below; ``low`` and ``high``: statistic of the claim inside that bound and its
    p-value. The claims outside the bounds have the complementary p-values.
    """
    t, above, below = ordinary
    values = {
        "estimate": estimate,
        "std_error": se,
        "statistic": t,
        "df": df,
        "p_value": min(1.0, 2 * min(above, below)),
        "conf_low": limits[0],
        "conf_high": limits[1],
        "statistic_low": low[0],
        "statistic_high": high[0],
        "p_low": low[1],
        "p_high": high[1],
        "p_below": 1 - low[1],
        "p_above": 1 - high[1],
        "n": 0,
    }
    return Tested(**{k: np.array([float(v)]) for k, v in values.items()})


def _one_tested(test: OneTest, r: float, null: float, margin: Margin, alpha: float) -> Tested:
    """Tests of one correlation against a value and two bounds."""
    above, below = test.statistics(null)
    t = above if above > 0 else below if below < 0 else 0.0
    low, high = test.statistics(margin.low), test.statistics(margin.high)
    # tests are on the scale of z, where the error does not depend on the correlation; 1 - r^2 is dr / dz, for the
    # error that is shown
    tested = _tested(
        r,
        test.se * (1 - r * r),
        test.df,
        (t, test.tail(-above), test.tail(below)),
        (low[0], test.tail(-low[0])),
        (high[1], test.tail(high[1])),
        test.limits(alpha),
    )
    # claims outside: with a continuity correction they are not the complement of those inside
    return replace(
        tested,
        p_below=np.array([test.tail(low[1])]),
        p_above=np.array([test.tail(-high[0])]),
    )


def finish_correlation(
    tested: Tested,
    margin: Margin,
    alpha: float,
    hypothesis: str,
    method: str,
    n: int,
    *,
    contrast: str,
    estimand: str,
    resampled: str = "",
    seed: str = "",
    null: float = 0.0,
    beside: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> EquivalenceResult:
    fields = {k: getattr(tested, k) for k in Tested.__slots__ if k != "n"}
    tested = Tested(**fields, n=np.array([n]))
    table = tidy_row(tested, margin.low, margin.high, alpha, hypothesis, method, True)
    table["contrast"] = contrast
    table = table.rename(columns={"n_subject": "n_item"})
    if beside:
        table = insert_before(table, "decision", beside)
    letter = "t" if np.isfinite(tested.df).all() else "z"
    info = claim_words(method, method, letter, hypothesis, margin, alpha, n, resampled, null).but(
        estimand=estimand,
        margin=margin.words("in correlations"),
        n_subject=None,
        n_item=n,
        held_fixed=(
            Held(
                "everything but the items that are correlated",
                "everything but the items that are correlated",
            ),
        ),
    )
    return EquivalenceResult(table, info, Provenance(seed=seed), notes=notes)


@verb
def correlation_tost_summary(
    r: float,
    n: int,
    *,
    bounds: Any = None,
    null: float = 0.0,
    method: str = "pearson",
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
    z_error: float | None = None,
    small_sample: bool = True,
) -> EquivalenceResult:
    """Test one correlation against a value and two bounds, from r and n, on Fisher's z scale.

    Parameters
    ----------
    r : float
        Correlation.
    n : int
        Items.
    bounds : float or (float, float)
        The margin, in correlations; there is no default.
    null : float
        Value of the ordinary test alone; the bounds do not move with it.
    method : {"pearson", "spearman", "kendall"}
        Which correlation it is; decides the standard error.
    hypothesis, alpha
        As in :func:`apastats.tost`.
    z_error : float, optional
        Standard error of ``atanh(r)`` where it was estimated otherwise.
    small_sample : bool
        Whether the test is corrected for few items: the bias of Fisher's z at the tested value is taken off
        (``rho / (2 (n - 1))``; Kendall ``0.437 tau / (n - 4)`` and half a step for continuity), rank correlations use t
        with n - 2 df, a given ``z_error`` t with n - 1. False: the plain z test of other programs, whose claims above a
        high bound come too often.

    Returns
    -------
    EquivalenceResult
        One row; ``std_error`` is that of r, the interval is back on the scale of r. ``statistic_t, df_t, p_value_t``
        hold the ordinary t test of "no correlation" (not for Kendall's tau).

        Columns: ``contrast`` (what is subtracted from what), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval),
        ``conf_low_difference`` (lower limit beside the ordinary test), ``conf_high_difference`` (upper limit
        beside the ordinary test), ``conf_level_difference`` (level of that interval), ``bound_low`` (lower
        margin), ``bound_high`` (upper margin), ``statistic_low`` (statistic against the lower margin),
        ``statistic_high`` (statistic against the upper margin), ``p_value_noninf`` (p-value against the lower
        margin), ``p_value_nonsup`` (p-value against the upper margin), ``p_value_equiv`` (p-value of
        equivalence, the larger of the one-sided ones), ``z_error`` (error on the scale of Fisher z),
        ``statistic_t`` (t statistic), ``df_t`` (its degrees of freedom), ``p_value_t`` (its p-value),
        ``decision`` (equivalent, different, ..., or undecided), ``n_item`` (stimuli or units of it),
        ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If r or n is impossible.

    See Also
    --------
    correlation_tost

    References
    ----------
    .. [1] Goertzen, J. R., & Cribbie, R. A. (2010). Detecting a lack of association: An equivalence testing
       approach. British Journal of Mathematical and Statistical Psychology, 63(3), 527–537.
       https://doi.org/10.1348/000711009X475853

    Examples
    --------
    >>> correlation_tost_summary(0.12, 60, bounds=0.25).tidy()["p_value_equiv"].round(4).item()
    0.1506
    """
    alpha, hypothesis, method = (
        check_alpha(alpha),
        check_hypothesis(hypothesis),
        _check_method(method),
    )
    margin = correlation_margin(bounds, 1.0)
    number("r", r, above=-1, below=1, allowed="a correlation between -1 and 1")
    number("null", null, above=-1, below=1, allowed="a correlation between -1 and 1")
    whole("n", n, least=5, allowed="at least 5 items")
    if z_error is not None:
        # infinite comes from a jackknife in which one correlation is perfect
        z_error = z_error if z_error == np.inf else number("z_error", z_error, above=0)
    few = small_sample
    test = one_test(r, n, method, z_error=z_error, small_sample=few)
    tested = with_wide(lambda a: _one_tested(test, r, null, margin, a), alpha)
    notes: tuple[str, ...] = ()
    if method == "kendall" and max(abs(margin.low), abs(margin.high), abs(r)) > 0.8:
        notes = (
            "the standard error of Kendall's tau (Fieller et al. 1957) holds up to 0.8 in size only",
        )
    return finish_correlation(
        tested,
        margin,
        alpha,
        hypothesis,
        f"{method} correlation, Fisher z" + (", corrected for few items" if few else ""),
        int(n),
        contrast="r",
        estimand="correlation",
        null=null,
        beside={"z_error": test.se, **_ordinary_t(r, n, method)},
        notes=notes,
    )


def _ordinary_t(r: float, n: int, method: str) -> dict[str, float]:
    """Student's t of a correlation of 0."""
    if method == "kendall":
        return {}
    t = r * float(np.sqrt((n - 2) / (1 - r * r)))
    return {"statistic_t": t, "df_t": n - 2.0, "p_value_t": 2 * float(stdtr(n - 2, -abs(t)))}


@verb
def correlation_tost(
    x: ArrayLike,
    y: ArrayLike,
    *,
    bounds: Any = None,
    null: float = 0.0,
    method: str = "pearson",
    error: str = "analytic",
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
    small_sample: bool = True,
) -> EquivalenceResult:
    """Test one correlation against a value and two bounds.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Profiles.
    bounds : float or (float, float)
        The margin, in correlations; there is no default.
    null : float
        Value of the ordinary test alone; the bounds do not move with it.
    method : {"pearson", "spearman", "kendall"}
        Correlation.
    error : {"analytic", "jackknife"}
        Standard error on the z scale.
    hypothesis, alpha
        As in :func:`apastats.tost`.
    small_sample : bool
        Whether the test is corrected for few items, as in :func:`apastats.correlation_tost_summary`.

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
        equivalence, the larger of the one-sided ones), ``z_error`` (error on the scale of Fisher z),
        ``statistic_t`` (t statistic), ``df_t`` (its degrees of freedom), ``p_value_t`` (its p-value),
        ``decision`` (equivalent, different, ..., or undecided), ``n_item`` (stimuli or units of it),
        ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If there are fewer than five items or a profile is constant.
    InputError
        If an argument is not allowed.

    See Also
    --------
    correlation_tost_summary, correlation_difference, tost

    Notes
    -----
    Items must be independent: for the ROIs of a brain they are not, and the interval is too narrow.

    References
    ----------
    .. [1] Goertzen, J. R., & Cribbie, R. A. (2010). Detecting a lack of association: An equivalence testing
       approach. British Journal of Mathematical and Statistical Psychology, 63(3), 527–537.
       https://doi.org/10.1348/000711009X475853

    Examples
    --------
    >>> found = correlation_tost([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], bounds=(0.2, 0.99))
    >>> found.tidy()["estimate"].round(3).item()
    0.829
    """
    first, second = profiles({"x": x, "y": y})
    method = _check_method(method)
    choice("error", error, ("analytic", "jackknife"))
    r = correlate(first, second, method)
    n = len(first)
    z_error = jackknife_error(first, second, method) if error == "jackknife" else None
    return correlation_tost_summary(
        r,
        n,
        bounds=bounds,
        null=null,
        method=method,
        hypothesis=hypothesis,
        alpha=alpha,
        z_error=z_error,
        small_sample=small_sample,
    )
