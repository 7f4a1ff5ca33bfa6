"""Many small normal equations at once: free, non-negative, one of the members, a mixture of two neighbours."""

from __future__ import annotations

import numpy as np

__all__ = ["best_member", "free_weights", "mixture_weights", "nonnegative_weights"]

_JITTER = 1e-13  # makes equal members (a singular A) share their weight; far below the tolerance of the fits
_TIE = 1e-12
_PATIENCE = 3  # exchanges of whole sets without progress, before one at a time (Kim and Park 2011)


def free_weights(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights ``A^-1 b`` (least norm where A is singular), for ``a [f, k, k]`` with unit diagonals and ``b [f, k]``.

    Examples
    --------
    >>> free_weights(np.array([[[1.0, 0.5], [0.5, 1.0]]]), np.array([[1.0, 0.5]])).round(12) + 0.0
    array([[1., 0.]])
    """
    values, vectors = np.linalg.eigh(a)
    kept = values > _TIE * values[:, -1:]
    share = np.einsum("fkj,fk->fj", vectors, b)
    share = np.where(kept, share / np.where(kept, values, 1.0), 0.0)
    return np.asarray(np.einsum("fkj,fj->fk", vectors, share))


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
        p, right = inside[todo], b[todo]
        both = p[:, :, None] & p[:, None, :]
        w = np.linalg.solve(np.where(both, a[todo], identity), np.where(p, right, 0.0)[..., None])
        w = w[..., 0]
        gradient = (a[todo] @ w[..., None])[..., 0] - right
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
    out[none] = best_member(b[none])
    return out


def best_member(b: np.ndarray) -> np.ndarray:
    """1 for the largest of every row (the first of equal ones), 0 for the others.

    Examples
    --------
    >>> best_member(np.array([[0.1, 0.3, 0.3]]))
    array([[0., 1., 0.]])
    """
    return np.eye(b.shape[1])[np.argmax(b, axis=1)]


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
    out = best_member(b)
    mixed = value[rows, pair] > b.max(axis=1)
    scale = rest[rows, pair][mixed]
    out[mixed] = 0.0
    out[rows[mixed], pair[mixed]] = first[rows, pair][mixed] / scale
    out[rows[mixed], pair[mixed] + 1] = second[rows, pair][mixed] / scale
    return out
