"""Kendall's tau of many pairs of vectors: discordant pairs counted by blocks, in O(n log n) per pair.

Discordant pairs are inversions of the permutation "rank of y, in the order of x". The permutation is
cut into blocks of positions (x) and into blocks of values (y):

* pairs inside one block of positions are compared directly (all lags of the block, vectorised);
* pairs inside one block of values but in different blocks of positions likewise;
* pairs that differ in both blocks follow from the table of counts (position block by value block)
  and its cumulative sums.

Long vectors are first split by the leading digit of the rank (base 64); the same two rules count the
pairs that differ in that digit, and the rest is 64 shorter problems. The base is constant, so the work
is O(n log n).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.scoring.ordering import sorted_rows, stable_order

__all__ = ["kendall_similarity"]

DIRECT = 2**14  # longest permutation that is counted without splitting
BASE = 64
CELLS = 2**18  # entries worked on at once: they should stay in the cache


def kendall_similarity(
    x: Any, y: Any, *, variant: str = "tau-a", batch: int | None = None
) -> np.ndarray:
    """Kendall's tau-a or tau-b of every row of x with every row of y.

    Parameters
    ----------
    x, y : numpy.ndarray
        ``[n_x, n]`` and ``[n_y, n]``, no NaN.
    variant : {"tau-a", "tau-b"}
        (concordant - discordant) over all pairs, or over the geometric mean of the pairs untied in
        x and untied in y (Kendall 1945).
    batch : int, optional
        Rows worked on at once; by default as many as fit the cache.

    Returns
    -------
    numpy.ndarray
        ``[n_x, n_y]``; tau-b with a constant row is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> kendall_similarity(np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 3, 2, 4]])).round(3)
    array([[0.667]])
    """
    x, y = np.asarray(x, dtype="f8"), np.asarray(y, dtype="f8")
    n = x.shape[1]
    total = n * (n - 1) // 2
    if len(y) < len(x):
        # the outer loop runs over the side with fewer rows
        return kendall_similarity(y, x, variant=variant, batch=batch).T
    left, right = _Orders(x), _Orders(y)
    width = batch or max(1, min(64, CELLS // n))
    numerator = np.empty((len(x), len(y)))
    for start in range(0, len(y), width):
        stop = min(start + width, len(y))
        forward = _Columns(right.order[start:stop])
        backward = None
        for i in range(len(x)):
            count = forward.inversions(left.order[i])
            if left.tied[i] or right.tied[start:stop].any():
                # ties broken by index, then by reversed index: a pair tied on one side only is an
                # inversion exactly once, a pair tied on both sides never
                if backward is None:
                    backward = _Columns(right.mirrored[start:stop])
                again = backward.inversions(left.mirrored[i])
            else:
                again = count
            numerator[i, start:stop] = total - count - again
    tied = np.outer(left.tied, right.tied)
    for i, j in np.argwhere(tied):
        numerator[i, j] -= _joint_ties(left.level(i), right.level(j))
    if variant == "tau-a":
        return numerator / total
    untied = np.sqrt(np.outer(total - left.ties(), total - right.ties()))
    tau: np.ndarray = numerator / np.where(untied > 0, untied, np.nan)
    return tau


class _Orders:
    """Sorting permutations of the rows of a matrix, with ties broken by index and by reversed index."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.order, ordered = sorted_rows(values)
        self._new = np.ones(values.shape, dtype=bool)
        np.not_equal(ordered[:, 1:], ordered[:, :-1], out=self._new[:, 1:])
        self.tied: np.ndarray = np.logical_not(self._new.all(axis=1))
        self._mirrored: np.ndarray | None = None

    @property
    def mirrored(self) -> np.ndarray:
        """Sorting permutations with ties in reversed order."""
        if self._mirrored is None:
            n = self.values.shape[1]
            backwards = n - 1 - stable_order(self.values[:, ::-1])
            self._mirrored = np.where(self.tied[:, None], backwards, self.order)
        return self._mirrored

    def level(self, row: int) -> np.ndarray:
        """Number of the distinct value at every position of a row."""
        out = np.empty(self.values.shape[1], dtype=np.int64)
        out[self.order[row]] = np.cumsum(self._new[row]) - 1
        return out

    def ties(self) -> np.ndarray:
        """Tied pairs within each row."""
        out = np.zeros(len(self.values), dtype=np.int64)
        for i in np.flatnonzero(self.tied):
            size = np.diff(np.append(np.flatnonzero(self._new[i]), self.values.shape[1]))
            out[i] = (size * (size - 1) // 2).sum()
        return out


def _joint_ties(x: np.ndarray, y: np.ndarray) -> int:
    """Pairs tied in both."""
    key = np.sort(x * (y.max() + 1) + y)
    edge = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1], [True]]))
    size = np.diff(edge)
    return int((size * (size - 1) // 2).sum())


class _Columns:
    """Some y vectors, prepared for counting inversions against one x after the other."""

    def __init__(self, order: np.ndarray) -> None:
        self.m, self.n = order.shape
        n, m = self.n, self.m
        if n > DIRECT:
            self.rank = np.empty((n, m), dtype=np.int32)
            np.put_along_axis(self.rank, order.T, np.arange(n, dtype=np.int32)[:, None], axis=0)
            return
        self.grid = grid = _Grid(n, m)
        self.rank = np.empty((grid.padded, m), dtype=np.int16)
        # padding comes last in x and in y: it adds no inversion
        self.rank[n:] = np.arange(n, grid.padded)[:, None]
        np.put_along_axis(self.rank[:n], order.T, np.arange(n, dtype=np.int16)[:, None], axis=0)
        position = np.empty((m, grid.padded), dtype=np.intp)
        position[:, :n] = order
        position[:, n:] = np.arange(n, grid.padded)
        self.position = np.ascontiguousarray(grid.by_lag(position).transpose(1, 2, 0))

    def inversions(self, order: np.ndarray) -> np.ndarray:
        """Inversions of every y in the order of x; ``[m]``."""
        if self.n > DIRECT:
            return _split(self.rank[order])
        grid = self.grid
        padded = np.arange(grid.padded)
        padded[: self.n] = order
        block = np.empty(grid.padded, dtype=np.uint8)
        block[padded] = np.arange(grid.padded) // grid.length
        # "clip" only because the default mode makes a copy of the output
        ranks = np.take(
            self.rank, grid.by_lag(padded[None])[0].ravel(), axis=0, out=grid.ranks, mode="clip"
        )
        blocks = np.take(block, self.position, out=grid.blocks, mode="clip")
        return grid.count(ranks, blocks)


class _Grid:
    """Blocks of a permutation of length n, and the buffers in which m of them are counted at once."""

    def __init__(self, n: int, m: int) -> None:
        # direct comparisons grow with the length of a block, the table with its inverse square
        self.length = max(16, min(128, int(0.95 * n**0.5) + 1))
        self.number = -(-n // self.length)
        while self.number > 256:
            self.length += 1
            self.number = -(-n // self.length)
        self.padded, self.m = self.number * self.length, m
        lag, number = self.length, self.number
        self.ranks = np.empty((self.padded, m), dtype=np.int16)
        self.blocks = np.empty((lag, number, m), dtype=np.uint8)
        self.offset = (np.arange(number)[:, None] * m + np.arange(m)).ravel()
        self.index = np.empty((lag, number * m), dtype=np.int64)
        self.tally = np.empty((lag, number * m), dtype=np.uint8)
        self.larger = np.empty((lag, number * m), dtype=bool)
        self.table = np.empty((number, number, m), dtype=np.float32)
        self.earlier, self.below = np.empty_like(self.table), np.empty_like(self.table)

    def by_lag(self, rows: np.ndarray) -> np.ndarray:
        """``[k, padded]`` to ``[k, length, number]``: equal places of all blocks side by side."""
        return rows.reshape(len(rows), self.number, self.length).transpose(0, 2, 1)

    def count(self, ranks: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """Inversions, from y ranks in x order and x blocks in y order, both by lag."""
        m, number = self.m, self.number
        inside = _within(ranks.reshape(self.length, -1), m, self.tally, self.larger)
        inside += _within(blocks.reshape(self.length, -1), m, self.tally, self.larger)
        np.multiply(blocks.reshape(self.length, -1), number * m, out=self.index, dtype=np.int64)
        self.index += self.offset
        cells = np.bincount(self.index.ravel(), minlength=self.table.size)
        table, earlier = self.table, self.earlier
        table[...] = cells.reshape(table.shape)  # [x block, y block, m]
        # rows added one by one: a cumulative sum along an outer axis is many times slower
        earlier[0] = table[0]
        for k in range(1, number):
            np.add(earlier[k - 1], table[k], out=earlier[k])
        # the other axis made the outer one first
        below = self.below
        below[...] = table.transpose(1, 0, 2)
        for k in range(1, number):
            np.add(below[k - 1], below[k], out=below[k])
        # elements of earlier x blocks in later y blocks; each row sum is exact in float32
        rows = np.einsum("bdm,dbm->bm", earlier[:-1, 1:], below[:-1, 1:])
        return inside + rows.sum(axis=0, dtype="f8")


def _within(blocks: np.ndarray, m: int, tally: np.ndarray, larger: np.ndarray) -> np.ndarray:
    """Pairs k < l of the first axis with ``blocks[k] > blocks[l]``, summed for each of m columns."""
    tally[...] = 0
    for lag in range(1, len(blocks)):
        out, into = larger[lag:], tally[lag:]
        np.greater(blocks[:-lag], blocks[lag:], out=out)
        np.add(into, out.view(np.uint8), out=into)
    # at most 128 lags of at most 127 each fit 16 bits
    lags = np.add.reduce(tally, axis=0, dtype=np.uint16)
    return lags.reshape(-1, m).sum(axis=0, dtype="f8")


def _split(rank: np.ndarray) -> np.ndarray:
    """Inversions of long permutations ``[n, m]``: those in the leading digit, and 64 shorter problems."""
    n, m = rank.shape
    size = -(-n // BASE)
    padded = size * BASE
    full = np.empty((padded, m), dtype=np.int32)
    full[:n] = rank
    full[n:] = np.arange(n, padded)[:, None]
    digit = (full // size).astype(np.uint8)
    out = np.empty(m)
    for column in range(m):
        d = digit[:, column]
        leading = _digit_inversions(d)
        order = np.argsort(d, kind="stable")
        low = full[order, column].reshape(BASE, size) - (np.arange(BASE) * size)[:, None]
        out[column] = leading + _short(low.T).sum()
    return out


def _short(rank: np.ndarray) -> np.ndarray:
    """Inversions of permutations ``[n, m]`` of any length."""
    n, m = rank.shape
    if n > DIRECT:
        return _split(rank)
    order = np.empty((m, n), dtype=np.intp)
    np.put_along_axis(order, rank.T.astype(np.intp), np.arange(n)[None], axis=1)
    identity = np.arange(n)
    width = max(1, CELLS // n)
    parts = [_Columns(order[k : k + width]).inversions(identity) for k in range(0, m, width)]
    return np.concatenate(parts)


def _digit_inversions(digit: np.ndarray) -> float:
    """Pairs i < j with ``digit[i] > digit[j]`` for digits below 64."""
    number = -(-len(digit) // BASE)
    padded = np.full(number * BASE, BASE - 1, dtype=np.uint8)
    padded[: len(digit)] = digit
    blocks = padded.reshape(number, BASE)
    cells = np.bincount(
        (np.arange(number)[:, None] * BASE + blocks).ravel(), minlength=number * BASE
    ).reshape(number, BASE)
    earlier = np.cumsum(cells, axis=0) - cells
    larger = earlier.sum(axis=1, keepdims=True) - np.cumsum(earlier, axis=1)
    across = float((cells * larger).sum(dtype="f8"))
    tally, larger = np.empty((BASE, number), np.uint8), np.empty((BASE, number), bool)
    return across + float(_within(np.ascontiguousarray(blocks.T), 1, tally, larger)[0])
