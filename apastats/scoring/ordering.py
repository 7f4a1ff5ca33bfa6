"""Sorting permutations of many rows: radix sorts of 16-bit keys, and what they left undone."""

from __future__ import annotations

import numpy as np

__all__ = ["sorted_rows", "stable_order"]

CELLS = 2**16  # entries sorted at once: temporary arrays should stay in the cache
SHORT = 2**15  # up to here one 16-bit key tells most entries apart


def stable_order(values: np.ndarray) -> np.ndarray:
    """Stable argsort of every row of ``[n_row, n]``, without NaN."""
    return sorted_rows(values)[0]


def sorted_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stable argsort of every row of ``[n_row, n]``, without NaN, and the rows so ordered.

    Rows are scaled to integers of 16 (long rows: 32) bits, sorted by radix, and neighbours the key
    could not tell apart are swapped into order. Rows for which that takes too long (values crowded at
    one place of the range) are sorted by comparison.
    """
    rows, n = values.shape
    step = max(1, CELLS // n)
    if n >= 64 and rows > step:
        order, ordered = np.empty(values.shape, dtype=np.intp), np.empty_like(values)
        for k in range(0, rows, step):
            order[k : k + step], ordered[k : k + step] = sorted_rows(values[k : k + step])
        return order, ordered
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    spread = high.astype("f8") - low
    if n < 64 or not (np.isfinite(spread).all() and (spread > 0).all()):
        return _by_comparison(values)
    if n <= SHORT:
        key = ((values - low) * (65535 / spread)).astype(np.uint16)
        order = np.argsort(key, axis=1, kind="stable")
    else:
        scaled = (values.astype("f8") - low) * (4294967000 / spread)
        long_key = scaled.astype(np.uint32)
        order = np.argsort(long_key.astype(np.uint16), axis=1, kind="stable")
        high_bits = np.take_along_axis((long_key >> 16).astype(np.uint16), order, axis=1)
        order = np.take_along_axis(order, np.argsort(high_bits, axis=1, kind="stable"), axis=1)
    return _repaired(values, order)


def _by_comparison(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, axis=1, kind="stable")
    return order, np.take_along_axis(values, order, axis=1)


def _repaired(values: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order by keys made an order by values; ties of the key are in order of index already."""
    rows, n = order.shape
    flat = (order + (np.arange(rows) * n)[:, None]).ravel() if rows > 1 else order.ravel()
    ordered = values.ravel()[flat]
    wrong = ordered[:-1] > ordered[1:]
    wrong[n - 1 :: n] = False  # from the last of a row to the first of the next
    place = np.flatnonzero(wrong)
    if len(place) > values.size // 8:
        return _by_comparison(values)
    for _ in range(64):
        if not len(place):
            found = flat.reshape(rows, n)
            found = found - (np.arange(rows) * n)[:, None] if rows > 1 else found
            return found, ordered.reshape(rows, n)
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
    return _by_comparison(values)
