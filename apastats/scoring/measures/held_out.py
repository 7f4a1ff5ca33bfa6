"""Scores of held-out predictions, linear in weights of the stimuli, those held out and those fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apastats.numbers.units import varies

__all__ = ["Part", "part_of", "weighted_scores"]


class Part(NamedTuple):
    """One fold: its score, rows held out and rows fitted to, and the influence of each on the score, of mean 0."""

    value: float
    rows: np.ndarray
    influence: np.ndarray
    kept: np.ndarray
    through_fit: np.ndarray


def part_of(
    rows: np.ndarray,
    y: np.ndarray,
    predicted: np.ndarray,
    score: str,
    kept: np.ndarray,
    weights: np.ndarray,
    left_out: np.ndarray,
) -> Part:
    """Score of a fold and influences.

    Parameters
    ----------
    rows, kept : array of int
        Stimuli held out and fitted to.
    y, predicted : array, ``[n_out, q]``
        Responses of the units that vary in the fold; their predictions.
    score : {"r2", "r"}
    weights : array, ``[n_out, n_kept]``
        What each response fitted to adds to the predictions.
    left_out : array, ``[n_kept, q]``
        Leave-one-out errors of the stimuli fitted to.

    Notes
    -----
    A stimulus is in the score twice: where it is held out, and in the fits by which the other folds are scored. Without
    stimulus a the predictions move by ``-weights[:, a] x left_out[a]`` (exactly, at the penalty chosen), and the score
    by the inner product of that with its gradient; a jackknife without a second fit.
    """
    value, influence, gradient = _of_fold(y, predicted, score)
    through = ((weights.T @ gradient) * left_out).sum(axis=1) / max(y.shape[1], 1)
    return Part(value, rows, influence, kept, len(rows) * (through - through.mean()))


def weighted_scores(parts: Sequence[Part], counts: np.ndarray) -> np.ndarray:
    """Mean score ``[b]`` over units and folds, linear in the weights of the stimuli ``[b, n]``.

    With weights of 1 it is the score of :func:`apastats.scoring.ridge.ridge_scores`; folds count by the weight of
    their stimuli, units alike. A fold holds few stimuli: the R2 of those drawn of it has a denominator near 0 in some
    resamples, and their mean and variance are those of accidents (SDs 1,500 times too large were seen). The score of a
    fold is therefore linear about the stimuli as they are: its value, the mean influence of those drawn (to first
    order: an infinitesimal jackknife), and that of the stimuli it was fitted to.

    What a stimulus tested and one fitted to do to a score together is in the influence of both, so that its part of the
    variance counts twice (Efron and Stein 1981, Annals of Statistics 9:586): standard errors are too long, not too
    short, by what the page on measures says.
    """
    total, size = np.zeros(len(counts)), np.zeros(len(counts))
    for part in parts:
        c, fitted_to = (np.asarray(counts[:, r], dtype="f8") for r in (part.rows, part.kept))
        weight = c.sum(axis=1)
        total += weight * part.value + c @ part.influence + fitted_to @ part.through_fit
        size += weight
    return np.asarray(total / np.where(size > 0, size, np.nan))


def _of_fold(
    y: np.ndarray, predicted: np.ndarray, score: str
) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean score over units of a fold, the influence of every stimulus on it ``[n_out]``, of mean 0, and its gradient.

    The gradient is that of the score of each unit by its predictions, ``[n_out, q]``.
    """
    n = len(y)
    a = y - y.mean(axis=0)
    of_y = (a**2).mean(axis=0)
    if score == "r2":
        # 1 - E / V with the mean squares E of the errors and V of the responses
        square = (y - predicted) ** 2
        error = square.mean(axis=0)
        values = 1 - error / of_y
        influence = (error * (a**2 - of_y) / of_y - (square - error)) / of_y
        gradient = 2 * (y - predicted) / (n * of_y)
    else:
        b = predicted - predicted.mean(axis=0)
        moves = varies(predicted)  # a constant prediction explains nothing
        of_p = np.where(moves, (b**2).mean(axis=0), 1.0)
        u, v = a / np.sqrt(of_y), b / np.sqrt(of_p)
        values = np.where(moves, (u * v).mean(axis=0), 0.0)
        influence = np.where(moves, u * v - values * (u**2 + v**2) / 2, 0.0)
        gradient = np.where(moves, (u - values * v) / (n * np.sqrt(of_p)), 0.0)
    influence = influence.mean(axis=1)
    return float(values.mean()), influence - influence.mean(), gradient
