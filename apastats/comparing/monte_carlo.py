"""Monte-Carlo error of p-values from sampled resamples, and decisions that it could turn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtrit

from apastats.errors import MonteCarloWarning, warn

__all__ = ["p_errors", "with_p_errors"]

# columns with p-values that decide, and whether they are twice a one-sided share
COLUMNS = {"p_value": True, "p_value_equiv": False}
_FAR = 8.0
SURE = 2.0  # standard errors between a p-value and the level that leave a decision as it is


def p_errors(
    p: np.ndarray,
    draws: int,
    *,
    interval: str = "percentile",
    few: tuple[float, float] | None = None,
    two_sided: bool = False,
) -> np.ndarray:
    """Monte-Carlo standard errors of p-values.

    Parameters
    ----------
    p : array
        p-values.
    draws : int
        Resamples drawn.
    interval : str
        How replicates give the p-value: a share of them; ``"bca"``: a share moved by the estimated bias;
        ``"normal"``: by their mean and standard deviation.
    few : (float, float), optional
        Degrees of freedom and ratio of the correction for few units, see :func:`apastats.numbers.few.few_p`.
    two_sided : bool
        Whether p is twice the smaller one-sided p-value.

    Returns
    -------
    numpy.ndarray
        A share q has the error ``sqrt(q (1 - q) / draws)``; what is done to it afterwards enters by the delta method.

    Examples
    --------
    >>> p_errors(np.array([0.05]), 9999).round(5).item()
    0.00218
    """
    one = np.asarray(p, dtype=float) / (2 if two_sided else 1)
    one = np.clip(one, 1e-12, 1 - 1e-12)
    z = ndtri(one)
    slope = np.ones_like(one)
    if few is not None:
        df, ratio = few
        t = stdtrit(df, one)
        # no number of draws tells shares beyond 8 normal deviates (6e-16) apart, whose density would be 0
        z = np.clip(t / ratio, -_FAR, _FAR)
        slope = ratio * _t_density(t, df) / _density(z)
    # the smaller tail, so that the other is never 1 less nothing
    low = ndtr(-np.abs(z))
    if interval == "normal":
        error = _density(z) * np.sqrt((1 + z * z / 2) / draws)
    elif interval == "bca":
        # p is about Phi(Phi^-1(q) - 2 z0); q and z0 come from the same draws
        at, middle = _density(z), _density(0.0)
        spread = low * (1 - low) / at**2 - 2 * low / (at * middle) + 1 / middle**2
        error = at * np.sqrt(np.maximum(spread, 0.0) / draws)
    else:
        error = np.sqrt(low * (1 - low) / draws)
    out: np.ndarray = (2 if two_sided else 1) * slope * error
    return np.where(np.isnan(p), np.nan, out)


def _density(z: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi))


def _t_density(t: np.ndarray, df: float) -> np.ndarray:
    from scipy.special import gammaln

    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
    return np.asarray(np.exp(constant - (df + 1) / 2 * np.log1p(t * t / df)))


def with_p_errors(
    table: pd.DataFrame,
    alpha: float,
    *,
    draws: int,
    interval: str = "percentile",
    few: tuple[float, float] | None = None,
    joint_draws: int = 0,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Table with ``p_value_mcse`` and the like behind sampled p-values, and notes where a decision hangs on the draws.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``p_value`` and perhaps ``p_value_equiv``, and perhaps their ``_adjusted`` forms, which then decide.
    alpha : float
        Level of the decisions.
    draws, joint_draws : int
        Resamples drawn for the tests, and for a joint adjustment; 0 where there was no chance in it.
    interval, few
        See :func:`p_errors`.

    Warns
    -----
    MonteCarloWarning
        Where a p-value that decides lies within two Monte-Carlo standard errors of alpha.
    """
    near, largest = np.zeros(len(table), dtype=bool), 0.0
    for column, twice in COLUMNS.items():
        if column not in table.columns:
            continue
        p = table[column].to_numpy(dtype=float)
        error = np.zeros(len(p))
        if draws:
            error = p_errors(p, draws, interval=interval, few=few, two_sided=twice)
            table = _behind(table, column, error)
        if (adjusted := f"{column}_adjusted") in table.columns:
            # a formula scales p and its error alike
            with np.errstate(divide="ignore", invalid="ignore"):
                error = error * np.where(p > 0, table[adjusted] / p, 1.0)
            p = table[adjusted].to_numpy(dtype=float)
            if joint_draws:
                error = p_errors(p, joint_draws)
                table = _behind(table, adjusted, error)
        hangs = np.abs(p - alpha) < SURE * error
        near |= hangs
        largest = max(largest, float(np.where(hangs, error, 0.0).max(initial=0.0)))
    if not near.any():
        return table, ()
    text = (
        f"{int(near.sum())} of {len(table)} decisions could turn with other random numbers (the first: "
        f"{table.loc[near, 'contrast'].iloc[0]}): a p-value lies within {SURE:g} Monte-Carlo standard errors, of up to "
        f"{largest:.2g}, of {alpha:g}; more than {max(draws, joint_draws)} resamples would tell"
    )
    warn(text, MonteCarloWarning)
    return table, (text,)


def _behind(table: pd.DataFrame, column: str, error: np.ndarray) -> pd.DataFrame:
    """Table with the errors of a column right behind it."""
    names = list(table.columns)
    at = names.index(column) + 1
    new = f"{column}_mcse"
    return table.assign(**{new: error})[[*names[:at], new, *names[at:]]]
