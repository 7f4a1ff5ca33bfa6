"""Moments of arrays with missing values, and the one rule for what is rounding.

Scores are rounded when they are stored, and again when they are subtracted or averaged: each step leaves an error
of half a unit in the last place (1.1e-16) of the *scores*, however small the result. A spread, a difference or a zero
is therefore judged against the size of the scores it was made from, never against itself.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ROUNDING", "centred", "constant", "moments", "rounding", "size_of"]

# a thousand half units in the last place: arithmetic on scores stays below, no measurement comes near
ROUNDING = 1e-13


def size_of(*arrays: np.ndarray | None, axis: int | None = None) -> np.ndarray:
    """Largest absolute value, over everything or along an axis; NaN left out, 0 where there is none."""
    sizes = [
        np.max(np.abs(np.nan_to_num(a, nan=0.0)), axis=axis, initial=0.0)
        for a in arrays
        if a is not None
    ]
    return np.asarray(np.maximum.reduce(sizes))


def rounding(
    *arrays: np.ndarray | None, axis: int | None = None, size: np.ndarray | float = 0.0
) -> np.ndarray:
    """Differences up to this are rounding, for values made from these arrays or from scores of a size."""
    return np.asarray(ROUNDING * np.maximum(size_of(*arrays, axis=axis), size))


def centred(
    values: np.ndarray, *, axis: int = 0, size: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of values, mean, and deviations from it (0 where missing, exactly 0 where all are rounding).

    Parameters
    ----------
    values : array
        NaN where missing.
    axis : int
        Axis of the units.
    size : array or float
        Size of the scores the values were made from (differences of large scores are rounded as these are); the
        values' own size where that is larger. Broadcasts to the result.
    """
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=axis) / n
        deviation = np.where(known, values - np.expand_dims(mean, axis), 0.0)
    small = rounding(values, axis=axis, size=size)
    flat = np.max(np.abs(deviation), axis=axis, initial=0.0) <= small
    deviation[np.broadcast_to(np.expand_dims(flat, axis), deviation.shape)] = 0.0
    return n, mean, deviation


def constant(values: np.ndarray, *, axis: int = 0, size: np.ndarray | float = 0.0) -> np.ndarray:
    """Whether values do not vary but by rounding; arguments as in :func:`centred`."""
    return np.asarray(~centred(values, axis=axis, size=size)[2].any(axis=axis))


def moments(
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    axis: int = 0,
    size: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of values, mean and standard deviation along an axis; NaN left out.

    Without weights the divisor is ``n - 1`` (NaN below two values); with weights (probabilities of enumerated
    replicates, along the last axis) the variance is that of the distribution. Exactly 0 where the values are constant
    up to rounding; arguments as in :func:`centred`.
    """
    if weights is None:
        n, mean, deviation = centred(values, axis=axis, size=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return n, mean, np.sqrt((deviation**2).sum(axis=axis) / np.where(n > 1, n - 1, np.nan))
    known = np.isfinite(values)
    total = known @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0) @ weights / total
        deviation = np.where(known, values - mean[..., None], 0.0)
        return known.sum(axis=-1), mean, np.sqrt(deviation**2 @ weights / total)
