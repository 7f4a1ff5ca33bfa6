"""Kendall's tau of many pairs of vectors: inversions counted by blocks, in O(n log n) per pair.

Discordant pairs are inversions of the permutation "rank of y, in the order of x". The positions in x
are cut into blocks of at most 512 (a length numpy sorts without branches), and these into ever finer
halves. Two positions are compared where they part:

* in one of the smallest parts (at most 32 positions): directly, one lag after the other;
* in the two halves of a part: the part is sorted by y, and the places of the second half add up to the
  Mann-Whitney count of its pairs with the first;
* in different blocks: the numbers of the blocks, in the order of y, are compared directly inside groups
  of 16, and counted (how many of a group lie in block t or later) between the groups.

All of it runs over many y (or x) at once, in 16 or 8 bits. Vectors too long for 16 bits are first split by
the leading digit of the rank (base 64); the base is constant, so the work is O(n log n).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from apastats.scoring.ordering import sorted_rows, stable_order

__all__ = ["kendall_similarity"]

BLOCK = 512  # np.sort handles shorter rows of 16 bits in registers
PART = 32  # up to here pairs are compared directly
GROUP = 16
LONGEST = 2**15 - 2**10  # twice a padded rank fits 16 bits
BASE = 64
CELLS = 2**17  # ranks worked on at once, and
ROWS = 16
WIDE = 2**21  # numbers of blocks: they should stay in the cache


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
    left = _Orders(x)
    tau = np.empty((len(x), len(y)))
    chunks = -(-len(y) // (batch or max(1, CELLS // n)))
    width = -(-len(y) // chunks)
    scratch = _Scratch(8 * n * width + 4 * min(WIDE, n * len(x) * width))
    for k in range(0, len(y), width):
        right = _Orders(y[k : k + width])
        # pairs that count in the denominator: all, or the mean of those untied in x and untied in y
        pairs = np.full((len(x), len(right.order)), total, dtype="f8")
        if variant == "tau-b":
            pairs = np.sqrt(np.outer(total - left.ties(), total - right.ties()))
            pairs[pairs == 0] = np.nan
        tau[:, k : k + width] = (total - _discordant(left, right, scratch)) / pairs
    return tau


def _discordant(left: _Orders, right: _Orders, scratch: _Scratch) -> np.ndarray:
    """Twice the discordant pairs, and the pairs tied in x or y once."""
    forward = _inversions(left.order, right.order, scratch)
    # ties broken by index, then by reversed index: a pair tied on one side only is an inversion exactly
    # once, a pair tied on both sides never
    backward = forward.copy()
    a, b = left.tied, right.tied
    if a.any():
        backward[a] = _inversions(left.mirrored[a], right.mirrored, scratch)
    if b.any() and not a.all():
        backward[np.ix_(~a, b)] = _inversions(left.mirrored[~a], right.mirrored[b], scratch)
    for i, j in np.argwhere(np.outer(a, b)):
        backward[i, j] += _joint_ties(left.level(i), right.level(j))
    return forward + backward


class _Orders:
    """Sorting permutations of the rows of a matrix, with ties broken by index and by reversed index."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.order, self._new = sorted_rows(values)
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


