"""Kendall's tau of many pairs of vectors: inversions counted by blocks, in O(n log n) per pair.

Discordant pairs are inversions of the permutation "rank of y, in the order of x". The positions in x
are cut into blocks of at most 512 (a length numpy sorts without branches; the last may be shorter), and
these into ever finer halves. Two positions are compared where they part:

* in one of the smallest parts (at most 32 positions): directly, one lag after the other;
* in the two halves of a part: the part is sorted by y, and the places of the second half add up to the
  Mann-Whitney count of its pairs with the first;
* in different blocks: the numbers of the blocks, in the order of y, are compared directly inside groups
  of 16, and counted (how many of a group lie in block t or later) between the groups.

All of it runs over many y (or x) at once, in 16 or 8 bits. Vectors too long for 16 bits are first split by
the leading digit of the rank (base 64); the base is constant, so the work is O(n log n).
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from apastats.numbers.ordering import TIE, sorted_rows

__all__ = ["kendall_similarity"]

BLOCK = 512  # np.sort handles shorter rows of 16 bits in registers
PART = 32  # up to here pairs are compared directly
GROUP = 16
SLAB = 10  # blocks counted at once
LONGEST = 2**15 - 2**10  # twice a padded rank fits 16 bits
BASE = 64
CELLS = 2**18  # ranks worked on at once, and
ROWS = 16
WIDE = 2**20  # numbers of blocks: they should stay in the cache


def kendall_similarity(
    x: Any, y: Any, *, variant: str = "tau-a", batch: int | None = None
) -> np.ndarray:
    """Kendall's tau-a or tau-b of every row of x with every row of y.

    Parameters
    ----------
    x, y : numpy.ndarray
        ``[n_x, n]`` and ``[n_y, n]``, no NaN. Values of a row that differ by at most 1e-12 of its
        largest are ties.
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
    scratch = _Scratch(8 * n * width + 5 * min(WIDE, n * len(x) * width))
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
        self.order, self._new = sorted_rows(values, TIE)
        self.tied: np.ndarray = np.logical_not(self._new.all(axis=1))
        self._mirrored: np.ndarray | None = None

    @property
    def mirrored(self) -> np.ndarray:
        """Sorting permutations with ties in reversed order."""
        if self._mirrored is None:
            n = self.values.shape[1]
            self._mirrored = self.order.copy()
            for row in np.flatnonzero(self.tied):
                first = np.flatnonzero(self._new[row])
                size = np.diff(np.append(first, n))
                # place k of a run of ties from a to b takes what stands at a + b - k
                self._mirrored[row] = self.order[row][
                    np.repeat(2 * first + size - 1, size) - np.arange(n)
                ]
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
    out = np.array([inside.count(order) for order in _padded(left, cut.padded)])
    if cut.number == 1:
        return out
    # up to 16 groups are taken together: as many as pad least
    number = -(-n // GROUP)
    together = min(range(GROUP, GROUP // 2, -1), key=lambda k: -number % k)
    padded = -(-number // together) * together * GROUP
    block = np.full((padded, len(left)), cut.number - 1, dtype=np.uint8)
    place = (np.arange(n) // cut.block).astype(np.uint8)
    for column, order in zip(block.T, left, strict=True):
        column[order] = place
    for i in range(0, len(left), ROWS):
        some = np.ascontiguousarray(block[:, i : i + ROWS])
        parts = -(-len(right) * some.size // WIDE)
        few = -(-len(right) // parts)
        for k in range(0, len(right), few):
            found = _across(some, right[k : k + few], cut.number, together, scratch)
            out[i : i + ROWS, k : k + few] += found
    return out


class _Scratch:
    """Pieces of one array, used again and again: fresh memory costs as much as the work done in it."""

    def __init__(self, size: int) -> None:
        self._rest = _aligned(size)
        self._pieces: dict[str, np.ndarray] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: Any = np.uint8) -> np.ndarray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        piece = self._pieces.get(name)
        if piece is None or len(piece) < size:
            step = -(-size // 64) * 64
            if step > len(self._rest):
                self._rest = _aligned(2 * step)
            piece, self._rest = self._rest[:step], self._rest[step:]
            self._pieces[name] = piece
        return piece[:size].view(dtype).reshape(shape)


def _aligned(size: int) -> np.ndarray:
    """Bytes from the beginning of a cache line on: short rows are sorted faster there."""
    memory = np.empty(size + 64, dtype=np.uint8)
    return memory[-memory.ctypes.data % 64 :][:size]


class _Cut(NamedTuple):
    """Blocks of the positions, and how often each is halved until its parts are small.

    Behind the whole blocks there may be a shorter one, halved ``tail`` times; -1 without.
    """

    whole: int
    halvings: int
    part: int
    tail: int = -1

    @property
    def block(self) -> int:
        return self.part << self.halvings

    @property
    def number(self) -> int:
        return self.whole + (self.tail >= 0)

    @property
    def padded(self) -> int:
        return self.until(self.tail)

    def until(self, step: int) -> int:
        """Positions in blocks halved at least ``step`` times."""
        rest = self.part << self.tail if 0 <= step <= self.tail else 0
        return self.whole * self.block + rest


def _cut(n: int) -> _Cut:
    """Equal blocks, or longest ones and a rest: whatever adds fewer positions."""
    number = -(-n // BLOCK)
    halvings = 0
    while -(-n // (number << halvings)) > PART:
        halvings += 1
    equal = _Cut(number, halvings, -(-n // (number << halvings)))
    whole, rest = divmod(n, BLOCK)
    if not whole or not rest:
        return equal
    longest = _Cut(
        whole, (BLOCK // PART).bit_length() - 1, PART, (-(-rest // PART) - 1).bit_length()
    )
    return longest if longest.padded < equal.padded else equal


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
        views = [
            (parts[:-k], parts[k:], larger[k:], larger[k:].view(np.uint8), self.tally[k:])
            for k in range(1, len(parts))
        ]
        self.first, self.views = views[:1], views[1:]
        # entry k of a part counts at most k: sums of how many entries fit 8 bits
        ends, room = [0], 255
        for k in range(len(parts)):
            if k > room:
                ends, room = [*ends, k], 255
            room -= k
        self.sums = [self.tally[i:j] for i, j in itertools.pairwise([*ends, len(parts)])]

    def count(self, columns: int = 1) -> np.ndarray:
        """Sums over all columns with the same number modulo ``columns``; ``[columns]``."""
        self.tally[0] = 0
        for first, second, _, _, tally in self.first:
            np.greater(first, second, tally.view(bool))
        for first, second, larger, ones, tally in self.views:
            np.greater(first, second, larger)
            np.add(tally, ones, tally)
        pairs = (np.add.reduce(rows, axis=0, dtype=np.uint8) for rows in self.sums)
        return sum(
            (found.reshape(-1, columns).sum(axis=0, dtype="f8") for found in pairs),
            start=np.zeros(columns),
        )


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
        place = np.arange(cut.padded)
        halves = [place // (cut.part << k) % 2 for k in range(cut.halvings)]
        self.marks = np.zeros((cut.halvings, cut.padded), dtype=np.uint16)
        for k, half in enumerate(halves):
            self.marks[k // self.bits] |= (half << k % self.bits).astype(np.uint16)
        self.places = [
            (place[: cut.block] % (2 * cut.part << k)).astype("f8") for k in range(cut.halvings)
        ]

    def count(self, order: np.ndarray) -> np.ndarray:
        """Inversions of every y in the order of one (padded) x, inside blocks only; ``[m]``."""
        m, padded = self.shifted.shape
        part, block = self.cut.part, self.cut.block
        by_lag = order.reshape(-1, part).T.ravel()
        # "clip" only because the default mode makes a copy of the output
        np.take(self.by_item, by_lag, axis=0, out=self.entries, mode="clip")
        count: np.ndarray = self.lags.count(m)
        if self.cut.halvings == 0:
            return count
        key = self.entries.view(np.uint16).reshape(m, padded)
        np.take(self.shifted, order, axis=1, out=key, mode="clip")
        second = self.scratch("second", key.shape, np.uint16)
        whole = self.cut.whole * block
        blocks, rest = second[:, :whole].reshape(m, -1, block), second[:, whole:]
        for step, places in enumerate(self.places):
            bit, half = step % self.bits, part << step
            if bit == 0:
                if step:
                    key &= 0x10000 - (1 << self.bits)
                key |= self.marks[step // self.bits]
            until = self.cut.until(step + 1)
            key[:, :until].reshape(m, -1, 2 * half).sort(axis=2)
            np.bitwise_and(key, 1 << bit, out=second)
            found = np.add.reduce(blocks, axis=1, dtype=np.uint16) @ places
            if until > whole:
                found += rest @ places[: padded - whole]
            # places of second halves without an inversion; every inversion takes one off
            count += until // (2 * half) * (half * (3 * half - 1) // 2) - found / (1 << bit)
        return count


def _across(
    block: np.ndarray, right: np.ndarray, number: int, together: int, scratch: _Scratch
) -> np.ndarray:
    """Inversions of pairs in different blocks of x, from the blocks ``[item, x]``; ``[n_x, n_right]``."""
    padded, n_left = block.shape
    m = n_left * len(right)
    by_lag = _padded(right, padded).reshape(len(right), -1, together, GROUP).transpose(3, 2, 1, 0)
    supers = by_lag.shape[2]
    # [place in the group, place among the groups taken together, these, y, x]
    blocks = scratch("blocks", (by_lag.size, n_left))
    np.take(block, by_lag.ravel(), axis=0, out=blocks, mode="clip")
    blocks = blocks.reshape(GROUP, -1)
    count: np.ndarray = _Lags(blocks, scratch).count(m)
    smaller = scratch("larger", blocks.shape, bool)
    groups = (together, supers * m)
    until = np.tri(supers, k=-1, dtype=np.float32)
    for low in range(1, number, SLAB):
        high = min(low + SLAB, number)
        # entries of every group in blocks before t, for t = low ... high
        earlier = scratch("earlier", (high - low + 1, *groups))
        earlier[-1] = GROUP  # of all blocks, unless counted
        for t, out in zip(range(low, min(high + 1, number)), earlier, strict=False):
            np.less(blocks, t, out=smaller)
            np.add.reduce(smaller.view(np.uint8), axis=0, dtype=np.uint8, out=out.reshape(-1))
        # entries of block t itself, where the comparisons were
        here = scratch("larger", (high - low, *groups))
        np.subtract(earlier[1:], earlier[:-1], out=here)
        earlier = earlier[:-1]
        # entries of block t in the groups before: among those taken together (at most 15 * 16),
        # then between these
        near = scratch("tally", here.shape)
        near[:, 0] = 0
        for k in range(1, together):
            np.add(near[:, k - 1], here[:, k - 1], out=near[:, k])
        pairs = scratch("pairs", here.shape, np.uint16)
        np.multiply(earlier, near, out=pairs, dtype=np.uint16)
        found = np.add.reduce(pairs, axis=1, dtype=np.uint16)
        count += found.reshape(-1, m).sum(axis=0, dtype="f8")
        whole = np.add(near[:, -1], here[:, -1], dtype=np.float32).reshape(-1, supers, m)
        earlier_whole = np.add.reduce(earlier, axis=1, dtype=np.uint16).reshape(-1, supers, m)
        far = until @ whole
        far *= earlier_whole
        count += far.reshape(-1, m).sum(axis=0, dtype="f8")
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
    return across + float(inside[0])
