"""What counts as nothing: cut-offs relative to the scale of the numbers, so that no result depends on a unit."""

from __future__ import annotations

import numpy as np

from apastats.numbers.moments import ROUNDING

__all__ = ["RANK_CUT", "independent_rows", "no_variation", "symmetric_inverse"]

# a direction below this share of the largest one, in unit-free coordinates, is rounding
RANK_CUT = 1e-8


def symmetric_inverse(A: np.ndarray) -> np.ndarray:
    """Pseudo-inverse of a symmetric matrix whose rows may have different units.

    The matrix is brought to a unit diagonal first. Without that a cut-off compares eigenvalues in
    different units, and which direction counts as empty depends on the unit.

    Parameters
    ----------
    A : numpy.ndarray
        ``[m, m]``.

    Returns
    -------
    numpy.ndarray
        ``[m, m]``.

    Examples
    --------
    >>> A = np.array([[2.0, 1e9], [1e9, 1e20]])
    >>> bool(np.allclose(symmetric_inverse(A) @ A, np.eye(2), atol=1e-6))
    True
    """
    if not len(A):
        return A.copy()
    size = np.sqrt(np.abs(np.diag(A)))
    size = np.where(size > 0, size, 1.0)
    scaled = A / np.outer(size, size)
    inverse = np.linalg.pinv((scaled + scaled.T) / 2, rcond=ROUNDING, hermitian=True)
    return np.asarray(inverse / np.outer(size, size))


def independent_rows(L: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Positions of a largest set of linearly independent rows.

    Parameters
    ----------
    L : numpy.ndarray
        ``[m, p]``.
    scale : numpy.ndarray
        ``[p]`` size of a unit of every column (such as the standard error of the coefficient it multiplies).

    Returns
    -------
    numpy.ndarray
        Positions in ascending order; empty where all rows are 0.

    Examples
    --------
    >>> len(independent_rows(np.array([[1.0, -1, 0], [0, 1, -1], [1, 0, -1]]), np.ones(3)))
    2
    """
    from scipy.linalg import qr

    if not len(L):
        return np.zeros(0, dtype=int)
    M = L * scale
    size = np.sqrt((M * M).sum(axis=1, keepdims=True))
    M = M / np.where(size > 0, size, 1.0)
    _, R, pivot = qr(M.T, pivoting=True, mode="economic")
    left = np.abs(np.diag(R))
    rank = int((left > RANK_CUT).sum())
    return np.sort(pivot[:rank])


def no_variation(rest: float, total: float) -> bool:
    """Whether a sum of squares is rounding of the sum of squares it was taken from."""
    return not rest > ROUNDING**2 * total
