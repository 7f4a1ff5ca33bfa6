"""Sorting permutations of many rows: radix sorts of 16-bit keys, and what they left undone."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["TIE", "sorted_rows", "tie_width"]

# values closer than this share of the largest are one value: distances that are equal in theory differ by
# rounding (a few 1e-16 each), and their order would be that of the rounding errors
TIE = 1e-12
FINEST = 1e-9  # but what is this share of the range or more is never taken for rounding

CELLS = 2**17  # entries sorted at once: temporary arrays should stay in the cache
SHORT = 2**15  # up to here one 16-bit key tells most entries apart


def sorted_rows(values: np.ndarray, tie: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Stable argsort of every row of ``[n_row, n]``, without NaN, and where another value begins in it.

    Equal values are ties; with ``tie`` (``TIE`` for distances) also neighbours as close as :func:`tie_width` says.

    Rows are scaled to integers of 16 (long rows: 32) bits, sorted by radix, and neighbours the key
    could not tell apart are swapped into order. Rows for which that takes too long (values crowded at
    one place of the range) are sorted by comparison.
    """
    rows, n = values.shape
    step = max(1, CELLS // n)
    if n >= 64 and rows > step:
        order, new = np.empty(values.shape, dtype=np.intp), np.empty(values.shape, dtype=bool)
        for k in range(0, rows, step):
            order[k : k + step], new[k : k + step] = sorted_rows(values[k : k + step], tie)
        return order, new
    found = _by_key(values) if n >= 64 else None
    if found is None:
        order = np.argsort(values, axis=1, kind="stable")
        found = order, np.take_along_axis(values, order, axis=1)
    order, ordered = found
    new = np.ones(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        gap = np.diff(ordered, axis=1)
        np.greater(gap, tie_width(np, ordered[:, :1], ordered[:, -1:], tie), out=new[:, 1:])
        near = ((gap > 0) & ~new[:, 1:]).any(axis=1)
    for row in np.flatnonzero(near):  # ties that are not equal: in order of index again
        level = np.empty(n, dtype=np.intp)
        level[order[row]] = np.cumsum(new[row])
        order[row] = np.argsort(level, kind="stable")
    return order, new


def tie_width(xp: Any, low: Any, high: Any, tie: float) -> Any:
    """Differences up to this are rounding, for rows with these smallest and largest values (``[n_row, 1]``).

    ``tie`` times the largest absolute value, but at most ``FINEST`` of the range; everything where the
    range itself is no more than that: such a row is constant.
    """
    largest, span = xp.maximum(xp.abs(low), xp.abs(high)), high - low
    width = xp.minimum(tie * largest, FINEST * span if tie else 0 * span)
    width = xp.where(span <= tie * largest, span, width)
    return xp.where(xp.isfinite(span), width, xp.zeros_like(span))


def _by_key(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Sorting permutations and sorted rows; None where a key does not help."""
    rows, n = values.shape
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    spread = high.astype("f8") - low
    if not (np.isfinite(spread).all() and (spread > 0).all()):
        return None
    scaled = values - low.astype("f8")
    start = (np.arange(rows) * n)[:, None]
    if n <= SHORT:
        scaled *= 65535 / spread
        order = np.argsort(scaled.astype(np.uint16), axis=1, kind="stable")
        order += start
    else:
        scaled *= 4294967000 / spread
        key = scaled.astype(np.uint32)
        first = np.argsort(key.astype(np.uint16), axis=1, kind="stable")
        first += start
        order = np.argsort(np.take((key >> 16).astype(np.uint16), first), axis=1, kind="stable")
        order += start
        order = np.take(first, order)
    ordered = np.take(values, order)
    if not _repaired(order, ordered):
        return None
    order -= start
    return order, ordered


def _repaired(order: np.ndarray, ordered: np.ndarray) -> bool:
    """Swap neighbours that the key left in the wrong order, in place; whether that was enough.

    Ties of the key are in order of index already, and only unequal neighbours are swapped: the sort
    stays stable.
    """
    n = order.shape[1]
    flat, value = order.ravel(), ordered.ravel()

    def wrong(place: np.ndarray) -> np.ndarray:
        place = place[(place >= 0) & (place < len(value) - 1)]
        place = place[value[place] > value[place + 1]]
        return place[place % n != n - 1]  # not from the last of a row to the first of the next

    place = np.flatnonzero(value[:-1] > value[1:])
    place = place[place % n != n - 1]
    if len(place) > value.size // 8:
        return False
    for _ in range(64):
        if not len(place):
            return True
        # of overlapping swaps the first
        apart = np.ones(len(place), dtype=bool)
        apart[1:] = place[1:] != place[:-1] + 1
        left = place[apart]
        right = left + 1
        for array in (flat, value):
            array[left], array[right] = array[right], array[left]
        place = np.unique(wrong(np.concatenate([left - 1, right, place[~apart]])))
    return False
