"""The delete-one jackknife: standard errors, and each unit's share in a mean."""

from __future__ import annotations

import numpy as np

__all__ = ["jackknife_error", "person_shares"]


def jackknife_error(left: np.ndarray) -> np.ndarray:
    """Standard error from leaving out one unit at a time, ``left [n, ...]``: ``sqrt((n - 1) / n sum (A_-i - mean)^2)``.

    Source: Tukey 1958, Annals of Mathematical Statistics 29:614; never too small on average (Efron and Stein
    1981, Annals of Statistics 9:586).
    """
    n = len(left)
    error: np.ndarray = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return error


def person_shares(values: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Share of every person, in all roles, in a mean over people who serve one another as references.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, ...)
        What is averaged over people, NaN where a person has no value.
    left : numpy.ndarray, shape (n, ...)
        The mean without person i in any role.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        ``A + (n - 1) (mean_j A_-j - A_-i)``, n the people with a value: the mean over people is A and the
        standard error of that mean the jackknife's. NaN where a person has no value, or nothing is left
        without the person.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> bool(np.allclose(person_shares(x, (x.sum() - x) / 2), x))
    True
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=0) / n
        left = np.where(known, left, np.nan)
        there = np.isfinite(left)
        centre = np.where(there, left, 0.0).sum(axis=0) / there.sum(axis=0)
    out: np.ndarray = mean + (n - 1) * (centre - left)
    return out
