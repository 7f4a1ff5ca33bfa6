"""Ranks of arrays; values that differ by rounding are tied."""

from __future__ import annotations

import numpy as np

__all__ = ["midranks", "tie_sizes"]


def midranks(x: np.ndarray, tolerance: np.ndarray | float = 0.0, *, axis: int = 0) -> np.ndarray:
    """Average ranks along an axis, from 1.

    Neighbours in order that differ by no more than ``tolerance`` (a number, or one per line along the axis) are tied:
    differences of decimal scores are equal only up to rounding, and 0.3 - 0.2 and 0.2 - 0.1 must share a rank.
    """
    x = np.moveaxis(x, axis, 0)
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    n = len(x)
    new = np.ones(x.shape, dtype=bool)
    new[1:] = ordered[1:] - ordered[:-1] > tolerance
    place = np.arange(1, n + 1).reshape((n,) + (1,) * (x.ndim - 1))
    first = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    end = np.ones(x.shape, dtype=bool)
    end[:-1] = new[1:]
    last = np.minimum.accumulate(np.where(end, place, n + 1)[::-1], axis=0)[::-1]
    out = np.empty(x.shape)
    np.put_along_axis(out, order, (first + last) / 2, axis=0)
    return np.moveaxis(out, 0, axis)


def tie_sizes(ranks: np.ndarray) -> np.ndarray:
    """How many values share each rank."""
    return np.unique(ranks, return_counts=True)[1]