def _inversions(left: np.ndarray, right: np.ndarray, scratch: _Scratch) -> np.ndarray:
    """Pairs ordered differently by two sorting permutations, ``[n_left, n]`` and ``[n_right, n]``."""
    n = left.shape[1]
    if n > LONGEST:
        return np.array([[_split(rank[o], scratch) for rank in _ranks(right, n)] for o in left])
    cut = _cut(n)
    inside = _Inside(right, cut, scratch)
    out = np.array([inside.count(order) for order in left])
    if cut.number == 1:
        return out
    padded = -(-n // GROUP**2) * GROUP**2
    block = np.full((padded, len(left)), cut.number - 1, dtype=np.uint8)
    for column, order in zip(block.T, left, strict=True):
        column[order] = np.arange(n) // cut.block
    for i in range(0, len(left), ROWS):
        some = np.ascontiguousarray(block[:, i : i + ROWS])
        parts = -(-len(right) * some.size // WIDE)
        few = -(-len(right) // parts)
        for k in range(0, len(right), few):
            found = _across(some, right[k : k + few], cut.number, scratch)
            out[i : i + ROWS, k : k + few] += found
    return out


class _Scratch:
    """Pieces of one array, used again and again: fresh memory costs as much as the work done in it."""

    def __init__(self, size: int) -> None:
        self._rest = np.empty(size, dtype=np.uint8)
        self._pieces: dict[str, np.ndarray] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: Any = np.uint8) -> np.ndarray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        piece = self._pieces.get(name)
        if piece is None or len(piece) < size:
            step = -(-size // 64) * 64
            if step > len(self._rest):
                self._rest = np.empty(2 * step, dtype=np.uint8)
            piece, self._rest = self._rest[:step], self._rest[step:]
            self._pieces[name] = piece
        return piece[:size].view(dtype).reshape(shape)


class _Cut(NamedTuple):
    """Blocks of the positions, and how often each is halved until its parts are small."""

    number: int
    halvings: int
    part: int

    @property
    def block(self) -> int:
        return self.part << self.halvings

    @property
    def padded(self) -> int:
        return self.block * self.number


def _cut(n: int) -> _Cut:
    number = -(-n // BLOCK)
    halvings = 0
    while -(-n // (number << halvings)) > PART:
        halvings += 1
    return _Cut(number, halvings, -(-n // (number << halvings)))


def _padded(order: np.ndarray, length: int) -> np.ndarray:
    """Sorting permutations of longer vectors; what is added comes last."""
    rows, n = order.shape
    return np.hstack([order, np.broadcast_to(np.arange(n, length), (rows, length - n))])


def _ranks(order: np.ndarray, length: int, dtype: Any = np.int32) -> np.ndarray:
    """Ranks from sorting permutations, padded likewise."""
    n = order.shape[1]
    rank = np.empty((len(order), length), dtype=dtype)
    rank[:, n:] = np.arange(n, length)
    for row, places in zip(rank, order, strict=True):
        row[places] = np.arange(n, dtype=dtype)
    return rank


class _Lags:
    """Pairs k < l of the first axis of an array with ``parts[k] > parts[l]``, for every column."""

    def __init__(self, parts: np.ndarray, scratch: _Scratch) -> None:
        larger, self.tally = scratch("larger", parts.shape, bool), scratch("tally", parts.shape)
        # views made once: with few columns they cost as much as the comparisons
        self.views = [
            (parts[:-k], parts[k:], larger[k:], larger[k:].view(np.uint8), self.tally[k:])
            for k in range(1, len(parts))
        ]
        # entry k of a part counts at most k
        small = len(parts) * (len(parts) - 1) // 2 < 256
        self.dtype = np.uint8 if small else np.uint16

    def count(self) -> np.ndarray:
        self.tally[...] = 0
        for first, second, larger, ones, tally in self.views:
            np.greater(first, second, larger)
            np.add(tally, ones, tally)
        pairs: np.ndarray = np.add.reduce(self.tally, axis=0, dtype=self.dtype)
        return pairs


class _Inside:
    """Inversions inside the blocks of x, of one x after the other with the same m vectors y."""

    def __init__(self, right: np.ndarray, cut: _Cut, scratch: _Scratch) -> None:
        self.cut, self.scratch = cut, scratch
        rank = _ranks(right, cut.padded, np.uint16)
        self.by_item = np.ascontiguousarray(rank.T.view(np.int16))  # compared faster than unsigned
        self.entries = scratch("entries", self.by_item.shape, np.int16)
        self.lags = _Lags(self.entries.reshape(cut.part, -1), scratch)
        # bits left below the rank say which half of its part an entry comes from, a bit per halving
        self.bits = 16 - int(cut.padded - 1).bit_length()
        self.shifted = rank << self.bits
        place = np.arange(cut.block)
        halves = [place // (cut.part << k) % 2 for k in range(cut.halvings)]
        self.marks = np.zeros((cut.halvings, cut.block), dtype=np.uint16)
        for k, half in enumerate(halves):
            self.marks[k // self.bits] |= (half << k % self.bits).astype(np.uint16)
        self.places = [(place % (2 * cut.part << k)).astype("f8") for k in range(cut.halvings)]

    def count(self, order: np.ndarray) -> np.ndarray:
        """Inversions of every y in the order of x, inside blocks only; ``[m]``."""
        m, padded = self.shifted.shape
        part, block = self.cut.part, self.cut.block
        order = _padded(order[None], padded)[0]
        by_lag = order.reshape(-1, part).T.ravel()
        # "clip" only because the default mode makes a copy of the output
        np.take(self.by_item, by_lag, axis=0, out=self.entries, mode="clip")
        count: np.ndarray = self.lags.count().reshape(-1, m).sum(axis=0, dtype="f8")
        if self.cut.halvings == 0:
            return count
        key = self.entries.view(np.uint16).reshape(m, padded)
        np.take(self.shifted, order, axis=1, out=key, mode="clip")
        blocks = key.reshape(m, -1, block)
        second = self.scratch("second", blocks.shape, np.uint16)
        for step, places in enumerate(self.places):
            bit, half = step % self.bits, part << step
            if bit == 0:
                if step:
                    key &= 0x10000 - (1 << self.bits)
                blocks |= self.marks[step // self.bits]
            key.reshape(-1, 2 * half).sort(axis=1)
            np.bitwise_and(blocks, 1 << bit, out=second)
            found = np.add.reduce(second, axis=1, dtype=np.uint16) @ places
            # places of second halves without an inversion; every inversion takes one off
            count += padded // (2 * half) * (half * (3 * half - 1) // 2) - found / (1 << bit)
        return count


def _across(block: np.ndarray, right: np.ndarray, number: int, scratch: _Scratch) -> np.ndarray:
    """Inversions of pairs in different blocks of x, from the blocks ``[item, x]``; ``[n_x, n_right]``."""
    padded, n_left = block.shape
    m = n_left * len(right)
    by_lag = _padded(right, padded).reshape(len(right), -1, GROUP).transpose(2, 1, 0)
    # [place in the group, group, y, x]
    blocks = scratch("blocks", (by_lag.size, n_left))
    np.take(block, by_lag.ravel(), axis=0, out=blocks, mode="clip")
    blocks = blocks.reshape(GROUP, -1)
    count: np.ndarray = _Lags(blocks, scratch).count().reshape(-1, m).sum(axis=0, dtype="f8")
    larger, counted = scratch("larger", blocks.shape, bool), scratch("tally", blocks.shape[1:])
    groups = (padded // GROUP**2, GROUP, m)
    later, beyond, near = (scratch(k, groups, np.float32) for k in ("later", "beyond", "near"))
    until, until_whole = (np.tri(k, k=-1, dtype=np.float32) for k in (GROUP, groups[0]))

    def from_block(t: int, out: np.ndarray) -> np.ndarray:
        """Entries of every group in block t or later; returned for 16 groups together."""
        np.greater_equal(blocks, t, out=larger)
        np.add.reduce(larger.view(np.uint8), axis=0, dtype=np.uint8, out=counted)
        out[...] = counted.reshape(groups)
        whole: np.ndarray = out.sum(axis=1)
        return whole

    later_whole = from_block(1, later)
    for t in range(1, number):
        beyond_whole = from_block(t + 1, beyond)
        # entries of block t in groups before, and entries of earlier blocks here:
        # among 16 groups, then between them
        np.matmul(until, later - beyond, out=near)
        earlier = np.subtract(GROUP, later, out=later)
        count += np.einsum("gkm,gkm->gm", earlier, near).sum(axis=0, dtype="f8")
        far = until_whole @ (later_whole - beyond_whole)
        count += ((GROUP**2 - later_whole) * far).sum(axis=0, dtype="f8")
        later, beyond, later_whole = beyond, later, beyond_whole
    return count.reshape(len(right), n_left).T


def _split(rank: np.ndarray, scratch: _Scratch) -> float:
    """Inversions of a long permutation: those in the leading digit, and 64 shorter problems."""
    size = -(-len(rank) // BASE)
    full = np.concatenate([rank, np.arange(len(rank), size * BASE)])
    digit = (full // size).astype(np.uint8)
    order = np.argsort(digit, kind="stable")
    low = full[order].reshape(BASE, size) - (np.arange(BASE) * size)[:, None]
    count = _leading(digit, scratch)
    width = max(1, CELLS // size)
    for k in range(0, BASE, width):
        # the inverse of a permutation has as many inversions
        count += float(_inversions(np.arange(size)[None], low[k : k + width], scratch).sum())
    return count


def _leading(digit: np.ndarray, scratch: _Scratch) -> float:
    """Pairs i < j with ``digit[i] > digit[j]`` for digits below 64."""
    number = -(-len(digit) // BASE)
    padded = np.full(number * BASE, BASE - 1, dtype=np.uint8)
    padded[: len(digit)] = digit
    groups = padded.reshape(number, BASE)
    cells = np.bincount(
        (np.arange(number)[:, None] * BASE + groups).ravel(), minlength=number * BASE
    ).reshape(number, BASE)
    earlier = np.cumsum(cells, axis=0) - cells
    above = earlier.sum(axis=1, keepdims=True) - np.cumsum(earlier, axis=1)
    across = float((cells * above).sum(dtype="f8"))
    inside = _Lags(np.ascontiguousarray(groups.T), scratch).count()
    return across + float(inside.sum(dtype="f8"))
