"""What few units take from a bootstrap test: a level that is too small, and an interval that is too narrow.

Resamples of n values vary by ``(n - 1) / n`` of the variance that an unbiased estimate has, and their quantiles know
nothing of the uncertainty of that variance. Reading the level of the normal as the level of Student's t and undoing the
factor repairs both to first order (Hesterberg 2015, The American Statistician 69:371, section 4.4).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

__all__ = ["few_level", "few_p", "few_words"]


def few_p(p: np.ndarray, df: float, ratio: float) -> np.ndarray:
    """One-sided p-values for few units: ``T_df(ratio * Phi^-1(p))``.

    Parameters
    ----------
    p : array
        Shares of resamples beyond a value.
    df : float
        Degrees of freedom of the standard error.
    ratio : float
        Standard deviation of the replicates over that standard error, ``sqrt((n - 1) / n)`` for a mean.

    Examples
    --------
    >>> few_p(np.array([0.05]), 9.0, np.sqrt(0.9)).round(3).item()
    0.077
    """
    return np.asarray(stdtr(df, ratio * ndtri(p)))


def few_level(alpha: float, df: float, ratio: float) -> float:
    """Share of resamples at which :func:`few_p` is alpha; the level at which an interval's quantiles are taken.

    Examples
    --------
    >>> round(few_level(0.05, 9.0, np.sqrt(0.9)), 4)
    0.0267
    """
    return float(ndtr(stdtrit(df, alpha) / ratio))


def few_words(
    test: str,
    interval: str,
    n: int,
    unit: str,
    *,
    corrected: bool,
    two: bool,
    sd_units: bool = False,
) -> str:
    """What is said about the correction of a test; "" where it has none."""
    if sd_units:
        return (
            "bounds in SD units by the noncentral t, the estimated SD accounted for"
            if corrected and test == "t"
            else "the estimated SD that the bounds are multiples of is taken as known: liberal for bounds beyond one SD"
        )
    if test == "permutation" and two:
        return (
            "the p-value is the larger one of the relabelling test and of Welch's t, the interval holds both"
            if corrected
            else "relabelling test alone; exact for samples of one population, a little liberal where the smaller "
            "sample varies more"
        )
    if test != "bootstrap" or interval == "studentized":
        return ""
    if corrected:
        return (
            f"shares of resamples read on the scale of Student's t, for few {unit}s (expanded {interval} interval, "
            "Hesterberg 2015)"
        )
    return f"plain {interval} bootstrap, without correction for few {unit}s" + (
        "" if n >= 20 else ": liberal (about 7 % false claims with 10 at a nominal 5 %)"
    )
