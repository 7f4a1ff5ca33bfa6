"""Variance over subjects and stimuli at once, from three bootstraps of the same draws."""

from __future__ import annotations

import numpy as np

from apastats.errors import InputError

__all__ = ["as_counts", "dual_variance"]


def dual_variance(
    both: np.ndarray,
    subjects: np.ndarray,
    stimuli: np.ndarray,
    n_subject: int,
    n_stimulus: int,
) -> np.ndarray:
    """Corrected variance of an estimate over new subjects and new stimuli.

    Parameters
    ----------
    both, subjects, stimuli : array
        Variances of the replicates in which both factors, only subjects, only stimuli were drawn.
    n_subject, n_stimulus : int
        Sizes of the factors.

    Returns
    -------
    numpy.ndarray

    Notes
    -----
    ``V = a V_s + b V_p - a b (V_sp - V_s - V_p)`` with ``a = S / (S - 1)``, ``b = n / (n - 1)`` (Schuett,
    Kipnis, Diedrichsen and Kriegeskorte 2023, eLife 12:e82566): the plain two-factor bootstrap counts the
    interaction (and noise) three times. V cannot exceed ``V_sp`` by more than the floor demands, and
    cannot fall below the variance of either factor alone: the cap comes first, the floor last.

    Examples
    --------
    >>> float(dual_variance(np.float64(1.0), np.float64(0.95), np.float64(0.3), 5, 100).round(4))
    1.1875
    """
    if n_subject < 2 or n_stimulus < 2:
        raise InputError("n_subject, n_stimulus", (n_subject, n_stimulus), "two or more of each")
    # a plain bootstrap over S has (S - 1) / S of a factor's variance. Noise of people by stimuli is in both V_s and
    # V_p, wanted once, and three times in V_sp, as E c_s^2 c_p^2 = 4: V_sp - V_s - V_p is that noise and comes off
    # once
    a, b = n_subject / (n_subject - 1), n_stimulus / (n_stimulus - 1)
    v = a * subjects + b * stimuli - a * b * (both - subjects - stimuli)
    floor = np.maximum(a * subjects, b * stimuli)
    return np.asarray(np.maximum(np.minimum(v, both), floor))


def as_counts(
    both: np.ndarray,
    subjects: np.ndarray,
    stimuli: np.ndarray,
    of_subjects: float,
    of_stimuli: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances as :func:`dual_variance` takes them, from resamples whose spread is another one.

    Parameters
    ----------
    both, subjects, stimuli : array
        Variances of the replicates.
    of_subjects, of_stimuli : float
        Variance of a count per variance of what was drawn in its place: ``(n + 1) / n`` for Dirichlet
        weights. The interaction has the product of both.
    """
    shared = (both - subjects - stimuli) * of_subjects * of_stimuli
    subjects, stimuli = subjects * of_subjects, stimuli * of_stimuli
    return subjects + stimuli + shared, subjects, stimuli
