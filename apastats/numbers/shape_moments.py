"""Similarity of shapes from unbiased moments of a cross-covariance, in which noise and few stimuli are not."""

from __future__ import annotations

from math import comb

import numpy as np

__all__ = ["halves", "moment_fidelity", "spread_sum", "unbiased_moments"]


def unbiased_moments(k: np.ndarray, m: np.ndarray, orders: np.ndarray) -> tuple[float, float]:
    """Estimates of ``tr S S'`` and ``tr (S S')^2`` of the cross-covariance S behind two Gram matrices.

    Parameters
    ----------
    k, m : array, ``[n, n]``
        Gram matrices of the two sides; for the covariance of one side twice that of its first with its second repeats.
    orders : array of int, ``[b, n]``
        Orders of the stimuli over which is averaged.

    Notes
    -----
    Cycles ``K_ab M_ba`` and ``K_ab M_bc K_cd M_da`` through distinct stimuli have the moments as expectations: no entry
    of a stimulus with itself is in them, and with them neither noise nor the number of stimuli. Those of four that go
    up in an order, but for their last step, are counted by products of triangular matrices (Kong and Valiant 2017,
    Annals of Statistics 45:2218). The mean is unknown: the stimuli are differences of two, which have mean 0 and are
    independent, averaged over the ways to pair stimuli.
    """
    half = len(k) // 2
    first = second = 0.0
    for order in orders:
        a, b = (_differences(z, order[:half], order[half : 2 * half]) for z in (k, m))
        first += float((a * b.T).sum() - (np.diag(a) * np.diag(b)).sum())
        for x, y in ((a, b), (b, a)):  # the same for both sides exchanged
            up = np.triu(x, 1)
            second += float(((up @ np.triu(y, 1)) * (up @ y).T).sum())
    n_order = len(orders)
    return first / (half * (half - 1)) / n_order, second / comb(half, 4) / (2 * n_order)


def _differences(k: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Gram matrix of ``(x_one - x_other) / sqrt(2)``."""
    cross = k[np.ix_(one, other)] + k[np.ix_(other, one)]
    return np.asarray((k[np.ix_(one, one)] + k[np.ix_(other, other)] - cross) / 2)


def halves(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the odd and of the even repeats of every stimulus, ``[n, p]`` each; all of them where there is one.

    Parameters
    ----------
    x : array, ``[n_row, p]``
    labels : array of int, ``[n_row]``
        Stimulus of every row, 0 ... n - 1.
    """
    order = np.argsort(labels, kind="stable")
    start = np.searchsorted(labels[order], np.arange(labels.max() + 1))
    turn = np.empty(len(x), dtype=int)
    turn[order] = np.arange(len(x)) - start[labels[order]]
    single = np.bincount(labels) == 1
    means = []
    for k in (0, 1):
        used = (turn % 2 == k) | single[labels]
        total = np.zeros((labels.max() + 1, x.shape[1]))
        np.add.at(total, labels[used], x[used])
        means.append(total / np.bincount(labels[used], minlength=len(total))[:, None])
    return means[0], means[1]


def spread_sum(first: float, second: float, rank: int) -> float:
    """Sum of singular values whose squares are a power law over the rank with these two moments.

    ``s_i^2 = c i^-b``: b from ``second / first^2``, which is between 1 / rank (all alike) and 1 (a single one).
    """
    if first <= 0:
        return 0.0
    i = np.arange(1, rank + 1, dtype="f8")
    ratio = float(np.clip(second / first**2, 1 / rank, 1.0))
    low, high = 0.0, 64.0
    for _ in range(60):
        b = (low + high) / 2
        law = i**-b
        low, high = (b, high) if (law**2).sum() / law.sum() ** 2 < ratio else (low, b)
    law = i**-low
    return float(np.sqrt(first / law.sum()) * np.sqrt(law).sum())


def moment_fidelity(
    x: tuple[np.ndarray, np.ndarray],
    y: tuple[np.ndarray, np.ndarray],
    *,
    n_order: int,
    seed: int,
) -> float:
    """Normalised Bures similarity of what two sides of :func:`halves` share; NaN without signal.

    Notes
    -----
    The nuclear norms of the cross-covariance and of both covariances of signals, from their two moments by the same
    power law, whose error of the spectrum is in all three. Noise of the two sides is independent, and that of odd and
    even repeats is.
    """
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(len(x[0])) for _ in range(n_order)])
    rank = min(x[0].shape[1], y[0].shape[1], len(x[0]) - 1)
    within = []
    for one, two in (x, y):
        k = one @ two.T
        within.append(spread_sum(*unbiased_moments(k, k, orders), rank))
    a, b = (one + two for one, two in (x, y))
    between = spread_sum(*unbiased_moments(a @ a.T / 4, b @ b.T / 4, orders), rank)
    size = within[0] * within[1]
    return float(between / np.sqrt(size)) if size > 0 else float("nan")
