"""Measures of neighbourhoods."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from apastats import arguments
from apastats.errors import DesignError
from apastats.numbers.backends import Backend
from apastats.scoring.measures.entry import Measure, stacked

__all__ = ["MEASURES"]


TIE = 5e-13  # half of the twelfth decimal


def _neighbours(x: np.ndarray, backend: Backend, *, k: int) -> Any:
    """Row ``[1, n * n]`` with 1 for the k stimuli of largest cosine to each."""
    n = len(x)
    if k > n - 2:
        raise DesignError(
            f"mutual-knn: k={k} neighbours of {n} stimuli; at most {n - 2} say anything"
        )
    rows = backend.array(x)
    size = backend.xp.sqrt(backend.xp.sum(rows * rows, axis=1))[:, None]
    rows = rows / backend.xp.where(size > 0, size, backend.xp.nan)
    cosine = backend.numpy(rows @ rows.T)
    if not np.isfinite(cosine).all() or np.ptp(cosine) <= 2 * TIE:  # nobody is nearer than another
        return backend.array(np.full((1, n * n), np.nan))
    np.fill_diagonal(cosine, -np.inf)
    least = np.partition(cosine, n - k, axis=1)[:, n - k, None].round(12)
    # equal cosines to 12 decimals: the stimulus that comes first, on every machine
    chosen = cosine > least + TIE
    tied = (cosine >= least - TIE) & ~chosen
    free = k - chosen.sum(axis=1, keepdims=True)
    if (tied.sum(axis=1, keepdims=True) > free).any():
        tied &= np.cumsum(tied, axis=1) <= free
    return backend.array((chosen | tied).reshape(1, n * n))


def _shared(
    predictors: Sequence[Any], targets: Sequence[Any], backend: Backend, *, k: int
) -> np.ndarray:
    x, y = (stacked(side, backend) for side in (predictors, targets))
    n = round(np.sqrt(x.shape[1]))
    return backend.numpy(x @ y.T) / (n * k)


MEASURES = {
    "mutual-knn": Measure(
        "mutual-knn",
        "share of the k (10) nearest stimuli, by cosine, that both data sets have, mean over stimuli",
        ("huh2024",),
        independent="k / (n - 1)",
        invariant=("rotation", "scaling"),
        needs="k + 2 stimuli",
        prepare=_neighbours,
        compare=_shared,
        stack=stacked,
        rules={"k": functools.partial(arguments.whole, least=1)},
        options={"k": 10},
    ),
}
