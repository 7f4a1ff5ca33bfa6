"""The delete-one jackknife: standard errors, and each unit's share in a mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["SecondOrder", "jackknife_error", "person_shares", "second_order"]


def jackknife_error(left: np.ndarray) -> np.ndarray:
    """Standard error from leaving out one unit at a time, ``left [n, ...]``: ``sqrt((n - 1) / n sum (A_-i - mean)^2)``.

    Source: Tukey 1958, Annals of Mathematical Statistics 29:614; never too small on average (Efron and Stein
    1981, Annals of Statistics 9:586).
    """
    n = len(left)
    error: np.ndarray = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return error


def person_shares(values: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Share of every person, in all roles, in a mean over people who serve one another as references.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, ...)
        What is averaged over people, NaN where a person has no value.
    left : numpy.ndarray, shape (n, ...)
        The mean without person i in any role.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        ``A + (n - 1) (mean_j A_-j - A_-i)``, n the people with a value: the mean over people is A and the
        standard error of that mean the jackknife's. NaN where a person has no value, or nothing is left
        without the person.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> bool(np.allclose(person_shares(x, (x.sum() - x) / 2), x))
    True
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=0) / n
        left = np.where(known, left, np.nan)
        there = np.isfinite(left)
        centre = np.where(there, left, 0.0).sum(axis=0) / there.sum(axis=0)
    out: np.ndarray = mean + (n - 1) * (centre - left)
    return out


FAR, MOST = (
    3.0,
    0.15,
)  # beyond FAR the correction is constant; MOST keeps it increasing (below 1 / (2 FAR))


@dataclass(frozen=True, eq=False)
class SecondOrder:
    """Correction of jackknife t statistics for the second order of a mean over pairs of people.

    Attributes
    ----------
    k : numpy.ndarray, shape (...)
        ``kappa / (2 sqrt(n))``; 0 where the pairs say nothing.
    """

    k: np.ndarray

    def corrected(self, t: np.ndarray) -> np.ndarray:
        """``t + (min(t^2, 9) + 1) k``, which has Student's t distribution more nearly."""
        return np.asarray(t + (np.minimum(t**2, FAR**2) + 1) * self.k)

    def statistic_at(self, y: np.ndarray) -> np.ndarray:
        """The statistic whose corrected value is y."""
        far = (FAR**2 + 1) * self.k
        root = np.sqrt(np.maximum(1 + 4 * self.k * (y - self.k), 0.0))
        inside = 2 * (y - self.k) / (1 + root)
        return np.asarray(np.where(np.abs(inside) <= FAR, inside, y - far))


def second_order(shares: np.ndarray, pairs: np.ndarray) -> SecondOrder:
    """Correction for means of which a mean over pairs of people is taken off.

    Parameters
    ----------
    shares : numpy.ndarray, shape (n, m, q)
        Each person's share (:func:`person_shares`) in ``mean - mean over pairs``.
    pairs : numpy.ndarray, shape (n, n, q)
        The pairs; the diagonal is not read.

    Returns
    -------
    SecondOrder
        ``k [m, q]``; 0 where a share or a pair is missing.

    Notes
    -----
    What pairs hold beyond the two people, ``psi_ij``, ties the error of the mean to its standard error: where people
    differ much, a mean that is too high comes with a standard error that is too small. Its term in the Edgeworth
    expansion of a studentised U-statistic is ``(t^2 + 1) kappa / (2 sqrt(n))`` with
    ``kappa = E g_i g_j psi_ij / sigma_g^3``, g half a person's share about the mean (Callaert and Veraverbeke 1981,
    Annals of Statistics 9:194; Helmers 1985, Canadian Journal of Statistics 13:79); psi has the sign of ``- pairs``.
    """
    n = len(shares)
    own = np.eye(n, dtype=bool)[..., None]
    both = np.where(own, 0.0, (pairs + np.swapaxes(pairs, 0, 1)) / 2)
    row = both.sum(axis=1)
    mean = row.sum(axis=0) / (n * (n - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        person = (row - (n - 1) * mean) / max(n - 2, 1)
        beyond = np.where(own, 0.0, both - mean - person[:, None] - person[None])
        g = (shares - shares.mean(axis=0)) / 2
        size = g.std(axis=0, ddof=1) ** 3
        kappa = -np.einsum("imq,jmq,ijq->mq", g, g, beyond) / (n * (n - 1)) / size
    k = np.where(np.isfinite(kappa), kappa, 0.0) / (2 * np.sqrt(n))
    return SecondOrder(np.clip(k, -MOST, MOST))
