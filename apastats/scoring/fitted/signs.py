"""Kendall's taus of RDMs under weights of stimuli: inner products of the signs of all pairs of entries."""

from __future__ import annotations

import numpy as np

from apastats.errors import InputError
from apastats.scoring.methods import comparison
from apastats.scoring.stimuli.drawn_ranks import DrawnRanks

__all__ = ["TAUS", "SignGrams"]

# criterion, and whether it divides by the untied pairs of entries of both sides (tau-b) or by all of them (tau-a)
TAUS = {"tau-a": False, "tau-b": True}
_NUMBERS = 1 << 17  # signs made at once: they stay in the cache
_EXACT = 1 << 24  # whole numbers up to here are exact in 32 bits


class SignGrams:
    """What a fit by Kendall's tau asks of S subjects and the rows of members, for any weights of stimuli.

    Parameters
    ----------
    z : array, ``[K, n_pair]``
        RDMs, subjects first, no NaN.
    s : int
        How many are subjects.
    method : {"tau-a", "tau-b"}

    Notes
    -----
    Tau is an inner product too, of the signs of the differences between all pairs of entries: entries p and q drawn
    ``w_p`` and ``w_q`` times weigh ``w_p w_q``, copies of an entry are tied with each other. One candidate at a time is
    chosen under a rank criterion, and nothing is mixed: of the products of members with each other only the diagonal
    is made. Under three stimuli everything is NaN.
    """

    quick = False  # whether a product costs little beside what follows

    def __init__(self, z: np.ndarray, s: int, method: str) -> None:
        self.comparison, self.k, self.s = comparison(method), len(z), s
        self.normalised = TAUS[method]
        self.ranks = DrawnRanks(z)
        self.n, self.size = self.ranks.n, np.ones(len(z))

    def products(self, counts: np.ndarray) -> np.ndarray:
        """Products of subjects with members, and of each with itself, ``[b, K, K]``; 0 elsewhere."""
        counts = np.asarray(counts, dtype=np.float64)
        k, s = self.k, self.s
        out = np.zeros((len(counts), k, k))
        each = np.arange(k)
        for row, c in enumerate(counts):
            if (c > 0).sum() < 3:
                out[row] = np.nan
                continue
            pairs, weight = self.ranks.pairs(c)
            level = self.ranks.level.take(pairs, axis=1)
            found = _concordance(level, weight, s)
            out[row, s:, :s], out[row, :s, s:] = found, found.T
            out[row, each, each] = _untied(level, weight, self.ranks.d)
            if not self.normalised:
                out[row] /= _all_pairs(weight)
        return out

    def with_pools(self, counts: np.ndarray, pools: np.ndarray) -> np.ndarray:
        """Tau of every subject with mean ranks of subjects drawn ``pools [P, S]`` times, ``[P, S]``; NaN for nobody.

        ``counts [n]``: how often each stimulus is drawn.
        """
        s = self.s
        (_, ranks) = next(self.ranks.each(counts[None]))
        pairs, weight = self.ranks.pairs(counts)
        level = self.ranks.level[:s].take(pairs, axis=1)
        pooled = [np.unique(2 * row, return_inverse=True)[1] for row in pools @ ranks[:s]]
        level = np.concatenate([level, pooled])
        found = _concordance(level, weight, s)
        total = np.full(found.shape, _all_pairs(weight))
        if self.normalised:
            untied = _untied(level, weight, self.ranks.d)
            total = np.sqrt(np.outer(untied[s:], untied[:s]))
        with np.errstate(invalid="ignore", divide="ignore"):
            out: np.ndarray = np.where(total > 0, found / total, np.nan)
        out[~(pools > 0).any(axis=1)] = np.nan
        return out


def _concordance(level: np.ndarray, weight: np.ndarray, s: int) -> np.ndarray:
    """Concordant less discordant pairs of entries of each of the first s rows with each other one, ``[K - s, s]``."""
    k, m = level.shape
    if weight.max() * weight.sum() > _EXACT:
        raise InputError("method", "a Kendall's tau", "another criterion for so many stimuli")
    # short numbers are compared faster
    level = level.astype(np.int16 if level.max() < np.iinfo(np.int16).max // 2 else np.int32)
    weight = weight.astype(np.float32)
    step = int(min(_NUMBERS // (k * m), _EXACT // (weight.max() * weight.sum())))
    step = max(1, step)
    out = np.zeros((k - s, s))
    for start in range(0, m, step):
        apart = level[:, start : start + step, None] - level[:, None, start:]
        signs = np.sign(apart, out=apart).astype(np.float32)
        both = weight[start : start + step, None] * weight[None, start:]
        both[:, :step] /= 2  # inside the part every pair stands twice
        left = signs[:s]
        left *= both
        out += signs[s:].reshape(k - s, -1) @ left.reshape(s, -1).T
    return out


def _untied(level: np.ndarray, weight: np.ndarray, n_level: int) -> np.ndarray:
    """Pairs of entries of every row that are not tied, ``[K]``."""
    k = len(level)
    start = (np.arange(k) * n_level)[:, None]
    times = np.bincount(
        (level + start).ravel(), np.tile(weight, k), minlength=k * n_level
    ).reshape(k, n_level)  # fmt: skip
    out: np.ndarray = (weight.sum() ** 2 - np.square(times).sum(axis=1)) / 2
    return out


def _all_pairs(weight: np.ndarray) -> float:
    """Pairs of entries, copies written out."""
    n = float(weight.sum())
    return n * (n - 1) / 2
