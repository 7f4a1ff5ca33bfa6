"""Reference patterns: means over the brain patterns that do not involve a subject, or two."""

from __future__ import annotations

import numpy as np

__all__ = ["mean_of_others", "pairs_without", "pairs_without_two"]


def _sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = np.where(count > 0.5, total / count, np.nan)
    return out


def mean_of_others(patterns: np.ndarray) -> np.ndarray:
    """Mean over the other subjects, ``[subject, ...] -> [subject, ...]``, missing entries left out."""
    total, count = (v.sum(axis=0) - v for v in _sums(patterns))
    return _ratio(total, count)


def pairs_without(pairs: np.ndarray) -> np.ndarray:
    """Mean over all pairs in which a subject has no part.

    Parameters
    ----------
    pairs : numpy.ndarray, shape (n_subject, n_subject, ...)
        Target, predictor, then anything.

    Returns
    -------
    numpy.ndarray, shape (n_subject, ...)
        NaN where no such pair has the entry.
    """

    def outside(v: np.ndarray) -> np.ndarray:
        out: np.ndarray = v.sum(axis=(0, 1)) - v.sum(axis=1) - v.sum(axis=0)
        return out

    total, count = (outside(v) for v in _sums(pairs))
    return _ratio(total, count)


def pairs_without_two(pairs: np.ndarray) -> np.ndarray:
    """Mean over all pairs in which neither of two subjects has a part, ``[subject, subject, ...]``."""

    def outside(v: np.ndarray) -> np.ndarray:
        one = v.sum(axis=1) + v.sum(axis=0)
        both = v + np.swapaxes(v, 0, 1)
        out: np.ndarray = v.sum(axis=(0, 1)) - one[:, None] - one[None] + both
        return out

    total, count = (outside(v) for v in _sums(pairs))
    return _ratio(total, count)
