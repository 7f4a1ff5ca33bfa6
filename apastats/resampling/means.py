"""Replicates of cell means under any plan of counts or weights, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from apastats.memory import reserve
from apastats.numbers.moments import centred, moments
from apastats.resampling.intervals import (
    Alternative,
    Interval,
    Limits,
    Replicates,
    acceleration,
    confidence_limits,
)
from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import Plan
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.store import BlockStore

__all__ = ["TILE", "MeanSummary", "mean_replicates", "mean_tiles", "summarise_means"]

# Cells per matrix product. Part of the definition of the numbers: BLAS rounds differently for
# different shapes, so every product has this one, whatever ``batch`` is.
TILE = 16
STORED_TILES = 8


@dataclass(frozen=True, eq=False)
class MeanSummary:
    """Cell means with their intervals (arrays ``[m]``).

    Attributes
    ----------
    estimate, std_error : numpy.ndarray
        Mean of the data and its standard error ``s / sqrt(n)``.
    n : numpy.ndarray
        Units that have a value.
    limits : dict
        Interval -> ``[4, m]``: low, high and the Monte-Carlo error of each.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    n: np.ndarray
    limits: Limits


def describe_cells(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard error (divisor n - 1) and number of values of each column; NaN left out."""
    n, mean, sd = moments(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, sd / np.sqrt(n), n


def mean_tiles(
    values: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray | None,
    *,
    studentize: bool,
) -> Iterator[tuple[slice, Replicates]]:
    """Replicates of the column means, ``TILE`` columns at a time.

    Parameters
    ----------
    values : array, ``[n, m]``
        Units by cells, NaN where missing.
    counts : array, ``[n, B]``
        The plan, transposed (contiguous).
    weights : array ``[B]`` or None
        Probabilities of the replicates.
    studentize : bool
        Whether to make t values too.

    Yields
    ------
    slice, Replicates
        In cells and ``[cells, B]``. A replicate in which nobody has a value is NaN.

    Notes
    -----
    The replicate of a mean is ``sum_i c_i x_i / sum_i c_i`` over the units i that have a value, its
    standard error ``sqrt(sum_i c_i (x_i - mean)^2 / (N - 1) / N)`` with ``N = sum_i c_i``. Cells are
    centred first, so that no digits cancel.
    """
    n, m = values.shape
    for start in range(0, m, TILE):
        stop = min(start + TILE, m)
        part = np.full((n, TILE), np.nan)
        part[:, : stop - start] = values[:, start:stop]
        yield slice(start, stop), _tile(part, stop - start, counts, weights, studentize)


def _tile(
    part: np.ndarray, used: int, counts: np.ndarray, weights: np.ndarray | None, studentize: bool
) -> Replicates:
    """Replicates of one tile of columns (padded with NaN to its full width)."""
    n, _, deviations = centred(part)
    std_error = describe_cells(part)[1]
    known = np.isfinite(part)
    rows = np.ascontiguousarray(deviations.T)
    deviation = rows @ counts
    complete = bool(known[:, :used].all())
    if complete:
        size = counts.sum(axis=0)
    else:
        size = known.T.astype(np.float64) @ counts
        size[size <= 0] = np.nan
    deviation /= size
    scale = np.abs(rows).max(axis=1)
    t_values = None
    if studentize:
        square = (rows * rows) @ counts
        square /= size
        mean_square = deviation * deviation
        spread = square - mean_square
        # the same value drawn every time: rounding must not pass for a variance
        spread[spread <= 1e-13 * square] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            spread /= size - 1
            np.sqrt(spread, out=spread)
            t_values = np.divide(deviation, spread, out=spread)
        tiny = np.abs(deviation) <= 1e-12 * scale[:, None]
        t_values[tiny & ~np.isnan(deviation)] = 0.0
    jackknife = rows / np.maximum(n - 1, 1)[:, None]
    influence = np.where(known.T, jackknife, np.nan)
    cut = slice(0, used)
    return Replicates(
        estimate=np.zeros(used),
        values=deviation[cut],
        weights=weights,
        std_error=std_error[cut],
        t_values=None if t_values is None else t_values[cut],
        acceleration=acceleration(influence[cut]),
        df=(n[cut] - 1).astype(np.float64),
        tolerance=1e-12 * scale[cut],
    )


def mean_replicates(values: np.ndarray, plan: Plan) -> np.ndarray:
    """All replicates of the column means, ``[B, m]`` float64."""
    mean, _, _ = describe_cells(values)
    reserve(
        f"{plan.n_resamples:,} replicates of {values.shape[1]:,} means",
        16.0 * plan.n_resamples * values.shape[1],
        "fewer n_resamples, or fewer cells at once",
    )
    out = np.empty((plan.n_resamples, values.shape[1]))
    counts = np.ascontiguousarray(plan.matrix.T)
    with threadpool_limits(1, "blas"):
        for cells, r in mean_tiles(values, counts, None, studentize=False):
            out[:, cells] = (r.values + mean[cells, None]).T
    return out


def summarise_means(
    values: np.ndarray,
    plan: Plan,
    intervals: Sequence[Interval],
    *,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
    n_jobs: int = 1,
    batch: int | None = None,
    store: BlockStore | None = None,
) -> MeanSummary:
    """Means of the columns with one or several intervals.

    Parameters
    ----------
    values : array, ``[n, m]``
        Units by cells, NaN where missing.
    plan : Plan
        Counts or weights of the units.
    intervals : sequence of str
        See :func:`apastats.resampling.intervals.confidence_limits`.
    conf_level, alternative, quantile_rule
        See there.
    n_jobs : int
        Processes (joblib).
    batch : int, optional
        Cells per task, rounded up to whole tiles; the numbers do not depend on it.
    store : BlockStore, optional
        Keeps finished blocks of cells.

    Returns
    -------
    MeanSummary
    """
    mean, std_error, n = describe_cells(values)
    m = values.shape[1]
    wanted = tuple(dict.fromkeys(intervals))
    limits: Limits = {k: np.empty((4, m)) for k in wanted}
    counts = np.ascontiguousarray(plan.matrix.T)
    weights = None if plan.uniform else plan.weights
    settings = (wanted, conf_level, alternative, quantile_rule)
    tiles = -(-m // TILE)
    per_task = max(1, -(-batch // TILE)) if batch else max(1, -(-tiles // (4 * abs(n_jobs))))
    if store:
        per_task = STORED_TILES  # what a block holds must not depend on how the work is cut
    slices = [slice(i * TILE, min((i + per_task) * TILE, m)) for i in range(0, tiles, per_task)]
    tasks = [(np.ascontiguousarray(values[:, c]), counts, weights, settings) for c in slices]
    for cells, found in zip(
        slices, run_tasks(_limits, tasks, n_jobs=n_jobs, store=store), strict=True
    ):
        for k in wanted:
            limits[k][:, cells] = found[k]
    for found_limits in limits.values():
        found_limits[:2] += mean
    return MeanSummary(mean, std_error, n, limits)


def _limits(
    values: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray | None,
    settings: tuple[tuple[Interval, ...], float, Alternative, QuantileRule],
) -> dict[str, np.ndarray]:
    """Limits about the cell means, for one task of columns."""
    wanted, conf_level, alternative, rule = settings
    m = values.shape[1]
    out: dict[str, np.ndarray] = {k: np.empty((4, m)) for k in wanted}
    for cells, r in mean_tiles(values, counts, weights, studentize="studentized" in wanted):
        for k in wanted:
            out[k][:, cells] = confidence_limits(
                r, k, conf_level=conf_level, alternative=alternative, quantile_rule=rule
            )
    return out
