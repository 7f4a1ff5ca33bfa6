"""Ranks of the pairs that a draw of stimuli holds, each as often as it is drawn, from one sort of all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from apastats.numbers.ordering import TIE, sorted_rows

__all__ = ["DrawnRanks", "pairs_of"]

_EXACT = 2**30  # twice a count of pairs up to here is exact in 32 bits
_FEW = 100  # stimuli, of which the pairs are kept
_BITS = 9  # numpy sorts up to 512 numbers of 32 bits in registers


class DrawnRanks:
    """Mid-ranks of K RDMs among the pairs of drawn stimuli.

    Parameters
    ----------
    z : array, ``[K, n_pair]``
        RDMs, no NaN.

    Attributes
    ----------
    level : array of int, ``[K, n_pair]``
        Order of every RDM's values, ties equal.

    Notes
    -----
    Stimulus a drawn c_a times makes the pair (a, b) occur ``w = c_a c_b`` times. The order of the pairs is that of all
    pairs, sorted once: w is put at their places in it, and the sum up to a place counts what is not larger. No resample
    is sorted; it costs one sum over all places and touches the drawn pairs alone otherwise. Up to 512 drawn pairs
    (those of a fold) are sorted after all, place and number of the pair in one key: that is faster than the sum.
    """

    def __init__(self, z: np.ndarray) -> None:
        z = np.asarray(z, dtype=np.float64)
        order, new = sorted_rows(z, TIE)
        k, d = z.shape
        self.k, self.d, self.n = k, d, round((1 + np.sqrt(1 + 8 * d)) / 2)
        self.tied = not bool(new.all())
        place = np.arange(d)
        first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
        stop = np.concatenate([new[:, 1:], np.ones((k, 1), bool)], axis=1)
        last = np.minimum.accumulate(np.where(stop, place, d)[:, ::-1], axis=1)[:, ::-1]
        start = (np.arange(k) * d)[:, None]
        self.level = np.empty(z.shape, dtype=np.intp)
        np.put_along_axis(self.level, order, first, axis=1)
        # places in all rows laid end to end
        self.first = self.level + start
        self.place = self.last = self.first
        if self.tied:
            self.place, self.last = np.empty_like(self.level), np.empty_like(self.level)
            np.put_along_axis(self.place, order, place[None], axis=1)
            np.put_along_axis(self.last, order, last, axis=1)
            self.place += start
            self.last += start
        self.keys = (self.level << _BITS).astype(np.uint32) if d < 1 << (32 - _BITS) else None
        each = np.arange(self.n)
        # place of the pair (a, b), a < b, less b
        self.before = each * (2 * self.n - each - 1) // 2 - each - 1

    def pairs(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drawn pairs under ``counts [n]``, and how often each is drawn."""
        drawn = np.flatnonzero(counts)
        left, right = pairs_of(len(drawn))
        a, b, c = drawn[left], drawn[right], counts[drawn]
        return self.before[a] + b, c[left] * c[right]

    def each(self, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Weights ``[m]`` of the m drawn pairs, and their mid-ranks less the mean ``[K, m]``, per row of ``counts``.

        Parameters
        ----------
        counts : array, ``[b, n]``
            How often each stimulus is drawn.
        """
        whole = bool((counts == np.rint(counts)).all()) and counts.sum(axis=1).max(initial=0) ** 2 < _EXACT  # fmt: skip
        kind = np.int32 if whole else np.float64
        shape = self.place.shape
        at_place, reached = np.zeros(shape, dtype=kind), np.empty(shape, dtype=kind)
        for row in counts:
            pairs, weight = self.pairs(row)
            few = whole and len(pairs) <= 1 << _BITS and self.keys is not None
            weight = weight.astype(kind, copy=False)
            ranks = (self._sorted if few else self._counted)(pairs, weight, at_place, reached)
            ranks -= weight.sum()
            ranks /= 2
            yield weight, ranks

    def _counted(
        self, pairs: np.ndarray, weight: np.ndarray, at_place: np.ndarray, reached: np.ndarray
    ) -> np.ndarray:
        """Twice the mid-ranks less one ``[K, m]``, by a sum over all places; ``at_place`` is 0 and stays it."""
        where = self.place.take(pairs, axis=1)
        at_place.ravel()[where] = weight
        np.cumsum(at_place, axis=1, dtype=at_place.dtype, out=reached)
        if self.tied:
            found = reached.ravel().take(self.last.take(pairs, axis=1))
            reached -= at_place
            found += reached.ravel().take(self.first.take(pairs, axis=1))
        else:
            reached += reached
            reached -= at_place
            found = reached.ravel().take(where)
        at_place.ravel()[where] = 0
        out: np.ndarray = found.astype(np.float64)
        return out

    def _sorted(self, pairs: np.ndarray, weight: np.ndarray, *_: np.ndarray) -> np.ndarray:
        """The same by a sort of these pairs."""
        m = len(pairs)
        key = np.asarray(self.keys).take(pairs, axis=1)
        key |= np.arange(m, dtype=np.uint32)
        key.sort(axis=1)
        which = (key & ((1 << _BITS) - 1)).astype(np.intp)
        mine = weight.take(which)
        upper = np.cumsum(mine, axis=1, dtype=np.int32)
        lower = upper - mine
        if self.tied:
            key >>= _BITS
            same = key[:, 1:] == key[:, :-1]
            lower[:, 1:][same] = 0
            np.maximum.accumulate(lower, axis=1, out=lower)
            upper[:, :-1][same] = np.iinfo(np.int32).max
            upper = np.minimum.accumulate(upper[:, ::-1], axis=1)[:, ::-1]
        which += (np.arange(self.k) * m)[:, None]
        out = np.empty(self.k * m)
        out[which] = lower + upper
        return out.reshape(self.k, m)


def pairs_of(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of all pairs of m; read only."""
    return _few_pairs(m) if m <= _FEW else np.triu_indices(m, 1)


@lru_cache(maxsize=_FEW)
def _few_pairs(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of all pairs of m, kept: making them takes as long as the products."""
    return np.triu_indices(m, 1)
