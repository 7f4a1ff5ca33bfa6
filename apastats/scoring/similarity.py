"""Similarity of RDMs as inner products: every RDM becomes one row, all pairs one matrix product."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np

from apastats.arguments import array
from apastats.errors import InputError
from apastats.io.rdm_vectors import n_stimulus
from apastats.numbers.backends import NUMPY, Backend
from apastats.numbers.ordering import TIE, sorted_rows, tie_width
from apastats.scoring.methods import comparison

__all__ = ["features", "metric_rows", "mid_ranks", "whitening"]

FEW = 256  # stimuli up to which the pairs are kept
CELLS = 2**16  # entries worked on at once: temporary arrays should stay in the cache


def features(
    vectors: Any,
    method: str,
    *,
    whitener: np.ndarray | None = None,
    ranked: bool = False,
    backend: Backend = NUMPY,
    out: np.ndarray | None = None,
) -> Any:
    """Rows whose inner products are the similarities of the RDMs.

    Parameters
    ----------
    vectors : array
        ``[n_rdm, n_pair]``, no NaN.
    method : str
        One that is an inner product.
    whitener : numpy.ndarray, optional
        For the whitened methods: what :func:`whitening` makes of ``sigma_k``.
    ranked : bool
        Whether the rows are (means of) ranks already, and are not ranked again.
    backend : Backend
    out : numpy.ndarray, optional
        Memory that may be used for the result (numpy, ``cosine`` and ``corr`` only).

    Returns
    -------
    array
        ``[n_rdm, n_feature]``; NaN rows where a similarity is undefined (a constant RDM for the
        correlations, an RDM of zeros for the cosines).

    Notes
    -----
    ======== ==========================================================================
    cosine   x / |x|
    corr     the same after subtracting the mean
    spearman the same on mid-ranks
    rho-a    centred mid-ranks times sqrt(12 / (n^3 - n)): no correction for ties
    *_cov    x' V^-1 y with V = (C S C') o (C S C'), C the pair contrasts, S = ``sigma_k``
    ======== ==========================================================================

    The whitened product equals ``tr(W G_x W G_y)`` with ``G = -D/2`` and
    ``W = S^-1 - S^-1 1 1' S^-1 / (1' S^-1 1)``, because the V-metric on RDMs is the S-metric on
    doubly centred second moments; with S = I this is linear CKA (Diedrichsen et al. 2021).
    """
    c = comparison(method)
    step = max(1, CELLS // vectors.shape[1])
    if backend.name == "numpy" and len(vectors) > step:
        # a few rows at a time stay in the cache through all passes
        for start in range(0, len(vectors), step):
            rows = vectors[start : start + step]
            if c.plain:
                if out is None or out.shape != vectors.shape:
                    out = np.empty(vectors.shape, dtype=backend.dtype)
                _unit_rows(rows, c.centred, backend, out[start : start + step])
                continue
            part = features(rows, method, whitener=whitener, ranked=ranked, backend=backend)
            if start == 0:
                out = np.empty((len(vectors), part.shape[1]), dtype=part.dtype)
            np.copyto(cast(np.ndarray, out)[start : start + step], part)
        return out
    x = backend.array(vectors)
    if c.ranks and not ranked:
        x = mid_ranks(x, backend, TIE)
    x, size = metric_rows(x, method, whitener, backend)
    if not c.normalised:
        n = x.shape[1]
        x *= float(np.sqrt(12 / (float(n) ** 3 - n)))
        return x
    xp = backend.xp
    scale = xp.sqrt(xp.vecdot(x, x)) if c.whitened else size
    missing = xp.asarray(float("nan"), dtype=x.dtype, device=backend.device)
    scale = xp.where(size > 0, scale, missing)[:, None]
    if c.plain and not c.centred:
        return x / scale  # the rows given are not ours to write to
    x /= scale
    return x


def _unit_rows(x: np.ndarray, centred: bool, backend: Backend, out: np.ndarray) -> None:
    """The rows of ``features`` for cosine and corr, without temporary copies."""
    if centred:
        mean = x.mean(axis=1, keepdims=True, dtype=backend.dtype)
        np.subtract(x, mean, out=out, casting="same_kind")
        size = np.sqrt(np.vecdot(out, out))
        size[size <= _rounding(out.shape[1], backend) * np.abs(mean[:, 0])] = np.nan
    else:
        out[...] = x
        size = np.sqrt(np.vecdot(out, out))
        size[size == 0] = np.nan
    out /= size[:, None]


def _rounding(n: int, backend: Backend) -> float:
    """What subtracting its mean leaves of a constant row of length n, per unit of the mean."""
    return float(4 * np.finfo(backend.dtype).eps * np.sqrt(n))


def metric_rows(
    x: Any,
    method: str,
    whitener: np.ndarray | None,
    backend: Backend,
    out: np.ndarray | None = None,
) -> tuple[Any, Any]:
    """Rows in whose plain inner product the method is a cosine, and their norms before whitening.

    The norm is 0 where the method is undefined: zeros for a cosine, a constant for a correlation.
    Only for ``cosine`` are the rows the ones given; otherwise they may be written to. ``out``: memory that the rows
    are written into (numpy; not those of ranks).
    """
    c, xp = comparison(method), backend.xp
    if not c.normalised:
        x = x - (x.shape[1] + 1) / 2
    elif c.centred:
        mean = xp.mean(x, axis=1, keepdims=True)
        x = np.subtract(x, mean, out=out) if out is not None and c.plain else x - mean
        size = xp.sqrt(xp.vecdot(x, x))
        size = xp.where(
            size <= _rounding(x.shape[1], backend) * xp.abs(mean[:, 0]), xp.zeros_like(size), size
        )
        return (_whitened(x, whitener, backend, out) if c.whitened else x), size
    elif out is not None and c.plain:
        out[...] = x
        x = out
    size = xp.sqrt(xp.vecdot(x, x))
    return (_whitened(x, whitener, backend, out) if c.whitened else x), size


def mid_ranks(x: Any, backend: Backend = NUMPY, tie: float = 0.0) -> Any:
    """Ranks 1..n along the last axis of ``[n_rdm, n]``; ties get the mean of their ranks.

    ``tie``: as in :func:`apastats.numbers.ordering.sorted_rows`; ``TIE`` for distances.
    """
    xp = backend.xp
    n = x.shape[1]
    step = max(1, CELLS // n)
    if backend.name == "numpy" and len(x) > step:
        out = np.empty_like(x)
        for k in range(0, len(x), step):
            out[k : k + step] = mid_ranks(x[k : k + step], backend, tie)
        return out
    edge = xp.ones((x.shape[0], 1), dtype=xp.bool, device=backend.device)
    if backend.name == "numpy":
        order, start = sorted_rows(x, tie)
    else:
        order = xp.argsort(x, axis=1)
        ordered = xp.take_along_axis(x, order, axis=1)
        width = tie_width(xp, ordered[:, :1], ordered[:, -1:], tie)
        start = xp.concat([edge, ordered[:, 1:] - ordered[:, :-1] > width], axis=1)
    position = xp.arange(1, n + 1, dtype=x.dtype, device=backend.device)
    if bool(xp.all(start)):
        return backend.scatter_rows(order, xp.broadcast_to(position, x.shape))
    stop = xp.concat([start[:, 1:], edge], axis=1)
    first = backend.running_max(xp.where(start, position, xp.zeros_like(position)))
    # the last position of a run of ties, found from the right
    mirrored = xp.where(xp.flip(stop, axis=1), position, xp.zeros_like(position))
    last = (n + 1) - xp.flip(backend.running_max(mirrored), axis=1)
    return backend.scatter_rows(order, (first + last) / 2)


def whitening(sigma_k: Any, n: int) -> np.ndarray | None:
    """Symmetric root of ``W`` (see :func:`features`) for a covariance of the pattern estimates.

    Parameters
    ----------
    sigma_k : None or array
        None (identity), ``[n]`` variances, or ``[n, n]`` covariance, of the ``n`` stimuli.
    n : int
        Number of stimuli.

    Returns
    -------
    numpy.ndarray or None
        ``[n, n]``; None where ``sigma_k`` is the identity.
    """
    if sigma_k is None:
        return None
    sigma = array("sigma_k", sigma_k, infinite=True)
    if sigma.shape == (n,):
        sigma = np.diag(sigma)
    if sigma.shape != (n, n) or not np.isfinite(sigma).all():
        raise InputError(
            "sigma_k", sigma.shape, f"finite, of shape ({n},) or ({n}, {n}): one per stimulus"
        )
    if not np.allclose(sigma, sigma.T, rtol=1e-8, atol=1e-12 * np.abs(sigma).max()):
        raise InputError("sigma_k", "an asymmetric matrix", "a symmetric matrix")
    values, vectors = np.linalg.eigh(sigma)
    if values[0] <= 1e-12 * values[-1]:
        raise InputError(
            "sigma_k", f"smallest eigenvalue {values[0]:.3g}", "a positive definite matrix"
        )
    inverse = (vectors / values) @ vectors.T
    q = inverse.sum(axis=1)
    values, vectors = np.linalg.eigh(inverse - np.outer(q, q) / q.sum())
    # one eigenvalue is 0: the mean pattern does not exist in an RDM
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both stimuli of every pair; kept where they are few."""
    return _few_pairs(n) if n <= FEW else np.triu_indices(n, 1)


