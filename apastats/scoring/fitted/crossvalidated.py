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
    order = np.argsort(np.where(present, rng.random(present.shape), np.inf), axis=-1)
    size = present.sum(axis=-1, keepdims=True)
    place = np.arange(present.shape[-1])
    fold = np.where(place < size, place * k // np.maximum(size, 1), -1)
    out = np.empty_like(fold)
    np.put_along_axis(out, order, fold, axis=-1)
    return out


def crossvalidated(
    kernel: FittedKernel,
    subjects: np.ndarray,
    stimuli: np.ndarray,
    k_subject: int,
    k_stimulus: int,
    n_cv: int,
    rng: np.random.Generator,
    *,
    whole: bool = True,
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
    whole : bool
        Whether to fit to all data of every resample too: ``apparent`` and ``weights``.
    """
    b, n = stimuli.shape
    groups, parts = k_subject, k_stimulus
    t = b * n_cv  # partitions
    of_subject = folds_of(np.repeat(subjects > 0, n_cv, axis=0), groups, rng)
    of_stimulus = folds_of(np.repeat(stimuli > 0, n_cv, axis=0), parts, rng)
    # rows of counts: test parts of every partition; beyond two parts, their complements; the whole
    inside = of_stimulus[:, None] == np.arange(parts)[:, None]
    counts = np.repeat(stimuli.astype(np.float64), n_cv, axis=0)[:, None]
    every = np.arange(b)
    if parts == 1:
        grams = kernel.grams(stimuli)
        tests = trains = np.repeat(every, n_cv)[:, None]
        all_data = grams
    else:
        rows = [(counts * inside).reshape(-1, n)]
        tests = np.arange(t * parts).reshape(t, parts)
        trains = tests[:, ::-1]
        if parts > 2:
            rows.append((counts * (~inside & (counts > 0))).reshape(-1, n))
            trains = tests + t * parts
        grams = kernel.grams(np.concatenate(rows))
        all_data = kernel.grams(stimuli) if whole else None
    v = np.repeat(subjects, n_cv, axis=0).astype(np.float64)
    fold = np.maximum(of_subject, 0)
    fitted_to = v[:, None]
    if groups > 1:
        fitted_to = fitted_to * (of_subject[:, None] != np.arange(groups)[:, None])
    test = grams.take(tests)
    fits = kernel.fit(grams.take(trains), fitted_to)
    scores = kernel.score(test, fits, fold)
    ceilings = kernel.ceilings(test, fitted_to, v, fold)
    # a value missing in one part is missing
    values = np.concatenate([scores, ceilings], axis=-1).mean(axis=1)
    values[v == 0] = np.nan
    values = values.reshape(b, n_cv, *values.shape[1:])
    if all_data is None:
        return Crossvalidated(values, None, [])
    everyone = np.asarray(subjects, dtype=np.float64)
    full = kernel.fit(all_data.take(every[:, None]), everyone[:, None])
    # the fit to all data on the same parts, so that nothing but the fit differs
    known = [np.repeat(w, n_cv, axis=0) for w in full]
    apparent = kernel.score(test, known, np.zeros_like(fold)).mean(axis=1)
    apparent[v == 0] = np.nan
    return Crossvalidated(
        values,
        apparent.reshape(b, n_cv, *apparent.shape[1:]).mean(axis=1),
        kernel.described([w[:, 0, :, 0] for w in full]),
    )


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
