"""Which units (vertices, neurons, features) vary: the rule of ``moments`` on the scale of the data."""

from __future__ import annotations

import numpy as np

from apastats.numbers.moments import constant

__all__ = ["scale_of", "varies"]


def scale_of(*parts: np.ndarray) -> np.ndarray:
    """Scale of every column, against which its differences are rounding or not.

    Parameters
    ----------
    *parts : numpy.ndarray
        ``[n_row, n_unit]`` each, all rows a unit has (train and test, say); NaN is left out.

    Returns
    -------
    numpy.ndarray
        ``[n_unit]`` largest absolute value of the unit. At least the median range over units: what a
        unit keeps after its constant level was taken off (1e-14 where others vary by 1) is rounding.

    Examples
    --------
    >>> scale_of(np.array([[0.0, 5.0, 1.0], [0.0, -7.0, 1.0]]))
    array([12., 12., 12.])
    """
    low, high = _ends(np.concatenate(parts))
    span = (high - low)[high > low]
    level = np.where(high >= low, np.maximum(np.abs(low), np.abs(high)), 0.0)
    return np.maximum(level, np.median(span) if len(span) else 0.0)


def varies(values: np.ndarray, scale: np.ndarray | None = None) -> np.ndarray:
    """Which columns vary by more than rounding over the rows given.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_row, n_unit]``: all rows, or those of one part (a fold, the test set); NaN is left out.
    scale : numpy.ndarray, optional
        ``[n_unit]`` from :func:`scale_of` over all rows the unit has; that of ``values`` by default.

    Returns
    -------
    numpy.ndarray
        ``[n_unit]`` of bool: not constant by :func:`apastats.numbers.moments.constant` at that scale.

    Examples
    --------
    >>> varies(np.array([[0.1 + 0.2, 0.0], [0.3, 1.0]]))
    array([False,  True])
    """
    x = np.asarray(values, dtype="f8")
    return np.asarray(~constant(x, size=scale_of(x) if scale is None else scale))


def _ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest finite value of every column; inf and -inf where there is none."""
    there = np.isfinite(x)
    return (
        np.where(there, x, np.inf).min(axis=0, initial=np.inf),
        np.where(there, x, -np.inf).max(axis=0, initial=-np.inf),
    )
