"""Sorting permutations of many rows: radix sorts of 16-bit keys, and what they left undone."""

from __future__ import annotations

import numpy as np

__all__ = ["stable_order"]

CELLS = 2**16  # entries sorted at once: temporary arrays should stay in the cache
SHORT = 2**15  # up to here one 16-bit key tells most entries apart


def stable_order(values: np.ndarray) -> np.ndarray:
    """Stable argsort of every row of ``[n_row, n]``, without NaN.

    Rows are scaled to integers of 16 (long rows: 32) bits, sorted by radix, and neighbours the key
    could not tell apart are swapped into order. Rows for which that takes too long (values crowded at
    one place of the range) are sorted by comparison.
    """
    rows, n = values.shape
    if n < 64:
        return np.argsort(values, axis=1, kind="stable")
    step = max(1, CELLS // n)
    if rows > step:
        parts = [stable_order(values[k : k + step]) for k in range(0, rows, step)]
        return np.concatenate(parts)
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    spread = high.astype("f8") - low
    if not (np.isfinite(spread).all() and (spread > 0).all()):
        return np.argsort(values, axis=1, kind="stable")
    if n <= SHORT:
        key = ((values - low) * (65535 / spread)).astype(np.uint16)
        order = np.argsort(key, axis=1, kind="stable")
        return _repaired(values, order)
    out = np.empty(values.shape, dtype=np.intp)
    for i in range(rows):
        # row by row: the keys of one long row fill the cache
        scaled = (values[i].astype("f8") - low[i]) * (4294967000 / spread[i])
        long_key = scaled.astype(np.uint32)
        first = np.argsort(long_key.astype(np.uint16), kind="stable")
        second = np.argsort((long_key >> 16).astype(np.uint16)[first], kind="stable")
        out[i] = _repaired(values[i : i + 1], first[second][None])[0]
    return out


def _repaired(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Order by keys made an order by values; ties of the key are in order of index already."""
    rows, n = order.shape
    flat = order + (np.arange(rows) * n)[:, None] if rows > 1 else order
    flat = flat.ravel()
    ordered = values.ravel()[flat]
    wrong = ordered[:-1] > ordered[1:]
    wrong[n - 1 :: n] = False  # from the last of a row to the first of the next
    place = np.flatnonzero(wrong)
    if len(place) > values.size // 8:
        return np.argsort(values, axis=1, kind="stable")
    for _ in range(64):
        if not len(place):
            return (
                flat.reshape(rows, n) - (np.arange(rows) * n)[:, None] if rows > 1 else flat[None]
            )
        # of overlapping swaps the first; swapping unequal neighbours keeps the sort stable
        apart = np.ones(len(place), dtype=bool)
        apart[1:] = place[1:] != place[:-1] + 1
        swapped = place[apart]
        for array in (flat, ordered):
            left = array[swapped]
            array[swapped] = array[swapped + 1]
            array[swapped + 1] = left
        near = np.concatenate([place - 1, place, place + 1])
        near = near[(near >= 0) & (near < len(flat) - 1)]
        near = near[near % n != n - 1]
        wrong[near] = ordered[near] > ordered[near + 1]
        place = np.flatnonzero(wrong)
    return np.argsort(values, axis=1, kind="stable")
