"""Many small normal equations at once: free, non-negative, one of the members, a mixture of two neighbours."""

from __future__ import annotations

import numpy as np

__all__ = ["best_member", "eliminated", "free_weights", "mixture_weights", "nonnegative_weights"]

_JITTER = 1e-13  # makes equal members (a singular A) share their weight; far below the tolerance of the fits
_TIE = 1e-12
_SINGULAR = 1e-9
_PATIENCE = 3  # exchanges of whole sets without progress, before one at a time (Kim and Park 2011)


def free_weights(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights ``A^-1 b`` (least norm where A is singular).

    Parameters
    ----------
    a : array, ``[f, k, k]``
        Positive semidefinite, unit diagonals (or nearly).
    b : array, ``[f, k, g]``
        g right sides of each problem.

    Examples
    --------
    >>> (
    ...     free_weights(np.array([[[1.0, 0.5], [0.5, 1.0]]]), np.array([[[1.0], [0.5]]]))[0, :, 0]
    ...     + 0.0
    ... )
    array([1., 0.])
    """
    out, regular = eliminated(a, b)
    if not regular.all():
        odd = ~regular
        values, vectors = np.linalg.eigh(a[odd])
        kept = values > _TIE * values[:, -1:]
        share = np.einsum("fkj,fkg->fjg", vectors, b[odd])
        share = np.where(kept[..., None], share / np.where(kept, values, 1.0)[..., None], 0.0)
        out[odd] = np.einsum("fkj,fjg->fkg", vectors, share)
    return out


def eliminated(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solutions of many small positive definite systems at once, and which of them are regular.

    Parameters
    ----------
    a : array, ``[f, k, k]``
    b : array, ``[f, k, g]``

    Returns
    -------
    x : array, ``[f, k, g]``
    regular : array of bool, ``[f]``
        False where a pivot is below 1e-9 of the diagonal; x is then not to be used.

    Notes
    -----
    Gauss's elimination without exchange of rows (stable for positive definite matrices), each step on all systems
    together: k steps on arrays of f instead of f calls of a solver.

    Examples
    --------
    >>> eliminated(np.array([[[4.0, 2.0], [2.0, 3.0]]]), np.array([[[2.0], [1.0]]]))[0][0, :, 0]
    array([0.5, 0. ])
    """
    k = a.shape[1]
    u = np.ascontiguousarray(np.moveaxis(np.concatenate([a, b], axis=2), 0, -1))
    least = _SINGULAR * np.einsum("iif->if", u[:, :k])
    regular = np.ones(len(a), dtype=bool)
    for j in range(k):
        fine = u[j, j] > least[j]
        if not fine.all():
            regular &= fine
            u[j, j] = np.where(fine, u[j, j], 1.0)
        u[j, j + 1 :] /= u[j, j]
        if j + 1 < k:
            u[j + 1 :, j + 1 :] -= u[j + 1 :, j, None] * u[j, None, j + 1 :]
    x = u[:, k:]
    for j in range(k - 2, -1, -1):
        x[j] -= np.einsum("if,igf->gf", u[j, j + 1 : k], x[j + 1 :])
    return np.ascontiguousarray(np.moveaxis(x, -1, 0)), regular


def nonnegative_weights(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Minimum of ``w'A w / 2 - w'b`` over ``w >= 0``; the best single member where that is 0.

    Parameters
    ----------
    a : array, ``[f, k, k]``
        Positive semidefinite, unit diagonals.
    b : array, ``[f, k]``

    Notes
    -----
    Block principal pivoting (Kim and Park 2011, SIAM Journal on Scientific Computing 33:3261) on all problems at
    once: the members with a negative weight and those outside with a negative gradient change sides together;
    where that does not reduce their number, the last of them alone, which ends.

    Examples
    --------
    >>> nonnegative_weights(np.eye(2)[None], np.array([[0.5, -1.0]]))
    array([[0.5, 0. ]])
    """
    f, k = b.shape
    a = a + _JITTER * np.eye(k)
    out = np.zeros((f, k))
    todo = np.arange(f)
    inside = b > 0
    fewest, patience = np.full(f, k + 1), np.full(f, _PATIENCE)
    tolerance = _TIE * np.abs(b).max(axis=1, initial=0.0, keepdims=True)
    identity = np.eye(k)
    while len(todo):
        p, right, mine = inside[todo], b[todo], a[todo]
        both = p[:, :, None] & p[:, None, :]
        system, side = np.where(both, mine, identity), np.where(p, right, 0.0)[..., None]
        w, regular = eliminated(system, side)
        if not regular.all():
            w[~regular] = np.linalg.solve(system[~regular], side[~regular])
        w = w[..., 0]
        gradient = np.matmul(mine, w[..., None])[..., 0] - right
        wrong = np.where(p, w < -tolerance[todo], gradient < -tolerance[todo])
        count = wrong.sum(axis=1)
        out[todo] = np.where(p, np.maximum(w, 0.0), 0.0)
        open_ = count > 0
        todo, wrong, count = todo[open_], wrong[open_], count[open_]
        better = count < fewest[todo]
        fewest[todo] = np.where(better, count, fewest[todo])
        patience[todo] = np.where(better, _PATIENCE, patience[todo] - 1)
        last = np.arange(k) == (k - 1 - np.argmax(wrong[:, ::-1], axis=1))[:, None]
        inside[todo] ^= np.where((better | (patience[todo] >= 0))[:, None], wrong, wrong & last)
    none = ~(out > 0).any(axis=1)
    out[none] = best_member(b[none, :, None])[..., 0]
    return out


def best_member(b: np.ndarray) -> np.ndarray:
    """1 for the largest of the members ``[..., k, g]`` (the first of equal ones), 0 for the others.

    Examples
    --------
    >>> best_member(np.array([[0.1], [0.3], [0.3]])).ravel()
    array([0., 1., 0.])
    """
    best = np.argmax(b, axis=-2)
    found: np.ndarray = np.arange(b.shape[-2])[:, None] == best[..., None, :]
    return found.astype(np.float64)


def mixture_weights(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights of the two neighbouring members (or the one) whose mixture has the largest ``w'b / sqrt(w'A w)``.

    Arguments as in :func:`nonnegative_weights`; members in their order.

    Examples
    --------
    >>> mixture_weights(np.eye(3)[None], np.array([[0.3, 0.3, 0.1]])).round(12)
    array([[0.3, 0.3, 0. ]])
    """
    f, k = b.shape
    if k == 1:
        return np.ones((f, 1))
    cross = a[:, np.arange(k - 1), np.arange(1, k)]
    left, right = b[:, :-1], b[:, 1:]
    rest = 1 - cross**2
    first, second = left - cross * right, right - cross * left
    between = (first > 0) & (second > 0) & (rest > _TIE)
    inner = (left * first + right * second) / np.where(between, rest, 1.0)
    value = np.where(between, np.sqrt(np.maximum(inner, 0.0)), -np.inf)
    pair = np.argmax(value, axis=1)
    rows = np.arange(f)
    out = best_member(b[..., None])[..., 0]
    mixed = value[rows, pair] > b.max(axis=1)
    scale = rest[rows, pair][mixed]
    out[mixed] = 0.0
    out[rows[mixed], pair[mixed]] = first[rows, pair][mixed] / scale
    out[rows[mixed], pair[mixed] + 1] = second[rows, pair][mixed] / scale
    return out
