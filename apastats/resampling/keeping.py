"""Replicates of a design, block by block, kept with what the intervals need."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from apastats.resampling.designs import (
    DesignReplicates,
    dyad_replicates,
    nested_replicates,
    stratified_replicates,
)
from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import Plan
from apastats.resampling.store import BlockStore

__all__ = ["design_arrays"]


def design_arrays(
    design: str,
    values: np.ndarray,
    labels: np.ndarray,
    plan: Plan,
    n_jobs: int = 1,
    store: BlockStore | None = None,
) -> dict[str, np.ndarray]:
    """Arrays of a kept bootstrap: replicates, standard errors, influence values.

    Parameters
    ----------
    design : {"dyad", "nested", "stratified"}
        What the rows of ``values`` are.
    values : array, ``[n, m]``
        Units (dyads) by cells.
    labels : array
        Members of the dyads, parent or stratum of the units.
    plan : Plan
        Counts of the members (dyad) or of the units.
    n_jobs, store
        See :func:`apastats.resampling.parallel.run_tasks`.
    """
    tasks = [(design, values, labels, plan.n, plan.block(i)) for i in range(plan.n_blocks)]
    found = list(run_tasks(_block, tasks, n_jobs=n_jobs, store=store, label=design))
    arrays = {k: np.concatenate([f[k] for f in found]) for k in found[0]}
    evaluate = _evaluator(design, values, labels, plan.n)
    rows, sizes = _left_out(design, labels, plan.n)
    with threadpool_limits(1, "blas"):
        estimate, error = evaluate(np.ones((1, plan.n)))
        without, _ = evaluate(rows)
    arrays["estimate"], arrays["std_error"] = estimate[0], error[0]
    arrays["influence"] = (sizes - 1)[:, None] * (estimate - without)
    units = len(rows)
    df = units - len(np.unique(labels)) if design == "stratified" else units - 1
    arrays["df"] = np.full(values.shape[1], float(df))
    known = np.isfinite(values)
    if design == "dyad":
        taking = [known[(labels == s).any(axis=1)].any(axis=0) for s in range(plan.n)]
    elif design == "nested":
        taking = [known[labels == s].any(axis=0) for s in np.unique(labels)]
    else:
        taking = list(known)
    arrays["n_subject"] = np.sum(taking, axis=0)
    if not plan.uniform:
        arrays["weights"] = plan.weights
    return arrays


def _evaluator(design: str, values: np.ndarray, labels: np.ndarray, n: int) -> DesignReplicates:
    """Function of counts that gives replicates and standard errors."""
    if design == "dyad":
        return dyad_replicates(values, labels, n)
    return (nested_replicates if design == "nested" else stratified_replicates)(values, labels)


def _block(
    design: str, values: np.ndarray, labels: np.ndarray, n: int, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Replicates and standard errors of one block."""
    replicates, errors = _evaluator(design, values, labels, n)(counts)
    return {"replicates": replicates, "std_errors": errors}


def _left_out(design: str, labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts with one independent unit left out each, and the size of its group."""
    if design == "nested":
        parents = np.unique(labels)
        return (labels[None] != parents[:, None]).astype(np.float64), np.full(
            len(parents), len(parents)
        )
    rows = 1.0 - np.eye(n)
    if design == "stratified":
        _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return rows, sizes[codes.reshape(-1)]
    return rows, np.full(n, n)