@lru_cache(maxsize=8)
def _few_pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(n, 1)


def _whitened(
    x: Any, whitener: np.ndarray | None, backend: Backend, out: np.ndarray | None = None
) -> Any:
    """Off-diagonal (times sqrt 2) and diagonal of the centred second moments, up to a factor."""
    xp = backend.xp
    n = n_stimulus(x.shape[1])
    i, j = (backend.indices(k) for k in _pairs(n))
    square = xp.zeros((x.shape[0], n, n), dtype=x.dtype, device=backend.device)
    square[:, i, j] = x
    root2 = float(np.sqrt(2))
    if whitener is None:
        row = (xp.sum(square, axis=1) + xp.sum(square, axis=2)) / n
        total = xp.mean(row, axis=1, keepdims=True)
        diagonal = total - 2 * row
        first = xp.take(row, i, axis=1)
        off = x - first if out is None else np.subtract(x, first, out=out[:, : x.shape[1]])
        off -= xp.take(row, j, axis=1)
        off += total
        off *= root2
        if out is None:
            return xp.concat([off, diagonal], axis=1)
        out[:, x.shape[1] :] = diagonal
        return out
    square[:, j, i] = x
    root = backend.array(whitener)
    moment = root @ square @ root
    diagonal = xp.arange(n, device=backend.device)
    return xp.concat([moment[:, i, j] * root2, moment[:, diagonal, diagonal]], axis=1)
