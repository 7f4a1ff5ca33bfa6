"""Bootstrap of stimuli, or of subjects and stimuli at once, for the scores of one set of RDMs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import Plan
from apastats.resampling.store import BlockStore
from apastats.scoring.measures.entry import Measure
from apastats.scoring.methods import comparison
from apastats.scoring.stimuli.kernels import (
    BuresKernel,
    DistinctKernel,
)
from apastats.scoring.stimuli.literal import LiteralKernel
from apastats.scoring.stimuli.measured import MeasureKernel, SubsetKernel, measure_kernel
from apastats.scoring.stimuli.pair_weights import PairKernel
from apastats.scoring.stimuli.two_factor import as_counts, dual_variance
from apastats.scoring.unique_kernel import UniqueKernel

__all__ = ["StimulusSetup", "stimulus_arrays", "two_factor_df"]

Kernel: TypeAlias = (
    PairKernel | LiteralKernel | BuresKernel | DistinctKernel | MeasureKernel | UniqueKernel
)

Sets: TypeAlias = np.ndarray | Sequence[np.ndarray]

TASK_BLOCKS = 4  # blocks of resamples per task: the kernel is built once for them
MODEL_TILE = 64
_GROUPS = 10  # groups of stimuli left out in turn for a standard error


@dataclass(frozen=True, eq=False)
class StimulusSetup:
    """What is resampled.

    Attributes
    ----------
    x : array, ``[S, D]``, or sequence of array, ``[n, p]``
        RDMs of subjects; patterns where there is a measure.
    y : array, ``[M, D]``, or sequence of array
        RDMs, or features, of models.
    method : str or Measure
        Any method of :func:`apastats.rdm_similarity`; a measure of patterns.
    stimuli : Plan
        Counts of stimuli.
    subjects : Plan or None
        Counts of subjects (of ``n`` subjects, of which ``present`` have an RDM here); None keeps them.
    present : array of int, ``[S]``
        Column of each RDM of x in ``subjects``.
    units : array of int, ``[n]``
        Independent unit (block) of every stimulus.
    ceiling : bool
        Whether to make noise ceilings.
    studentize : bool
        Whether to make a standard error for every replicate.
    bayesian : bool
        Whether the plans hold Dirichlet weights.
    pooled : array, ``[S, 2]``, optional
        What each subject adds to the mean ceilings by being in the pools of the others; mean 0.
    others : sequence of array
        Patterns that ceilings by a measure compare subjects with: those of the others for every subject, then of all.
    joint : callable, optional
        ``(x, y)`` -> kernel of what depends on all models at once; its columns stand in the place of the models.
    """

    x: Sets
    y: Sets
    method: str | Measure
    stimuli: Plan
    subjects: Plan | None
    present: np.ndarray
    units: np.ndarray
    ceiling: bool
    studentize: bool
    bayesian: bool = False
    pooled: np.ndarray | None = None
    others: Sequence[np.ndarray] = ()
    joint: Callable[[np.ndarray, np.ndarray], Kernel] | None = None


def stimulus_arrays(
    setup: StimulusSetup, n_jobs: int = 1, store: BlockStore | None = None, offset: int = 0
) -> dict[str, np.ndarray]:
    """Arrays of a kept bootstrap: columns for the models; then lower and upper ceiling and gaps.

    The gaps, a model minus the lower ceiling, have no ``std_errors``.

    Parameters
    ----------
    setup : StimulusSetup
        Data and plans.
    n_jobs, store
        See :func:`apastats.resampling.parallel.run_tasks`.
    offset : int
        Number of tasks that other sets put into ``store`` before.

    Returns
    -------
    dict of numpy.ndarray
        ``replicates, estimate, std_error, influence, df`` and, if asked for, ``std_errors``; with both
        factors the replicates are scaled about their mean to the corrected variance.
    """
    b, width = setup.stimuli.n_resamples, MODEL_TILE if setup.joint is None else len(setup.y)
    tiles = range(0, len(setup.y), width)
    tasks = [
        (
            setup,
            slice(t, t + width),
            list(range(i, min(i + TASK_BLOCKS, setup.stimuli.n_blocks))),
        )
        for t in tiles
        for i in range(0, setup.stimuli.n_blocks, TASK_BLOCKS)
    ]
    shifted = None if store is None else _Shifted(store, offset)
    found = list(run_tasks(_task, tasks, n_jobs=n_jobs, store=shifted, label="stimulus bootstrap"))
    per_tile = len(found) // len(tiles)
    arrays: dict[str, np.ndarray] = {}
    for name in found[0]:
        columns = [
            np.concatenate([f[name] for f in found[k * per_tile : (k + 1) * per_tile]])
            for k in range(len(tiles))
        ]
        if setup.ceiling:  # the ceilings of every tile are the same
            columns = [c[:, :-2] for c in columns[:-1]] + [columns[-1]]
        arrays[name] = np.concatenate(columns, axis=1)
    if len(arrays["replicates"]) != b:
        raise ValueError("blocks are missing")
    with threadpool_limits(1, "blas"):
        return _finish(setup, arrays)


class _Shifted(BlockStore):
    """A store whose block numbers start elsewhere."""

    def __init__(self, store: BlockStore, offset: int) -> None:
        self.folder, self.offset = store.folder, offset

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        return super().load(index + self.offset)

    def save(self, index: int, arrays: object) -> None:
        super().save(index + self.offset, arrays)  # type: ignore[arg-type]


def _kernel(setup: StimulusSetup, y: Sets) -> Kernel:
    """Kernel of the method."""
    if setup.joint is not None:
        return setup.joint(np.asarray(setup.x), np.asarray(y))
    if isinstance(setup.method, Measure):
        return measure_kernel(setup.method, list(setup.x), list(y), setup.others)
    x = np.asarray(setup.x)
    return KERNELS[comparison(setup.method).stimuli](x, np.asarray(y), setup.method)


SUBSETS = (DistinctKernel, SubsetKernel)  # a resample is a set of stimuli
# how a stimulus drawn twice counts -> the kernel that does it
KERNELS: dict[str, Callable[[np.ndarray, np.ndarray, str], Kernel]] = {
    "weights": PairKernel,
    "copies": LiteralKernel,
    "kernel": BuresKernel,
    "subset": DistinctKernel,
}


def _values(setup: StimulusSetup, kernel: Kernel, counts: np.ndarray) -> np.ndarray:
    """Scores and ceilings of the kernel, with what a subject adds to the ceilings through the pools."""
    values = kernel.values(counts, ceiling=setup.ceiling)
    if setup.ceiling and setup.pooled is not None:
        values[..., -2:] += setup.pooled
    return values


def _means(values: np.ndarray, subjects: np.ndarray | None) -> np.ndarray:
    """Means over subjects, ``[b, M (+ 2)]``.

    The pools of the ceilings hold every subject once, whoever was drawn: no copy of a subject is ever
    in the pool it is tested against, and no pool is smaller than that of the data. That a drawn subject is in
    the pools of the others is in its values (``pooled``).
    """
    if subjects is None:
        return np.asarray(values.mean(axis=1))
    size = subjects.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = subjects / np.where(size > 0, size, np.nan)
    return np.asarray(np.matmul(weight[:, None], values)[:, 0])


def _task(setup: StimulusSetup, models: slice, blocks: list[int]) -> dict[str, np.ndarray]:
    """Replicates of some models in some blocks."""
    kernel = _kernel(setup, setup.y[models])
    whole = None
    if isinstance(kernel, SUBSETS):
        whole = _values(setup, kernel, np.ones((1, kernel.n)))
    out: dict[str, list[np.ndarray]] = {}
    for i in blocks:
        counts = setup.stimuli.block(i)
        v = None if setup.subjects is None else setup.subjects.block(i)[:, setup.present]
        values = _values(setup, kernel, counts)
        if isinstance(kernel, SUBSETS) and whole is not None:
            values = kernel.stretched(values, counts, whole)
        made = {"replicates": _means(values, v)}
        if v is not None:
            made["stimuli"] = _means(values, None)
        if setup.studentize:
            made["std_errors"] = _group_errors(setup, kernel, counts, v, values)
        for k, a in made.items():
            out.setdefault(k, []).append(a)
    return {k: np.concatenate(a) for k, a in out.items()}


def _group_errors(
    setup: StimulusSetup,
    kernel: Kernel,
    counts: np.ndarray,
    v: np.ndarray | None,
    values: np.ndarray,
) -> np.ndarray:
    """Standard errors: groups of drawn stimuli left out in turn, plus the spread over subjects."""
    # one column per unit (block): all stimuli of a unit are drawn equally often
    _, first = np.unique(setup.units, return_index=True)
    drawn = counts[:, first]
    g = min(_GROUPS, drawn.shape[1])
    start = np.cumsum(drawn, axis=1) - drawn
    parts = []
    for k in range(g):
        # copies get running numbers; those equal to k modulo g go. Copies of one stimulus are drawn
        # independently, so they must not go together
        gone = np.floor((start + drawn - 1 - k) / g) - np.floor((start - 1 - k) / g)
        if setup.bayesian:  # weights have no copies: every g-th unit goes
            gone = drawn * (np.arange(drawn.shape[1]) % g == k)
        left = _values(setup, kernel, counts - gone[:, setup.units])
        parts.append(_means(left, v))
    stack = np.stack(parts)
    variance = (g - 1) / g * ((stack - stack.mean(axis=0)) ** 2).sum(axis=0)
    if setup.bayesian:  # sum w^2 / (sum w)^2 in place of 1 / n: units with large weights count more
        share = (drawn**2).sum(axis=1) * drawn.shape[1] / drawn.sum(axis=1) ** 2
        variance = variance / share[:, None]
    if v is not None:
        size = v.sum(axis=1)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.matmul(v[:, None], values)[:, 0] / size
            square = np.matmul(v[:, None], values**2)[:, 0] / size - mean**2
            variance = variance + np.maximum(square, 0) / (size - 1)
    return np.sqrt(variance)


def two_factor_df(subjects: np.ndarray, stimuli: np.ndarray, s: int, k: int) -> np.ndarray:
    """Degrees of freedom of a sum of two variances (Satterthwaite 1946), from min(s, k) - 1 upwards."""
    with np.errstate(invalid="ignore", divide="ignore"):
        df = (subjects + stimuli) ** 2 / (subjects**2 / (s - 1) + stimuli**2 / (k - 1))
    return np.where(np.isfinite(df), df, float(min(s, k) - 1))


def _count_scale(setup: StimulusSetup, k: int, subset: bool) -> tuple[float, float]:
    """Variance of a draw of counts per variance of what was drawn, for subjects and for stimuli."""
    if setup.bayesian:
        s = len(setup.x)
        return (s + 1) / s, (k + 1) / k
    # the jackknife of subsets has no small-sample bias
    return 1.0, (k - 1) / k if subset else 1.0


def _with_gaps(values: np.ndarray, setup: StimulusSetup) -> np.ndarray:
    """Columns of models and ceilings with those of models minus the lower ceiling behind them."""
    if not setup.ceiling:
        return values
    gaps = values[..., :-2] - values[..., -2:-1]
    return np.concatenate([values, gaps], axis=-1)


def _finish(setup: StimulusSetup, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Estimates, standard errors and influence values; both factors' variance corrected."""
    kernel = _kernel(setup, setup.y)
    ones = np.ones((1, kernel.n))
    scores = _values(setup, kernel, ones)
    plain = _with_gaps(scores, setup)
    estimate = _means(plain, None)[0]
    k = int(setup.units.max()) + 1
    left = (setup.units[None] != np.arange(k)[:, None]).astype(np.float64)
    without = _values(setup, kernel, left)
    influence = (k - 1) / k * (estimate - _means(_with_gaps(without, setup), None))
    replicates = _with_gaps(arrays["replicates"], setup)
    variance = np.nanvar(replicates, axis=0, ddof=1)
    if isinstance(kernel, SUBSETS):
        # subsets are smaller than the data, which moves their mean: no bias of the estimate
        replicates = replicates + (estimate - np.nanmean(replicates, axis=0))
    out = {"replicates": replicates, "estimate": estimate}
    scale = _count_scale(setup, k, isinstance(kernel, SUBSETS))
    if setup.subjects is None:
        out["std_error"] = np.sqrt(variance * scale[1] * k / (k - 1))
        out["df"] = np.full(len(estimate), float(k - 1))
        out["influence"] = influence
    else:
        s = len(setup.x)
        v = setup.subjects.matrix[:, setup.present]
        values = plain[0]
        size = v.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            only = (v @ values) / np.where(size > 0, size, np.nan)
        parts = as_counts(
            variance,
            np.nanvar(only, axis=0, ddof=1),
            np.nanvar(_with_gaps(arrays["stimuli"], setup), axis=0, ddof=1),
            *scale,
        )
        corrected = dual_variance(*parts, s, k)
        centre = np.nanmean(replicates, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            shrink = np.where(variance > 0, np.sqrt(corrected / variance), 1.0)
        out["replicates"] = centre + (replicates - centre) * shrink
        out["std_error"] = np.sqrt(corrected)
        out["df"] = two_factor_df(parts[1] * s / (s - 1), parts[2] * k / (k - 1), s, k)
        out["influence"] = np.concatenate([influence, (values - values.mean(axis=0)) / s])
        out["variance_both"], out["variance_subjects"], out["variance_stimuli"] = parts
    out["std_error_mcse"] = out["std_error"] / np.sqrt(2 * len(replicates))
    if "std_errors" in arrays:
        # with both factors the deviations are shrunk and these are not: a pivot of spread
        # sqrt(corrected variance) / pivot_error
        out["std_errors"] = arrays["std_errors"]
        everyone = None if setup.subjects is None else np.ones((1, len(setup.x)))
        out["pivot_error"] = _group_errors(setup, kernel, ones, everyone, scores)[0]
    return out
