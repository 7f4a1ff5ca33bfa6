"""Cross-validation over subjects, stimuli or both inside every resample, and the variance it leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apastats.scoring.fitted.folds import FittedKernel, Grams

__all__ = [
    "Crossvalidated",
    "StimulusFolds",
    "crossvalidated",
    "default_k",
    "folds_of",
    "mean_of_known",
    "stimulus_folds",
    "without_fold_variance",
]


class Crossvalidated(NamedTuple):
    """Of B resamples (S subjects, M models).

    Attributes
    ----------
    values : array, ``[B, n_cv, S, M + 2]``
        Scores of held-out data, mean over folds of stimuli; the last two are the ceilings. NaN for subjects not
        drawn, and where a fold has too few stimuli or nobody to learn from.
    apparent : array or None, ``[B, S, M]``
        Scores on the same parts of models fitted to all data of the resample.
    weights : list of array, ``[B, k]``
        Weights of these fits.
    """

    values: np.ndarray
    apparent: np.ndarray | None
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
    if k == 1:
        return np.where(present, 0, -1)
    key = np.where(present, rng.random(present.shape), np.inf)
    size = present.sum(axis=-1, keepdims=True)
    # in their random order, places p of n are in fold floor(p k / n): from which key on is a unit in fold 1, 2, ...?
    begins = -(-np.arange(1, k) * size // k)
    row = np.sort(key, axis=-1)
    row = np.concatenate([row, np.full((*row.shape[:-1], 1), np.inf)], axis=-1)
    least = np.take_along_axis(row, begins, axis=-1)
    fold = np.zeros(key.shape, dtype=np.intp)
    for j in range(k - 1):
        fold += key >= least[..., j, None]
    return np.where(present, fold, -1)


class StimulusFolds(NamedTuple):
    """Inner products of the training and test stimuli of T partitions into P folds.

    ``trains, tests [T, P]``: rows of ``grams``. ``whole``: of all stimuli of each resample, where asked for.
    """

    grams: Grams
    trains: np.ndarray
    tests: np.ndarray
    whole: Grams | None


def stimulus_folds(
    kernel: FittedKernel,
    stimuli: np.ndarray,
    k: int,
    n_cv: int,
    rng: np.random.Generator,
    *,
    whole: bool = True,
) -> StimulusFolds:
    """Partition the stimuli of every resample n_cv times, resamples in the order of rows.

    Parameters
    ----------
    kernel : FittedKernel
    stimuli : array, ``[B, n]``
        How often each is drawn. Copies stay in one fold together.
    k, n_cv : int
        Folds (1 leaves the stimuli whole), and partitions of each resample.
    rng : numpy.random.Generator
    whole : bool
        Whether all stimuli of a resample are wanted too.
    """
    b, n = stimuli.shape
    if k == 1:
        grams = kernel.grams(stimuli)
        rows = np.repeat(np.arange(b), n_cv)[:, None]
        return StimulusFolds(grams, rows, rows, grams if whole else None)
    drawn = np.repeat(stimuli.astype(np.float64), n_cv, axis=0)
    fold = folds_of(drawn > 0, k, rng)
    inside = fold[:, None] == np.arange(k)[:, None]
    counts = [(drawn[:, None] * inside).reshape(-1, n)]
    tests = np.arange(len(drawn) * k).reshape(-1, k)
    trains = tests[:, ::-1]  # the other half
    if k > 2:
        counts.append((drawn[:, None] * ~inside).reshape(-1, n))
        trains = tests + tests.size
    grams = kernel.grams(np.concatenate(counts))
    return StimulusFolds(grams, trains, tests, kernel.grams(stimuli) if whole else None)


def crossvalidated(
    kernel: FittedKernel,
    subjects: np.ndarray,
    folds: StimulusFolds,
    k_subject: int,
    n_cv: int,
    rng: np.random.Generator,
) -> Crossvalidated:
    """Cross-validate all models in every resample.

    Parameters
    ----------
    kernel : FittedKernel
    subjects : array, ``[B, S]``
        How often each is drawn. Copies stay in one fold together.
    folds : StimulusFolds
        Of ``B n_cv`` partitions.
    k_subject : int
        Folds; 1 leaves the subjects whole.
    n_cv : int
        Random partitions.
    rng : numpy.random.Generator
    """
    b, groups = len(subjects), k_subject
    of_subject = folds_of(np.repeat(subjects > 0, n_cv, axis=0), groups, rng)
    v = np.repeat(subjects, n_cv, axis=0).astype(np.float64)
    fold = np.maximum(of_subject, 0)
    fitted_to = v[:, None]
    if groups > 1:
        fitted_to = fitted_to * (of_subject[:, None] != np.arange(groups)[:, None])
    test = folds.grams.take(folds.tests)
    fits = kernel.fit(folds.grams.take(folds.trains), fitted_to)
    scores = kernel.score(test, fits, fold)
    ceilings = kernel.ceilings(test, fitted_to, v, fold)
    # a value missing in one part is missing
    values = np.concatenate([scores, ceilings], axis=-1).mean(axis=1)
    values[v == 0] = np.nan
    values = values.reshape(b, n_cv, *values.shape[1:])
    if folds.whole is None:
        return Crossvalidated(values, None, [])
    everyone = np.asarray(subjects, dtype=np.float64)
    # one row where all resamples have the same stimuli
    rows = np.minimum(np.arange(b), len(folds.whole.norm) - 1)
    full = kernel.fit(folds.whole.take(rows[:, None]), everyone[:, None])
    # the fit to all data on the same parts, so that nothing but the fit differs
    known = [np.repeat(w, n_cv, axis=0) for w in full]
    apparent = kernel.score(test, known, np.zeros_like(fold)).mean(axis=1)
    apparent[v == 0] = np.nan
    return Crossvalidated(
        values,
        mean_of_known(apparent.reshape(b, n_cv, *apparent.shape[1:]), axis=1),
        kernel.described([w[:, 0, :, 0] for w in full]),
    )


def mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is not NaN; NaN where nothing is known.

    Examples
    --------
    >>> mean_of_known(np.array([[1.0, np.nan], [3.0, np.nan]]), axis=0)
    array([ 2., nan])
    """
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        out: np.ndarray = np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis)
    return out


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
