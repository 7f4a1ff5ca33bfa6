"""Simultaneous bands: the maximum of |t| over a family of estimates (max-T)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from apastats.resampling.intervals import Replicates
from apastats.resampling.quantiles import QuantileRule, quantiles

__all__ = ["critical_values", "running_max"]


def running_max(
    tiles: Iterable[tuple[np.ndarray, Replicates]],
    family: np.ndarray,
    size: int,
    alternative: str = "two-sided",
) -> np.ndarray:
    """Largest t of every replicate in every family.

    Parameters
    ----------
    tiles : iterable of (positions, Replicates)
        Cells and their replicates with ``t_values``, in any number of pieces.
    family : array of int, ``[m]``
        Family of every cell.
    size : int
        Replicates.
    alternative : {"two-sided", "greater", "less"}
        |t|, t (for lower limits) or -t (for upper limits).

    Returns
    -------
    numpy.ndarray, ``[n_family, size]``
        A cell whose replicate is undefined or does not vary takes no part in it.
    """
    out = np.full((int(family.max()) + 1, size), -np.inf)
    for positions, r in tiles:
        if r.t_values is None or r.std_error is None:
            raise ValueError("bands need t values")
        for k, row, se in zip(positions, r.t_values, r.std_error, strict=True):
            if not se > 0:
                continue
            t = np.abs(row) if alternative == "two-sided" else row
            t = -t if alternative == "less" else t
            np.fmax(out[family[k]], t, out=out[family[k]])
    return out


def critical_values(
    largest: np.ndarray,
    weights: np.ndarray | None,
    conf_level: float,
    rule: QuantileRule = "linear",
) -> tuple[np.ndarray, np.ndarray]:
    """Quantile of the largest t per family, and its Monte-Carlo error.

    Source: Westfall and Young 1993, Resampling-based Multiple Testing, chapter 2 (single step).
    """
    values = np.where(np.isneginf(largest), np.nan, largest)
    c = quantiles(values, np.array([conf_level]), weights, rule)[:, 0]
    if weights is not None:
        return c, np.zeros(len(c))
    step = np.sqrt(conf_level * (1 - conf_level) / largest.shape[1])
    sides = np.clip([conf_level - step, conf_level + step], 0, 1)
    around = quantiles(values, sides, None, rule)
    with np.errstate(invalid="ignore"):
        return c, np.nan_to_num((around[:, 1] - around[:, 0]) / 2, posinf=np.inf)
