"""Similarities of data sets by their Gram matrices over stimuli, each stimulus with a weight.

A weight stands for copies: a resample of stimuli is a vector of counts, and nothing is written out twice.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from apastats.memory import reserve
from apastats.numbers.backends import NUMPY, Backend
from apastats.numbers.moments import ROUNDING

__all__ = [
    "about_means",
    "centred",
    "debiased_metric",
    "debiased_rows",
    "gram",
    "kernel_rows",
    "metric_similarity",
    "nuclear",
    "rbf",
    "roots",
    "square_distances",
    "squares",
    "triangle_rows",
    "unit_rows",
]


def gram(x: Any, backend: Backend = NUMPY) -> Any:
    """Gram matrix ``[n, n]`` of patterns ``[n, p]`` less their mean over stimuli."""
    x = backend.array(about_means(x))
    return x @ x.T


def about_means(x: np.ndarray) -> np.ndarray:
    """Patterns ``[n, p]`` less their mean over stimuli; exactly 0 where nothing but rounding is left of all of them."""
    level = x.mean(axis=0)
    out = x - level
    return out if np.abs(out).max() > ROUNDING * np.abs(level).max() else np.zeros_like(out)


def square_distances(grams: np.ndarray) -> np.ndarray:
    """Squared distances ``[m, n, n]`` of the stimuli from Gram matrices, the diagonal exactly 0."""
    size = np.einsum("mii->mi", grams)
    out = size[:, :, None] + size[:, None, :] - 2 * grams
    out[:, np.arange(out.shape[1]), np.arange(out.shape[1])] = 0.0
    return out


def squares(vectors: np.ndarray) -> np.ndarray:
    """Centred Gram matrices ``[m, n, n]`` of squared Euclidean distances ``[m, n (n - 1) / 2]``."""
    n = round((1 + np.sqrt(1 + 8 * vectors.shape[1])) / 2)
    reserve(
        f"Gram matrices of {len(vectors):,} RDMs of {n:,} stimuli",
        24.0 * len(vectors) * n * n,
        "fewer RDMs at once (batch=), or fewer stimuli",
    )
    i, j = np.triu_indices(n, 1)
    out = np.zeros((len(vectors), n, n))
    out[:, i, j] = out[:, j, i] = np.asarray(vectors, dtype="f8") / -2
    return np.asarray(centred(out, np.ones(n)))


def centred(grams: Any, weights: Any) -> Any:
    """Gram matrices ``[m, n, n]`` about the weighted mean pattern."""
    share = weights / weights.sum()
    mean = grams @ share
    middle = mean @ share
    return grams - mean[:, :, None] - mean[:, None, :] + middle[:, None, None]


def rbf(grams: Any, sigma: float, backend: Backend = NUMPY) -> Any:
    """Gaussian kernels ``[m, n, n]`` of width ``sigma`` times the median distance of two stimuli."""
    xp = backend.xp
    n = grams.shape[1]
    half = xp.linalg.diagonal(grams) / 2
    # minus half the squared distances
    kernel = grams - half[:, :, None] - half[:, None, :]
    kernel = xp.clip(kernel, None, 0.0)
    pairs = xp.reshape(kernel, (len(kernel), n * n))[:, _triangle(n, backend, 1)]
    # the median of distances is between the roots of the two middle squares
    middle = sorted({(pairs.shape[1] - 1) // 2, pairs.shape[1] // 2})
    ordered = np.partition(backend.numpy(pairs), middle, axis=1)[:, middle]
    width = backend.array((sigma * np.sqrt(-2 * ordered).mean(axis=1)) ** 2)
    return xp.exp(kernel * (1 / xp.where(width > 0, width, xp.nan))[:, None, None])


@lru_cache(maxsize=4)
def _places(n: int, diagonal: int) -> np.ndarray:
    """Positions of the upper triangle in the flat matrix."""
    i, j = np.triu_indices(n, diagonal)
    return i * n + j


def _triangle(n: int, backend: Backend, diagonal: int) -> Any:
    return backend.indices(_places(n, diagonal))


@lru_cache(maxsize=4)
def _twice_off_diagonal(n: int) -> np.ndarray:
    """Roots of how often an entry of the upper triangle is in the matrix."""
    i, j = np.divmod(_places(n, 0), n)
    return np.where(i == j, 1.0, np.sqrt(2.0))


def kernel_rows(grams: Any, weights: np.ndarray | None = None, backend: Backend = NUMPY) -> Any:
    """Rows whose inner products are those of the centred kernels, ``[m, n (n + 1) / 2]``.

    ``sum_ij w_i w_j K_ij L_ij`` with K and L centred by the weights: the HSIC (Gretton et al. 2005) of the stimuli
    written out as often as they were drawn.
    """
    n = grams.shape[1]
    w = np.ones(n) if weights is None else np.asarray(weights, dtype="f8")
    rows = triangle_rows(centred(grams, backend.array(w)), backend)
    if weights is None:
        return rows
    i, j = np.divmod(_places(n, 0), n)
    return rows * backend.array(np.sqrt(w[i] * w[j]))


def triangle_rows(kernels: Any, backend: Backend = NUMPY) -> Any:
    """Rows ``[m, n (n + 1) / 2]`` with the inner products of symmetric matrices ``[m, n, n]``."""
    n = kernels.shape[1]
    flat = backend.xp.reshape(kernels, (len(kernels), n * n))
    return flat[:, _triangle(n, backend, 0)] * backend.array(_twice_off_diagonal(n))


def debiased_rows(grams: Any, weights: np.ndarray | None = None, backend: Backend = NUMPY) -> Any:
    """Rows for the unbiased HSIC: pairs of stimuli, weighted sums of each stimulus, and their sum.

    ``[m, n (n - 1) / 2 + 3 n + 1]``; their inner products are taken with :func:`debiased_metric`.
    """
    xp, n = backend.xp, grams.shape[1]
    w = np.ones(n) if weights is None else np.asarray(weights, dtype="f8")
    w = backend.array(w / w.mean())
    # the estimator does not see the mean, but differences of large numbers would
    k = centred(grams, backend.array(np.ones(n)))
    own = xp.linalg.diagonal(k)
    sums, squared = k @ w - own * w, k @ (w * w) - own * w * w
    pairs = xp.reshape(k, (len(k), n * n))[:, _triangle(n, backend, 1)]
    total = (sums @ w)[:, None]
    return xp.concat([pairs, sums, squared, sums + squared, total], axis=1)


def debiased_metric(n: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Weight of every entry of :func:`debiased_rows`; NaN with fewer than four distinct stimuli.

    Notes
    -----
    The U-statistic of Song et al. (2012): the mean of ``K_ij (L_ij + L_qr - 2 L_iq)`` over four distinct stimuli, each
    tuple with the product of its weights. Copies of a stimulus are one stimulus, so a resample is unbiased too. With
    ``k_i = sum_j w_j K_ij``, ``k2_i = sum_j w_j^2 K_ij`` all sums over tuples become sums over pairs and stimuli; the
    mixed term ``k_i l2_i + k2_i l_i`` is ``(k + k2)(l + l2) - k l - k2 l2``.
    """
    w = np.ones(n) if weights is None else np.asarray(weights, dtype="f8")
    if (w > 0).sum() < 4:
        return np.full(n * (n - 1) // 2 + 3 * n + 1, np.nan)
    w = w / w.mean()
    p1, p2, p3, p4 = (float((w**k).sum()) for k in (1, 2, 3, 4))
    tuples = p1**4 - 6 * p1**2 * p2 + 3 * p2**2 + 8 * p1 * p3 - 6 * p4
    i, j = np.triu_indices(n, 1)
    a, b = w[i], w[j]
    rest = (p1 - a - b) ** 2 - (p2 - a**2 - b**2)
    third = a * b * (b * (p1 - a) + a * (p1 - b) - 2 * (a**2 + b**2))
    pairs = 2 * a * b * rest + 4 * a**2 * b**2 + 2 * third
    of_sums = -4 * w**2 - 2 * w * (p1 - w) - 2 * w
    return np.concatenate([pairs, of_sums, -2 * w, 2 * w, [1.0]]) / tuples


def metric_similarity(
    x: Any, y: Any, metric: np.ndarray | None = None, backend: Backend = NUMPY
) -> Any:
    """``x M y' / sqrt(x M x' y M y')`` of rows ``[n_x, d]`` and ``[n_y, d]``; NaN where a row has no size."""
    x, y = unit_rows(x, metric, backend), unit_rows(y, metric, backend)
    return (x if metric is None else x * backend.array(metric)) @ y.T


def unit_rows(x: Any, metric: np.ndarray | None = None, backend: Backend = NUMPY) -> Any:
    """Rows ``x / sqrt(x M x')``; NaN where a row has no size."""
    xp = backend.xp
    square = xp.sum((x if metric is None else x * backend.array(metric)) * x, axis=1)
    return x * (1 / xp.sqrt(xp.where(square > 0, square, xp.nan)))[:, None]


def roots(x: Any, backend: Backend = NUMPY) -> Any:
    """Root ``[n, r]`` of the Gram matrix of patterns ``[n, p]``, of unit size; r is at most n."""
    xp = backend.xp
    x = backend.array(about_means(x))
    if x.shape[1] > x.shape[0]:
        x = _root(x @ x.T, backend)
    size = xp.sqrt(xp.sum(x * x))
    return x / xp.where(size > 0, size, xp.nan)


def _root(k: Any, backend: Backend) -> Any:
    """Root ``[n, n]`` of a centred Gram matrix."""
    xp, n = backend.xp, k.shape[0]
    # a constant on top of a centred matrix of full rank makes it positive definite, and centring the factor takes it
    # off again; a tenth of the time of eigenvalues, which matrices of less rank still need
    level = xp.sum(xp.linalg.diagonal(k)) / n
    try:
        factor = xp.linalg.cholesky(k + level / n)
    except (np.linalg.LinAlgError, RuntimeError):
        factor = None
    if factor is not None and bool(xp.all(xp.isfinite(factor))):
        return factor - xp.mean(factor, axis=0)
    values, vectors = xp.linalg.eigh(k)
    return vectors * xp.sqrt(xp.clip(values, 0.0, None))


SHARP = 1e-8  # share of the largest eigenvalue down to which the root of one is good to 12 digits of the largest


def nuclear(x: Any, y: Any, backend: Backend = NUMPY) -> float:
    """Sum of the singular values of ``x' y`` for two roots: the fidelity of their Gram matrices."""
    xp = backend.xp
    product = x.T @ y
    if product.shape[0] < product.shape[1]:
        product = product.T
    if not bool(xp.all(xp.isfinite(product))):
        return float("nan")
    # eigenvalues of the smaller product cost a third of singular values; small ones have lost their digits there
    values = xp.linalg.eigvalsh(product.T @ product)
    if float(values[0]) > SHARP * float(values[-1]):
        return float(xp.sum(xp.sqrt(values)))
    return float(xp.sum(xp.linalg.svdvals(product)))
