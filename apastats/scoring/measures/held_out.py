"""Scores of held-out predictions, linear in weights of the stimuli, those held out and those fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apastats.numbers.units import varies

__all__ = ["Part", "part_of", "weighted_scores"]

MOST = 0.8  # share of a unit's variance in a fold


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
    fold is therefore linear about the stimuli as they are: its value and the mean influence of those drawn, what the
    jackknife says of leaving them out (for R2 halfway to first order), with that of the stimuli it was fitted to.
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
    # what is left of a sum of products about the means without one stimulus: that less n / (n - 1) of its own
    more = n / (n - 1)
    if score == "r2":
        # 1 - E / V with the mean squares E of the errors and V of the responses
        square = (y - predicted) ** 2
        error = square.mean(axis=0)
        values = 1 - error / of_y
        first = (error * (a**2 - of_y) / of_y - (square - error)) / of_y
        left = 1 - (n * error - square) / _positive(n * of_y - more * a**2)
        gradient = 2 * (y - predicted) / (n * of_y)
        share = more * a**2 / (n * of_y)
    else:
        b = predicted - predicted.mean(axis=0)
        moves = varies(predicted)  # a constant prediction explains nothing
        of_p = np.where(moves, (b**2).mean(axis=0), 1.0)
        u, v = a / np.sqrt(of_y), b / np.sqrt(of_p)
        values = np.where(moves, (u * v).mean(axis=0), 0.0)
        first = np.where(moves, u * v - values * (u**2 + v**2) / 2, 0.0)
        rest = _positive(n - more * u**2) * _positive(n - more * v**2)
        left = np.where(moves, (n * values - more * u * v) / np.sqrt(rest), 0.0)
        gradient = np.where(moves, (u - values * v) / (n * np.sqrt(of_p)), 0.0)
        share = more * np.maximum(u**2, v**2) / n
    # one that holds nearly all variance of a unit in the fold leaves nothing to divide by: its influence to first order
    influence = np.where(share < MOST, (n - 1) * (values - left), first)
    if score == "r2":
        # standard errors of R2 to first order are too small where noise is large, those of the jackknife too large
        # where it is small (.85 and 1.25 of the SD at folds of 12): halfway between
        influence = (influence + first) / 2
    influence = influence.mean(axis=1)
    return float(values.mean()), influence - influence.mean(), gradient


def _positive(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 1.0)
