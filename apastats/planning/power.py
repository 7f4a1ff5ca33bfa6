"""Power and sample size of tests with a margin, exact for the t tests."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtrit

from apastats.arguments import MOST, choice, number, numbers
from apastats.comparing.decisions import check_alpha, check_hypothesis
from apastats.comparing.margin import as_margin
from apastats.errors import InputError
from apastats.numbers.noncentral import noncentral_t_cdf, tost_power
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import Drawn, Held, Info, StatedMargin

__all__ = [
    "PowerResult",
    "power_correlation",
    "power_t",
    "power_tost",
    "sample_size_tost",
]

DESIGNS = ("paired", "one_sample", "two_sample")


class PowerResult(Result):
    """Power or sample size; one row per combination of what was given."""

    kind: ClassVar[str] = "power"


def _design(design: Any) -> str:
    return choice("design", design.replace(".", "_"), DESIGNS)


def _errors(n: Any, sd: float, design: str) -> tuple[float, float]:
    """Standard error factor and degrees of freedom of n (a pair for two groups)."""
    if design == "two_sample":
        sizes = np.array(n if isinstance(n, tuple) else (n, n))
        return sd * float(np.sqrt((1 / sizes).sum())), float(sizes.sum() - 2)
    return sd / float(np.sqrt(n)), float(n - 1)


def _sizes(n: Any, design: str) -> list[Any]:
    """Sizes to go through; for two groups a tuple is one pair, and a list may hold pairs."""
    listed = isinstance(n, (list, range, pd.Series)) or (isinstance(n, np.ndarray) and n.ndim > 0)
    out = []
    for size in list(n) if listed else [n]:
        if design == "two_sample":
            pair = isinstance(size, tuple) and len(size) == 2
            both = tuple(number("n", v, least=2, most=MOST) for v in (size if pair else (size,)))
            out.append(both if pair else size)
        else:
            number("n", size, above=1, most=MOST)
            out.append(size)
    if not out:
        raise InputError("n", n, "a number above 1, or a list of them")
    return out


@verb
def power_tost(
    *,
    n: Any,
    sd: Any,
    bounds: Any,
    difference: Any = 0.0,
    alpha: float = 0.05,
    design: str = "paired",
    hypothesis: str = "equivalence",
) -> PowerResult:
    """Exact power of t tests with a margin.

    Parameters
    ----------
    n : float, list of float, or (float, float)
        Pairs, observations, or number per group; a tuple of two for groups of different size.
    sd : float or list of float
        True SD: of the differences (paired), of the scores (one sample), within groups (two samples).
    bounds : float or (float, float)
        The margin, in the unit of ``sd``; there is no default.
    difference : float or list of float
        True difference.
    alpha : float
        Level of each one-sided test.
    design : {"paired", "one_sample", "two_sample"}
        Two samples have one common SD.
    hypothesis : {"equivalence", "minimal_effect", "noninferiority", "nonsuperiority", "superiority"}
        The claim.

    Returns
    -------
    PowerResult
        One row per combination: ``n, sd, difference, bound_low, bound_high, alpha, estimate`` (power).

        Columns: ``n`` (number of units), ``sd`` (standard deviation), ``difference`` (difference),
        ``bound_low`` (lower margin), ``bound_high`` (upper margin), ``alpha`` (level of the test),
        ``estimate`` (what is estimated, from the data themselves), ``method`` (how the interval or test was
        made).

    Raises
    ------
    InputError, MarginError
        If a number is impossible.

    See Also
    --------
    sample_size_tost, power_t, tost

    Notes
    -----
    See :func:`apastats.numbers.noncentral.tost_power`. Most equivalence studies need the power at a small difference
    other than 0: models are never exactly equal.

    References
    ----------
    .. [1] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> power_tost(n=[10, 20, 40], sd=0.03, bounds=0.02).tidy()["estimate"].round(3).tolist()
    [0.282, 0.78, 0.987]
    """
    alpha, hypothesis, design = check_alpha(alpha), check_hypothesis(hypothesis), _design(design)
    margin = as_margin(bounds)
    rows = []
    for size, s, d in product(
        _sizes(n, design), numbers("sd", sd, above=0), numbers("difference", difference)
    ):
        se, df = _errors(size, s, design)
        power = float(tost_power(se, df, d, margin.low, margin.high, alpha, hypothesis))
        rows.append(
            {
                "n": size if np.isscalar(size) else "/".join(f"{v:g}" for v in size),
                "sd": s,
                "difference": d,
                "bound_low": margin.low,
                "bound_high": margin.high,
                "alpha": alpha,
                "estimate": power,
                "method": f"{design} t, {hypothesis}",
            }
        )
    info = _words("exact power of t tests with bounds", design, hypothesis, alpha, margin.words())
    return PowerResult(pd.DataFrame(rows), info, Provenance())


def _words(
    method: str, design: str, hypothesis: str, alpha: float, margin: StatedMargin | None
) -> Info:
    return Info(
        estimand="power or number of subjects",
        method=method,
        hypothesis=hypothesis,
        margin=margin,
        alpha=alpha,
        resampled=Drawn(),
        held_fixed=(Held("true SD and difference that were assumed"),),
        extra={"design": design},
    )


def _smallest(f: Callable[[float], float], power: float, start: float, name: str) -> float:
    """Real n at which a rising power function reaches a value."""
    from scipy.optimize import brentq

    low, high = start, 2 * start + 4

    def reached(n: float) -> float:
        found = f(n)
        return (
            0.0 if np.isnan(found) else found
        )  # a level too small for the t distribution at this n

    if reached(low) >= power:
        return low
    while reached(high) < power:
        low, high = high, 2 * high
        if high > 1e7:
            raise InputError(
                name,
                power,
                "a power that can be reached",
                hint="10 million subjects do not reach it: the bounds are too narrow for the SD, or the true "
                "difference is too close to one.",
            )
    return float(brentq(lambda v: reached(v) - power, low, high, xtol=1e-9))


@verb
def sample_size_tost(
    *,
    power: Any = 0.8,
    sd: Any,
    bounds: Any,
    difference: Any = 0.0,
    alpha: float = 0.05,
    design: str = "paired",
    hypothesis: str = "equivalence",
) -> PowerResult:
    """Smallest number that reaches a power.

    Parameters
    ----------
    power : float or list of float
        Wanted power.
    sd, bounds, difference, alpha, design, hypothesis
        As in :func:`power_tost`.

    Returns
    -------
    PowerResult
        One row per combination: ``estimate`` is the real n (pairs, observations, or per group), ``n`` the whole
        number to plan with, ``power_at_n`` what it gives.

        Columns: ``power`` (power), ``sd`` (standard deviation), ``difference`` (difference), ``bound_low``
        (lower margin), ``bound_high`` (upper margin), ``alpha`` (level of the test), ``estimate`` (what is
        estimated, from the data themselves), ``n`` (number of units), ``power_at_n`` (power at that number),
        ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If the power cannot be reached (the true difference lies on or outside a bound).

    See Also
    --------
    power_tost, subjects_needed

    References
    ----------
    .. [1] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> sample_size_tost(power=0.9, sd=0.03, bounds=0.02).tidy()["n"].item()
    26
    """
    alpha, hypothesis, design = check_alpha(alpha), check_hypothesis(hypothesis), _design(design)
    margin = as_margin(bounds)
    rows = []
    for wanted, s, d in product(
        numbers("power", power, above=0, below=1),
        numbers("sd", sd, above=0),
        numbers("difference", difference),
    ):

        def f(n: float, s: float = s, d: float = d) -> float:
            se, df = _errors(n, s, design)
            return float(tost_power(se, df, d, margin.low, margin.high, alpha, hypothesis))

        real = _smallest(f, wanted, 2.0, "power")
        whole = int(np.ceil(real - 1e-9))
        rows.append(
            {
                "power": wanted,
                "sd": s,
                "difference": d,
                "bound_low": margin.low,
                "bound_high": margin.high,
                "alpha": alpha,
                "estimate": real,
                "n": whole,
                "power_at_n": f(whole),
                "method": f"{design} t, {hypothesis}",
            }
        )
    info = _words("sample size of t tests with bounds", design, hypothesis, alpha, margin.words())
    return PowerResult(pd.DataFrame(rows), info, Provenance())


@verb
def power_t(
    *,
    n: Any,
    sd: float = 1.0,
    difference: float,
    alpha: float = 0.05,
    design: str = "paired",
    alternative: str = "two-sided",
) -> PowerResult:
    """Exact power of the ordinary t test, both tails counted.

    Parameters
    ----------
    n, sd, difference, design
        As in :func:`power_tost`; ``n`` may be a list.
    alpha : float
        Level of the test.
    alternative : {"two-sided", "greater", "less"}
        ``greater``: the difference is above 0.

    Returns
    -------
    PowerResult

        Columns: ``n`` (number of units), ``sd`` (standard deviation), ``difference`` (difference), ``alpha``
        (level of the test), ``estimate`` (what is estimated, from the data themselves), ``method`` (how the
        interval or test was made).

    Raises
    ------
    InputError
        If a number is impossible.

    See Also
    --------
    power_tost, sample_size_tost

    References
    ----------
    .. [1] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> power_t(n=10, difference=0.8).tidy()["estimate"].round(4).item()
    0.6162
    """
    design = _design(design)
    choice("alternative", alternative, ("two-sided", "greater", "less"))
    number("sd", sd, above=0)
    rows = []
    for size in _sizes(n, design):
        se, df = _errors(size, float(sd), design)
        nc: np.ndarray = np.array(difference / se)
        dof = np.array(df)
        c: np.ndarray = np.array(
            stdtrit(df, 1 - (alpha / 2 if alternative == "two-sided" else alpha))
        )
        above, below = noncentral_t_cdf(-c, dof, -nc), noncentral_t_cdf(-c, dof, nc)
        power = {"two-sided": above + below, "greater": above, "less": below}[alternative]
        rows.append(
            {
                "n": size,
                "sd": sd,
                "difference": difference,
                "alpha": alpha,
                "estimate": float(np.clip(power, 0.0, 1.0)),
            }
            | {"method": f"{design} t, {alternative}"}
        )
    info = _words("exact power of the t test", design, "difference", alpha, None)
    return PowerResult(pd.DataFrame(rows), info, Provenance())


@verb
def power_correlation(
    *,
    n: Any,
    bounds: Any,
    rho: float = 0.0,
    alpha: float = 0.05,
    method: str = "normal",
) -> PowerResult:
    """Power of the equivalence test of one correlation on Fisher's z scale.

    Parameters
    ----------
    n : float or list of float
        Observations, above 3.
    bounds : float or (float, float)
        The margin, in correlations.
    rho : float
        True correlation.
    alpha : float
        Level of each one-sided test.
    method : {"normal", "published"}
        ``normal``: probability that z lies inside the region of rejection, which depends on ``rho``.
        ``published``: the formula of a published program, which takes ``rho`` to be 0, the narrower bound for both,
        and counts the tails beyond the other bound; for comparison only.

    Returns
    -------
    PowerResult

        Columns: ``n`` (number of units), ``rho`` (correlation), ``bound_low`` (lower margin), ``bound_high``
        (upper margin), ``alpha`` (level of the test), ``estimate`` (what is estimated, from the data
        themselves), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If n is not above 3 or a correlation outside -1..1.

    See Also
    --------
    power_tost, correlation_tost

    References
    ----------
    .. [1] Goertzen, J. R., & Cribbie, R. A. (2010). Detecting a lack of association: An equivalence testing
       approach. British Journal of Mathematical and Statistical Psychology, 63(3), 527–537.
       https://doi.org/10.1348/000711009X475853

    Examples
    --------
    >>> power_correlation(n=[100, 300], bounds=0.2).tidy()["estimate"].round(3).tolist()
    [0.275, 0.936]
    """
    alpha = check_alpha(alpha)
    margin = as_margin(bounds)
    number("rho", rho, above=-1, below=1)
    for end in (margin.low, margin.high):
        number("bounds", end, above=-1, below=1, allowed="correlations between -1 and 1")
    choice("method", method, ("normal", "published"))
    z = float(ndtri(1 - alpha))
    low, high, centre = np.arctanh([margin.low, margin.high, rho])
    rows = []
    for size in numbers("n", n, above=3, most=MOST):
        se = 1 / np.sqrt(size - 3)
        if method == "normal":
            power = ndtr((high - centre) / se - z) - ndtr((low - centre) / se + z)
        else:
            a = np.abs(np.array([low, high])) / se
            power = float(np.min(2 * (ndtr(a - z) + ndtr(-a - z)) - 1))
        rows.append(
            {
                "n": size,
                "rho": rho,
                "bound_low": margin.low,
                "bound_high": margin.high,
                "alpha": alpha,
            }
            | {"estimate": max(0.0, float(power)), "method": f"Fisher z, {method}"}
        )
    info = _words(
        "power of the equivalence test of a correlation",
        "one sample",
        "equivalence",
        alpha,
        margin.words("in correlations"),
    )
    return PowerResult(pd.DataFrame(rows), info, Provenance())
