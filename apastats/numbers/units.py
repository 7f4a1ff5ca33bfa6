"""What counts as variation: the one rule for units, parts of data and subjects that are constant."""

from __future__ import annotations

import numpy as np

__all__ = ["ROUNDING", "scale_of", "varies"]

# values that are equal in theory differ by a few hundred units in the last place after averaging,
# standardising or a matrix product; measurements differ by far more
ROUNDING = 1e-12


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
        ``[n_unit]`` of bool: the range exceeds ``ROUNDING`` times the scale.

    Examples
    --------
    >>> varies(np.array([[0.1 + 0.2, 0.0], [0.3, 1.0]]))
    array([False,  True])
    """
    x = np.asarray(values, dtype="f8")
    scale = scale_of(x) if scale is None else scale
    low, high = _ends(x)
    return np.asarray(high - low > ROUNDING * scale)


def _ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest finite value of every column; inf and -inf where there is none."""
    there = np.isfinite(x)
    return (
        np.where(there, x, np.inf).min(axis=0, initial=np.inf),
        np.where(there, x, -np.inf).max(axis=0, initial=-np.inf),
    )
