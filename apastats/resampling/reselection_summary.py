"""Intervals of means whose option is chosen anew in every replicate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apastats.resampling.intervals import Alternative, Interval, Limits, confidence_limits
from apastats.resampling.means import MeanSummary, describe_cells
from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import Plan
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.reselection import reselected, reselected_estimates
from apastats.resampling.store import BlockStore

__all__ = ["summarise_reselected"]

STORED_CELLS = 16


def summarise_reselected(
    test: np.ndarray,
    train: np.ndarray | None,
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
    """Estimates and intervals of all cells.

    Parameters
    ----------
    test, train
        As in :func:`apastats.resampling.reselection.reselected`.
    plan : Plan
        Counts of the units.
    intervals, conf_level, alternative, quantile_rule, n_jobs, batch, store
        As in :func:`apastats.resampling.means.summarise_means`.
    """
    estimate, values = reselected_estimates(test, train)
    _, std_error, n = describe_cells(values)
    m = len(estimate)
    wanted = tuple(dict.fromkeys(intervals))
    limits: Limits = {k: np.empty((4, m)) for k in wanted}
    counts = plan.matrix
    weights = None if plan.uniform else plan.weights
    settings = (wanted, conf_level, alternative, quantile_rule)
    step = STORED_CELLS if store or not batch else batch
    slices = [slice(i, min(i + step, m)) for i in range(0, m, step)]
    tasks = [
        (test[:, c], None if train is None else train[:, c], counts, weights, settings)
        for c in slices
    ]
    found = run_tasks(_limits, tasks, n_jobs=n_jobs, store=store, label="reselection")
    for cells, part in zip(slices, found, strict=True):
        for k in wanted:
            limits[k][:, cells] = part[k]
    for found_limits in limits.values():
        found_limits[:2] += estimate
    return MeanSummary(estimate, std_error, n, limits)


def _limits(
    test: np.ndarray,
    train: np.ndarray | None,
    counts: np.ndarray,
    weights: np.ndarray | None,
    settings: tuple[tuple[Interval, ...], float, Alternative, QuantileRule],
) -> dict[str, np.ndarray]:
    """Limits about the estimates, for one task of cells."""
    wanted, conf_level, alternative, rule = settings
    out: dict[str, np.ndarray] = {k: np.empty((4, test.shape[1])) for k in wanted}
    for j, r in reselected(test, train, counts, weights):
        for k in wanted:
            out[k][:, [j]] = confidence_limits(
                r, k, conf_level=conf_level, alternative=alternative, quantile_rule=rule
            )
    return out
