"""Banded ridge regression of one outer fold by himalaya, and the variance of its bands, on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from apastats.errors import InputError, MissingExtraError
from apastats.numbers.backends import Backend

__all__ = [
    "KERNELS",
    "BandFit",
    "Search",
    "candidates",
    "finite_mean",
    "fit_bands",
    "product_measure",
]


def _pairwise(name: str, **options: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import pairwise_kernels

        return np.asarray(pairwise_kernels(x, y, metric=name, **options))

    return kernel


# kernels of standardised features; that of "linear" is the ridge regression on them
KERNELS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "linear": lambda x, y: x @ y.T,
    "rbf": _pairwise("rbf"),
    "cosine": _pairwise("cosine"),
    "polynomial": _pairwise("polynomial"),
}


class Search(NamedTuple):
    """What is tried: weights of bands ``[n_try, n_band]``, penalties, whether every unit has its own, units at once."""

    weights: np.ndarray
    alphas: np.ndarray
    per_unit: bool
    batch: int | None
    backend: Backend


class BandFit(NamedTuple):
    """Predictions and penalties of one fold.

    ``parts [n_band, n_new, q]``: what each band adds to the predicted responses of new stimuli, on centred kernels;
    ``level [q]``: mean of the fitted responses, the rest of the prediction; ``penalties [n_band, q]``: ridge penalty of
    each band (infinite for a band of weight 0); ``alpha [q]``: the one chosen of ``alphas``.
    """

    parts: np.ndarray
    level: np.ndarray
    penalties: np.ndarray
    alpha: np.ndarray


def candidates(n_band: int, n_try: int, generator: np.random.Generator) -> np.ndarray:
    """Weights of bands to try ``[n_try, n_band]``: equal ones first, each band alone, then random ones.

    Random weights alternate between Dirichlet distributions of concentration 1 (uniform over the simplex) and 0.1 (near
    its corners), as in Dupré la Tour et al. (2022). Where fewer are asked for, the first ones.
    """
    fixed = np.concatenate([np.full((1, n_band), 1 / n_band), np.eye(n_band)])
    if n_band == 1:
        return fixed[:1]
    drawn = [
        generator.dirichlet(np.full(n_band, 0.1 if k % 2 else 1.0))
        for k in range(max(0, n_try - len(fixed)))
    ]
    return np.concatenate([fixed, np.reshape(drawn, (-1, n_band))])[:n_try]


def fit_bands(
    kernels: np.ndarray,
    y: np.ndarray,
    kept: np.ndarray,
    new: np.ndarray,
    inner: Sequence[np.ndarray],
    search: Search,
) -> BandFit:
    """Banded ridge of ``y`` on kernels, fitted to some rows, and its predictions of others.

    Parameters
    ----------
    kernels : numpy.ndarray
        ``[n_band, n, n]`` among all rows.
    y : numpy.ndarray
        ``[n, q]``; rows that are not kept are not read.
    kept, new : numpy.ndarray
        Rows that are fitted, and predicted.
    inner : sequence of numpy.ndarray
        Places in ``kept`` that are held out in turn to choose weights and penalty.
    search : Search
        What is tried.

    Notes
    -----
    ``y = level + sum over b of exp(delta_b) K_b w`` with ``exp(delta_b) = gamma_b / alpha``: weights gamma of the bands
    and one alpha, chosen per unit by the squared error on the inner folds. The penalty of a band is alpha / gamma_b.
    """
    among = kernels[:, kept[:, None], kept]
    toward = kernels[:, new[:, None], kept]
    rows = among.mean(axis=1, keepdims=True)
    # centred by the means of the fitted rows alone
    toward = toward - toward.mean(axis=2, keepdims=True) - rows + rows.mean(axis=2, keepdims=True)
    place = np.arange(len(kept))
    splits = [(np.setdiff1d(place, out), out) for out in inner]
    made = _searched(among, y[kept], splits, search)
    weight = np.exp(made.delta)
    parts = np.stack([k @ made.dual for k in toward]) * weight[:, None]
    with np.errstate(divide="ignore"):
        penalties = 1 / weight
    return BandFit(parts, y[kept].mean(axis=0), penalties, made.alpha)


class _Found(NamedTuple):
    delta: np.ndarray
    dual: np.ndarray
    alpha: np.ndarray


def _searched(kernels: np.ndarray, y: np.ndarray, splits: Any, search: Search) -> _Found:
    """Log weights ``[n_band, q]``, dual coefficients ``[n, q]`` and alphas ``[q]`` by himalaya's random search."""
    with _himalaya(search.backend) as himalaya:
        with np.errstate(divide="ignore"):  # the logarithm of a weight of 0
            delta, dual, _, alpha, _ = himalaya.solve_multiple_kernel_ridge_random_search(
                search.backend.array(kernels),
                search.backend.array(y),
                n_iter=search.weights.astype(search.backend.dtype),
                alphas=search.backend.array(search.alphas),
                cv=splits,
                fit_intercept=True,
                return_weights="dual",
                local_alpha=search.per_unit,
                n_targets_batch=search.batch,
                progress_bar=False,
                return_alphas=True,
            )
        return _Found(*(search.backend.numpy(v) for v in (delta, dual, alpha)))


@contextmanager
def _himalaya(backend: Backend) -> Iterator[Any]:
    """Kernel ridge of himalaya with its backend set, and set back afterwards."""
    try:
        import himalaya.backend
        import himalaya.kernel_ridge
    except ImportError as error:
        raise MissingExtraError("himalaya", "banded") from error
    name = "numpy" if backend.name == "numpy" else "torch"
    # himalaya knows no number of a device but the first
    if backend.device not in ("cpu", "cpu:0"):
        if backend.device not in ("cuda", "cuda:0"):
            raise InputError("device", backend.device, "'cpu' or 'cuda'")
        name = "torch_cuda"
    before = himalaya.backend.get_backend()
    himalaya.backend.set_backend(name)
    try:
        yield himalaya.kernel_ridge
    finally:
        himalaya.backend.set_backend(before)


def product_measure(y: np.ndarray, parts: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Shares of explained variance ``[n_band + 1, q]`` of the bands, and of the level; their sum is R2.

    Parameters
    ----------
    y : numpy.ndarray
        ``[n, q]`` responses, each of which varies.
    parts : numpy.ndarray
        ``[n_band, n, q]`` predictions of the bands.
    level : numpy.ndarray
        ``[q]`` constant of the prediction.

    Notes
    -----
    With y and the parts p centred, ``sum(p_b (2 y - sum p)) / sum y^2`` for band b (the product measure, Pratt 1987; of
    predictions, Dupré la Tour et al. 2022). What the means of prediction and responses differ by costs
    ``n (mean difference)^2 / sum y^2``: the last row, 0 or below.
    """
    centred = y - y.mean(axis=0)
    total = (centred**2).sum(axis=0)
    moving = parts - parts.mean(axis=1, keepdims=True)
    rest = 2 * centred - moving.sum(axis=0)
    shares = np.einsum("bnq,nq->bq", moving, rest) / total
    off = level + parts.mean(axis=1).sum(axis=0) - y.mean(axis=0)
    return np.concatenate([shares, (-len(y) * off**2 / total)[None]])


def finite_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the first axis of what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    weight = there * weights.reshape(-1, *[1] * (values.ndim - 1))
    total = (np.where(there, values, 0.0) * weight).sum(axis=0)
    size = weight.sum(axis=0)
    return np.asarray(total / np.where(size > 0, size, np.nan))
