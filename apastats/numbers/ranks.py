"""Ranks of arrays."""

from __future__ import annotations

import numpy as np


def midranks(x: np.ndarray) -> np.ndarray:
    """Average ranks along the first axis, from 1."""
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    n = len(x)
    new = np.ones(x.shape, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    place = np.arange(1, n + 1).reshape((n,) + (1,) * (x.ndim - 1))
    first = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    end = np.ones(x.shape, dtype=bool)
    end[:-1] = new[1:]
    last = np.minimum.accumulate(np.where(end, place, n + 1)[::-1], axis=0)[::-1]
    out = np.empty(x.shape)
    np.put_along_axis(out, order, (first + last) / 2, axis=0)
    return out
