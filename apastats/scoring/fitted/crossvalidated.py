"""Cross-validation over subjects, stimuli or both inside every resample, and the variance it leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apastats.scoring.fitted.folds import FittedKernel

__all__ = ["Crossvalidated", "crossvalidated", "default_k", "folds_of", "without_fold_variance"]


class Crossvalidated(NamedTuple):
    """Of B resamples (S subjects, M models).

    Attributes
    ----------
    values : array, ``[B, n_cv, S, M + 2]``
        Scores of held-out data, mean over folds of stimuli; the last two are the ceilings. NaN for subjects not
        drawn, and where a fold has too few stimuli or nobody to learn from.
    apparent : array, ``[B, S, M]``
        Scores on the same parts of models fitted to all data of the resample.
    weights : list of array, ``[B, k]``
        Weights of these fits.
    """

    values: np.ndarray
    apparent: np.ndarray
    weights: list[np.ndarray]


def default_k(n: int, sizes: tuple[int, ...]) -> int:
    """Folds by the number of distinct units a resample keeps, from 2 up to 5.

    Examples
    --------
    >>> default_k(92, (12, 24, 40)), default_k(10, (6, 12, 20))
    (5, 3)
    """
    kept = (1 - np.exp(-1)) * n
    return 2 + sum(bool(kept >= size) for size in sizes)


def folds_of(present: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Random folds of equal size (to one) among the present units of every row; -1 for absent ones.

    Examples
    --------
    >>> found = folds_of(np.ones((1, 6), dtype=bool), 3, np.random.default_rng(0))
    >>> np.bincount(found[0])
    array([2, 2, 2])
    """
    key = np.where(present, rng.random(present.shape), np.inf)
    place = np.argsort(np.argsort(key, axis=-1), axis=-1)
    size = present.sum(axis=-1, keepdims=True)
    return np.where(present, place * k // np.maximum(size, 1), -1)


def crossvalidated(
    kernel: FittedKernel,
    subjects: np.ndarray,
    stimuli: np.ndarray,
    k_subject: int,
    k_stimulus: int,
    n_cv: int,
    rng: np.random.Generator,
) -> Crossvalidated:
    """Cross-validate all models in every resample.

    Parameters
    ----------
    kernel : FittedKernel
    subjects, stimuli : array, ``[B, S]`` and ``[B, n]``
        How often each is drawn. Copies stay in one fold together.
    k_subject, k_stimulus : int
        Folds; 1 leaves a factor whole.
    n_cv : int
        Random partitions.
    rng : numpy.random.Generator
    """
    b, s = subjects.shape
    groups, parts = k_subject, k_stimulus
    of_subject = folds_of(np.repeat(subjects[:, None] > 0, n_cv, axis=1), groups, rng)
    of_stimulus = folds_of(np.repeat(stimuli[:, None] > 0, n_cv, axis=1), parts, rng)
    # rows of counts: the whole; test parts of every partition; beyond two parts, their complements
    inside = of_stimulus[:, :, None] == np.arange(parts)[:, None]
    counts = stimuli[:, None, None] * inside
    tests = (b + np.arange(b * n_cv * parts)).reshape(b, n_cv, parts)
    rows = [stimuli, counts.reshape(-1, stimuli.shape[1])]
    if parts == 1:
        rows, tests = rows[:1], np.repeat(np.arange(b), n_cv).reshape(b, n_cv, 1)
        trains = tests
    elif parts == 2:
        trains = tests[..., ::-1]
    else:
        trains = tests + b * n_cv * parts
        rows.append((stimuli[:, None, None] * ~inside).reshape(-1, stimuli.shape[1]))
    grams = kernel.grams(np.concatenate(rows))
    v = subjects[:, None, None].astype(np.float64)
    tested = v * (of_subject[:, :, None] == np.arange(groups)[:, None])
    fitted_to = v - tested if groups > 1 else tested
    shape = (b, n_cv, groups, parts)

    def spread(a: np.ndarray, axis: int) -> np.ndarray:
        return np.broadcast_to(np.expand_dims(a, axis), (*shape, *a.shape[3:])).reshape(
            -1, *a.shape[3:]
        )

    found = kernel.folds(
        grams, spread(trains, 2), spread(tests, 2), spread(fitted_to, 3), spread(tested, 3)
    )
    everyone = np.asarray(subjects, dtype=np.float64)
    whole = np.arange(b)
    full = kernel.folds(grams, whole, whole, everyone, everyone)
    # the fit to all data on the same parts, so that nothing but the fit differs
    per_fold = np.repeat(whole, n_cv * groups * parts)
    known = kernel.folds(
        grams,
        per_fold,
        spread(tests, 2),
        everyone[per_fold],
        spread(tested, 3),
        [w[per_fold] for w in full.solved],
    )
    mine = (tested > 0)[:, :, :, None, :, None]

    def over_folds(a: np.ndarray) -> np.ndarray:
        """Mean over parts in the fold that tests a subject; a value missing in one part is missing."""
        a = a.reshape(*shape, s, -1)
        lost = (mine & ~np.isfinite(a)).any(axis=(2, 3)) | ~mine.any(axis=(2, 3))
        total: np.ndarray = np.where(mine, np.nan_to_num(a), 0.0).sum(axis=(2, 3)) / parts
        return np.where(lost, np.nan, total)

    values = over_folds(np.concatenate([found.scores, found.ceilings], axis=2))
    return Crossvalidated(values, over_folds(known.scores).mean(axis=1), full.weights)


def without_fold_variance(replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of resamples as if every partition into folds had been tried, and whether that could be told.

    Parameters
    ----------
    replicates : array, ``[B, n_cv, m]``

    Returns
    -------
    variance : array, ``[m]``
    corrected : array of bool, ``[m]``
        False where the correction leaves no positive variance (too few resamples) or there is one partition: the
        variance is then that of the means.

    Notes
    -----
    The variance of the mean of n partitions is ``V + E / n``, that of one ``V + E``; hence
    ``V = (n V_mean - V_1) / (n - 1)`` (Schuett et al. 2023, eLife 12:e82566).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = without_fold_variance(
    ...     rng.normal(size=(5000, 1, 1)) + rng.normal(size=(5000, 2, 1))
    ... )[0]
    >>> bool(abs(found[0] - 1) < 0.1)
    True
    """
    n = replicates.shape[1]
    of_mean = np.nanvar(replicates.mean(axis=1), axis=0, ddof=1)
    if n == 1:
        return of_mean, np.zeros(of_mean.shape, dtype=bool)
    of_one = np.nanvar(replicates, axis=0, ddof=1).mean(axis=0)
    found = (n * of_mean - of_one) / (n - 1)
    good = found > 0
    return np.where(good, found, of_mean), good
