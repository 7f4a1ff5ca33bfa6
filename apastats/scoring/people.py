"""What each person adds to a noise ceiling in all roles: as the subject predicted, and in every pool and pair."""

from __future__ import annotations

import numpy as np

from apastats.numbers.jackknife import person_shares
from apastats.numbers.units import varies
from apastats.scoring.fixed import gram_bounds, nili_bounds, subject_gram
from apastats.scoring.methods import comparison, parse_method
from apastats.scoring.rdm_similarity import similarity_counts

__all__ = [
    "between_subjects",
    "pair_values",
    "pool_widening",
    "pooled_part",
    "shares_about",
    "shares_of_pooled",
    "with_variation",
]


def between_subjects(vectors: np.ndarray, method: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Ceilings of one ROI that are made from other subjects' RDMs, and each person's share in their mean.

    Parameters
    ----------
    vectors : numpy.ndarray, shape (n_subject, n_pair)
    method : str
        Similarity of RDMs.
    kind : {"leave_one_out", "subject_to_subject", "nili"}

    Returns
    -------
    values, person : numpy.ndarray, shape (n_subject, n_bound)
        ``nili``: lower and upper; the others have one bound. See
        :func:`apastats.numbers.jackknife.person_shares`; NaN with two subjects. A subject whose RDM has no
        similarity with any (a constant under a correlation) has no value and is in no pool.
    """
    method = parse_method(method)
    n = len(vectors)
    alive = with_variation(vectors, method)
    if not alive.all():
        out = np.full((2, n, 2 if kind == "nili" else 1), np.nan)
        if alive.sum() > 1:
            out[:, alive] = between_subjects(vectors[alive], method, kind)
        return out[0], out[1]
    if kind == "subject_to_subject":
        pairs = similarity_counts(vectors, vectors, method)[0]
        np.fill_diagonal(pairs, np.nan)
        return pair_values(pairs[:, :, None, None])
    used = slice(0, 1) if kind == "leave_one_out" else slice(0, 2)
    values = np.column_stack(nili_bounds(vectors, method=method))[:, used]
    left = np.full((n, values.shape[1]), np.nan)
    row = comparison(method)
    fast = row.product and row.normalised and not np.isnan(vectors.sum())
    gram, weight = subject_gram(vectors, method) if fast else (np.empty((n, n)), np.empty(n))
    # a person is left out in every role: as target, and in the pools of all others. Inner products of pooled RDMs are
    # sums of the Gram matrix of subjects, so no pool is made again
    for i in range(n if n > 2 else 0):
        rest = np.delete(np.arange(n), i)
        if fast:
            found = gram_bounds(gram[np.ix_(rest, rest)], weight[rest])
        else:
            found = nili_bounds(vectors[rest], method=method)
        left[i] = np.mean(np.column_stack(found)[:, used], axis=0)
    return values, person_shares(values, left)


def with_variation(vectors: np.ndarray, method: str) -> np.ndarray:
    """Which RDMs ``[n_subject, n_pair]`` have a similarity with others by this method."""
    row = comparison(method)
    if method == "tau-b" or (row.product and row.centred and row.normalised):
        return varies(np.asarray(vectors, dtype=float).T)
    if row.product and row.normalised:
        return np.asarray((np.nan_to_num(vectors) != 0).any(axis=1))
    return np.ones(len(vectors), dtype=bool)


def pair_values(
    pairs: np.ndarray, count: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over partners of every subject, and each person's share in the mean over subjects.

    Parameters
    ----------
    pairs : numpy.ndarray, shape (n_target, n_partner, n_cell, n_session)
        Score of a partner predicting a target; the same people in the same order in both roles, NaN where there
        is none.
    count : numpy.ndarray of int, optional
        Rows that a mean of ``pairs`` stands for; 1 by default.

    Returns
    -------
    values, person : numpy.ndarray, shape (n_target, n_cell)
        Sessions are averaged last. See :func:`apastats.numbers.jackknife.person_shares`.
    """
    n = len(pairs)
    weight = np.isfinite(pairs) * (1 if count is None else count)
    total = np.where(weight > 0, pairs, 0.0) * weight

    def means(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
        per_session = _mean(total.sum(axis=1), weight.sum(axis=1))
        known = np.isfinite(per_session)
        return _mean(np.where(known, per_session, 0.0).sum(axis=-1), known.sum(axis=-1))

    values = means(total, weight)
    left = np.full(values.shape, np.nan)
    for i in range(n):
        rest = np.ix_(np.delete(np.arange(n), i), np.delete(np.arange(n), i))
        found = means(total[rest], weight[rest])
        known = np.isfinite(found)
        left[i] = _mean(np.where(known, found, 0.0).sum(axis=0), known.sum(axis=0))
    return values, person_shares(values, left)


def _mean(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return out


def pooled_part(
    ceiling: np.ndarray, n: np.ndarray, pairs: np.ndarray, correlation: np.ndarray
) -> np.ndarray:
    """Mean leave-one-out ceiling over the length of the pool, ``C / |M|``, from what a table holds.

    Parameters
    ----------
    ceiling, pairs : numpy.ndarray, shape (m,)
        Mean ceiling and mean similarity of two subjects, NaN where it is not there.
    n : numpy.ndarray of int, shape (m,)
        Subjects.
    correlation : numpy.ndarray of bool, shape (m,)
        Whether the unit of the ceiling is known to be that of a correlation.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Between 0 and 1. With r the mean correlation of two subjects' data and M the mean of m = n - 1 of them,
        standardised, ``|M|^2 = (1 + (m - 1) r) / m`` and ``C = r / |M|``. Hence ``|M|`` is the ratio of the mean over
        pairs to the ceiling, in any unit; without pairs it follows from a C that is a correlation; 0, which is
        never too much, where neither is known.
    """
    m = np.maximum(np.asarray(n, dtype=float) - 1, 1)
    least = np.sqrt(1 / m)
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.where((pairs > 0) & (ceiling > 0), pairs / ceiling, least)
        from_pairs = (m * length**2 - 1) / np.maximum(m - 1, 1) / length**2
        half = (1 - 1 / m) * np.maximum(ceiling, 0) / 2
        alone = np.maximum(ceiling, 0) / (half + np.sqrt(half**2 + 1 / m))
    part = np.where(np.isfinite(pairs), from_pairs, np.where(correlation, alone, 0.0))
    out: np.ndarray = np.clip(part, 0.0, 1.0)
    return out


def pool_widening(n: np.ndarray, part: np.ndarray) -> np.ndarray:
    """How many times a subject's own deviation its share in the mean of leave-one-out ceilings is.

    Parameters
    ----------
    n : numpy.ndarray of int, shape (m,)
        Subjects.
    part : numpy.ndarray, shape (m,)
        From :func:`pooled_part`.

    Returns
    -------
    numpy.ndarray, shape (m,)
        NaN for two subjects, whose two ceilings are one number.

    Notes
    -----
    ``c_s = r_s . M / |M|`` with r_s the standardised data of subject s and M the mean of the n - 1 others. Leaving
    person i out moves the pool of s by ``(M - r_i) / (n - 2)``: what the person added to the numerators goes, and
    what it added to the norms. To first order ``(n - 1) (C - C_-i) = k (c_i - C)`` for the mean ceiling C, with
    ``k = 1 + n / (n - 2) (1 - (1 - 1 / (n - 1)) C / |M|)``. Without the norm ``k = 2 (n - 1) / (n - 2)``, exact for
    means over pairs, and k is never larger.

    Examples
    --------
    >>> pool_widening(np.array([10, 10, 10]), np.array([0.0, 0.5, 1.0])).round(2)
    array([2.25, 1.69, 1.14])
    """
    n = np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = 1 + n / (n - 2) * (1 - (1 - 1 / (n - 1)) * part)
    out: np.ndarray = np.where(n > 2, k, np.nan)
    return out


def shares_of_pooled(
    values: np.ndarray, pairs: np.ndarray, correlation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each person's share in the mean of leave-one-out ceilings of which only the scores are there.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_subject, m)
    pairs, correlation : numpy.ndarray, shape (m,)
        See :func:`pooled_part`.

    Returns
    -------
    person : numpy.ndarray, shape (n_subject, m)
    widening : numpy.ndarray, shape (m,)
        See :func:`pool_widening`.
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = _mean(np.where(known, values, 0.0).sum(axis=0), n)
    beyond = np.where(known, np.abs(values), 0.0).max(axis=0) > 1
    widening = pool_widening(n, pooled_part(mean, n, pairs, correlation & ~beyond))
    return mean + widening * (values - mean), widening


def shares_about(person: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Shares of a part of the people, shifted so that their mean is that of the ``values`` of these people.

    Both ``[n, ...]``; a person without a value has no share.
    """
    person = np.where(np.isfinite(values), person, np.nan)
    there = np.isfinite(person)
    n = there.sum(axis=0)
    shift = np.where(there, values - person, 0.0).sum(axis=0) / np.maximum(n, 1)
    out: np.ndarray = person + shift
    return out
