"""Means at a choice that is made anew in every replicate (the best layer of a model)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apastats.errors import DesignError
from apastats.resampling.intervals import Replicates, acceleration

__all__ = ["reselected", "reselected_estimates"]

_TIE = 1e-12  # relative difference below which two options are equally good


def reselected_estimates(
    test: np.ndarray, train: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of the data and the values of every unit behind them.

    Parameters
    ----------
    test : array, ``[n, m, L]``
        Units, cells, options; NaN where an option does not exist.
    train : array ``[n, m, L]`` or None
        Values the choice is made on; None: every unit's option is chosen on the other units.

    Returns
    -------
    estimate : numpy.ndarray, ``[m]``
    values : numpy.ndarray, ``[n, m]``
        Value of every unit at its option.
    """
    n = len(test)
    if train is not None:
        choice = _best(_mean(train, np.ones((1, n))))[0]
        values = np.take_along_axis(test, choice[None, :, None], axis=2)[:, :, 0]
    else:
        # leave one unit out: weights 1 - e_i
        choice = _best(_mean(test, 1.0 - np.eye(n)))
        values = np.take_along_axis(test, choice[:, :, None], axis=2)[:, :, 0]
    return np.nanmean(values, axis=0), values


def reselected(
    test: np.ndarray,
    train: np.ndarray | None,
    counts: np.ndarray,
    weights: np.ndarray | None,
    *,
    block: int = 8192,
) -> Iterator[tuple[int, Replicates]]:
    """Replicates of one cell after the other, the option chosen anew in each of them.

    Parameters
    ----------
    test, train
        As in :func:`reselected_estimates`. Without ``train`` the choice is made on the units that are
        not in the resample (out of bag); replicates without such units are NaN.
    counts : array, ``[B, n]``
        The plan.
    weights : array ``[B]`` or None
        Probabilities of the replicates.
    block : int
        Rows per product (fixed: it is part of the definition of the numbers).

    Yields
    ------
    int, Replicates
        Cell, and its replicates ``[1, B]`` centred on the estimate.
    """
    estimate, values = reselected_estimates(test, train)
    m = test.shape[1]
    for j in range(m):
        options = np.flatnonzero(np.isfinite(test[:, j]).any(axis=0))
        if not len(options):
            raise DesignError(f"cell {j} has no option with a value")
        x = test[:, j, options] - estimate[j]
        known = np.isfinite(x)
        x = np.where(known, x, 0.0)
        guide = None if train is None else train[:, j, options]
        mean = np.empty(len(counts))
        error = np.empty(len(counts))
        for start in range(0, len(counts), block):
            c = counts[start : start + block]
            size = c @ known
            basis = _basis(guide, test[:, j, options], c)
            pick = _best(basis)[:, None]
            with np.errstate(invalid="ignore", divide="ignore"):
                means = (c @ x) / size
                squares = (c @ (x * x)) / size - means**2
                errors = np.sqrt(np.maximum(squares, 0) / (size - 1))
            none = ~np.isfinite(basis).any(axis=1)
            mean[start : start + block] = np.where(
                none, np.nan, np.take_along_axis(means, pick, axis=1)[:, 0]
            )
            error[start : start + block] = np.take_along_axis(errors, pick, axis=1)[:, 0]
        scale = float(np.nanmax(np.abs(test[:, j]), initial=0.0))
        error[error <= 1e-9 * scale] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(np.abs(mean) <= 1e-13 * scale, 0.0, mean / error)
        t[np.isnan(mean)] = np.nan
        mine = values[:, j]
        size_now = np.isfinite(mine).sum()
        se = np.nanstd(mine, ddof=1) / np.sqrt(size_now) if size_now > 1 else np.nan
        yield (
            j,
            Replicates(
                estimate=np.zeros(1),
                values=mean[None],
                weights=weights,
                std_error=np.array([se]),
                t_values=t[None],
                acceleration=acceleration((mine - np.nanmean(mine))[None]),
                df=np.array([size_now - 1.0]),
                tolerance=1e-12 * scale,
            ),
        )


def _mean(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weighted means ``[b, ...]`` over the first axis, NaN left out."""
    known = np.isfinite(x)
    flat = np.where(known, x, 0.0).reshape(len(x), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = (counts @ flat) / (counts @ known.reshape(len(x), -1))
    return out.reshape(len(counts), *x.shape[1:])


def _basis(guide: np.ndarray | None, test: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Means the choice is made on, ``[b, L]``."""
    if guide is not None:
        return _mean(guide, c)
    return _mean(test, (c == 0).astype(np.float64))


def _best(means: np.ndarray) -> np.ndarray:
    """First of the best options along the last axis; equal up to rounding counts as equal."""
    filled = np.where(np.isfinite(means), means, -np.inf)
    top = filled.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        equal = filled >= top - _TIE * np.maximum(np.abs(top), 1e-300)
    return equal.argmax(axis=-1)
