"""Scores of held-out predictions to first order in weights of the stimuli: the fitted models stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apastats.numbers.units import varies

__all__ = ["Part", "weighted_scores"]


class Part(NamedTuple):
    """One fold: rows held out, responses ``[n_out, q]`` of the units that vary in it, and their predictions."""

    rows: np.ndarray
    y: np.ndarray
    predicted: np.ndarray


def weighted_scores(parts: Sequence[Part], counts: np.ndarray, score: str) -> np.ndarray:
    """Mean score ``[b]`` over units and folds, linear in the weights of the stimuli ``[b, n]``.

    With weights of 1 it is the score of :func:`apastats.scoring.ridge.ridge_scores`; folds count by the weight of
    their stimuli, units alike. A fold holds few stimuli: the R2 of those drawn of it has a denominator near 0 in some
    resamples, and their mean and variance are those of accidents (SDs 1,500 times too large were seen). The score of a
    fold is therefore taken to first order about the stimuli as they are: its value and the mean influence of those
    drawn, as in the infinitesimal jackknife.
    """
    total, size = np.zeros(len(counts)), np.zeros(len(counts))
    for rows, y, predicted in parts:
        if y.shape[1]:
            value, influence = _of_fold(y, predicted, score)
            c = np.asarray(counts[:, rows], dtype="f8")
            weight = c.sum(axis=1)
            total += weight * value + c @ influence
            size += weight
    return np.asarray(total / np.where(size > 0, size, np.nan))


def _of_fold(y: np.ndarray, predicted: np.ndarray, score: str) -> tuple[float, np.ndarray]:
    """Mean score over units of a fold, and the influence of every stimulus on it ``[n_out]``, of mean 0."""
    a = y - y.mean(axis=0)
    of_y = (a**2).mean(axis=0)
    if score == "r2":
        # 1 - E / V with the mean squares E of the errors and V of the responses
        square = (y - predicted) ** 2
        error = square.mean(axis=0)
        influence = (error * (a**2 - of_y) / of_y - (square - error)) / of_y
        return float((1 - error / of_y).mean()), influence.mean(axis=1)
    b = predicted - predicted.mean(axis=0)
    moves = varies(predicted)  # a constant prediction explains nothing
    of_p = np.where(moves, (b**2).mean(axis=0), 1.0)
    u, v = a / np.sqrt(of_y), b / np.sqrt(of_p)
    r = np.where(moves, (u * v).mean(axis=0), 0.0)
    influence = np.where(moves, u * v - r * (u**2 + v**2) / 2, 0.0)
    return float(r.mean()), influence.mean(axis=1)
