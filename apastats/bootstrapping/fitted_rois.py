"""Cross-validated bootstrap of fitted models in one ROI: estimates, variances of both factors, replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.errors import DesignError
from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import subject_counts
from apastats.scoring.fitted.crossvalidated import (
    StimulusFolds,
    crossvalidated,
    mean_of_known,
    stimulus_folds,
    without_fold_variance,
)
from apastats.scoring.fitted.folds import FittedKernel
from apastats.scoring.stimuli.stimuli import two_factor_df
from apastats.scoring.stimuli.two_factor import dual_variance
from apastats.seeds import block_generator

__all__ = ["FoldPlan", "RoiFound", "gathered", "of_roi"]

_ROWS = (
    256,
    1024,
)  # Gram matrices made at once, more of few members; part of the definition of the random folds
# partitions of the data, also those of resamples that leave the stimuli as they are: few members allow many
_PARTITIONS = 50, 200
_ENTRIES = 1 << 22


@dataclass(frozen=True)
class FoldPlan:
    """Folds and draws of an evaluation."""

    k_subject: int
    k_stimulus: int
    n_cv: int
    drawn: tuple[str, ...]
    n_resamples: int
    root: np.random.SeedSequence
    n_jobs: int = 1
    batch: int | None = None


@dataclass(frozen=True)
class RoiFound:
    """Arrays of one ROI: ``columns`` have models, ceilings and gaps last; ``more`` the rest.

    ``lost``: resamples left out; ``corrected``: whether what random folds add could be removed everywhere; ``empty``:
    share of the partitions of the data in which something has no value.
    """

    columns: dict[str, np.ndarray]
    more: dict[str, np.ndarray]
    size: int
    lost: int
    corrected: bool
    empty: float


def of_roi(kernel: FittedKernel, design: FoldPlan, present: np.ndarray, n: int) -> RoiFound:
    """Estimates and replicates of one ROI, whose subjects are columns ``present`` of the plan."""
    s, stimuli = kernel.s, kernel.n
    partitions = _partitions(kernel, design)
    n_partitions = len(partitions.tests)
    generator = block_generator(design.root, 100, 0, 1)
    data = crossvalidated(
        kernel, np.ones((1, s)), partitions, design.k_subject, n_partitions, generator
    )
    # a fold of few stimuli can be all ties, where a rank criterion has no value
    per_subject = mean_of_known(data.values[0], axis=0)
    empty = int(np.isnan(data.values[0]).any(axis=(1, 2)).sum())
    if not np.isfinite(per_subject).any():
        raise DesignError(
            f"no score could be made of an ROI with {s} subjects and {stimuli} stimuli: too few for {_folds(design)}"
        )
    estimate = _with_gaps(per_subject.mean(axis=0))
    children = [
        np.random.SeedSequence(design.root.entropy, spawn_key=(*design.root.spawn_key, key))
        for key in (0, 1)
    ]
    b = design.n_resamples
    drawn_c = subject_counts(stimuli, b, children[0]).matrix if "stimulus" in design.drawn else None
    drawn_v = (
        subject_counts(n, b, children[1]).matrix[:, present] if "subject" in design.drawn else None
    )
    all_v = np.ones((b, s)) if drawn_v is None else drawn_v
    replicates, apparent, weights = _resampled(kernel, all_v, drawn_c, design, 1)
    m = len(kernel.rules)
    good = np.isfinite(replicates).all(axis=(1, 2))
    lost = int((~good).sum())
    if good.sum() < 3:
        raise DesignError(
            f"hardly any resample of {s} subjects and {stimuli} stimuli has enough of them for {_folds(design)} "
            "(three distinct stimuli in each); take fewer folds: k_stimulus=1 cross-validates over subjects alone"
        )
    variance, corrected = without_fold_variance(replicates[good])
    stimulus_ratio, subject_ratio = stimuli / (stimuli - 1), s / (s - 1)
    if drawn_v is not None and drawn_c is not None:
        alone = []
        for key, (v, c) in (
            (2, (drawn_v, None)),
            (3, (np.ones((b, s)), drawn_c)),
        ):
            part = _resampled(kernel, v, c, design, key, whole=False)[0]
            some, told = without_fold_variance(part[np.isfinite(part).all(axis=(1, 2))])
            alone.append(some)
            corrected = corrected & told
        final = dual_variance(variance, alone[0], alone[1], s, stimuli)
        df = two_factor_df(alone[0] * subject_ratio, alone[1] * stimulus_ratio, s, stimuli)
    elif drawn_v is not None:
        final, df = variance * subject_ratio, np.full(len(variance), s - 1.0)
    else:
        final, df = variance * stimulus_ratio, np.full(len(variance), stimuli - 1.0)
    means = replicates[good].mean(axis=1)
    centre, spread = means.mean(axis=0), means.var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # fewer distinct subjects and stimuli train a resample's models, which moves its mean: no bias of the estimate
        stretched = (means - centre) * np.where(spread > 0, np.sqrt(final / spread), 1.0)
    columns = {
        "replicates": np.where(np.isfinite(stretched), stretched, 0.0) + estimate,
        "estimate": estimate,
        "std_error": np.sqrt(final),
        "df": df,
        "std_error_mcse": np.sqrt(final) / np.sqrt(2 * len(means)),
    }
    cv = replicates.mean(axis=1)[:, :m]
    scores = np.full((n, m + 1), np.nan)
    scores[present] = per_subject[:, : m + 1]
    more = {
        "apparent": np.asarray(data.apparent)[0].mean(axis=0),
        "optimism": apparent - cv,
        "member_weights": np.concatenate([w[0] for w in data.weights]),
        "weight_replicates": weights,
        "scores": scores,
    }
    # resamples that were left out: rows are filled up, so that all ROIs have the same number
    kept = np.flatnonzero(good)
    columns["replicates"] = columns["replicates"][np.resize(np.arange(len(kept)), b)]
    return RoiFound(columns, more, s, lost, bool(corrected.all()), empty / n_partitions)


def _folds(design: FoldPlan) -> str:
    """Folds in words."""
    return f"{design.k_subject} folds of subjects and {design.k_stimulus} of stimuli"


def _partitions(kernel: FittedKernel, design: FoldPlan) -> StimulusFolds:
    """Partitions of the stimuli of the data into folds."""
    generator = block_generator(design.root, 100, 0, 0)
    rows = kernel.pairs.k**2 * design.k_stimulus * (1 if design.k_stimulus < 3 else 2)
    fewest, most = _PARTITIONS
    n = int(np.clip(_ENTRIES // rows, fewest, most if kernel.pairs.quick else fewest))
    n = max(n, design.n_cv)
    return stimulus_folds(kernel, np.ones((1, kernel.n)), design.k_stimulus, n, generator)


def _resampled(
    kernel: FittedKernel,
    v: np.ndarray,
    c: np.ndarray | None,
    design: FoldPlan,
    key: int,
    whole: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over the drawn subjects: cross-validated ``[B, n_cv, m]``, apparent ``[B, M]``; weights ``[B, k]``.

    Without ``c`` the stimuli are those of the data. Without ``whole`` nothing is fitted to all data, and the last two
    are empty.
    """
    per_resample = 1 + design.n_cv * design.k_stimulus * (1 if design.k_stimulus < 3 else 2)
    most = int(np.clip(_ENTRIES // 8 // kernel.pairs.k**2, *_ROWS))
    step = max(1, most // per_resample)
    chunks = [(k, slice(i, i + step)) for k, i in enumerate(range(0, len(v), step))]
    per_task = len(chunks) if design.n_jobs == 1 else -(-len(chunks) // 16)
    if design.batch is not None:
        per_task = max(1, design.batch // step)
    tasks = []
    for i in range(0, len(chunks), per_task):
        some = chunks[i : i + per_task]
        rows = slice(some[0][1].start, some[-1][1].stop)
        drawn = None if c is None else c[rows]
        tasks.append((kernel, v[rows], drawn, design, key, whole, some[0][0], step))
    made = list(run_tasks(_task, tasks, n_jobs=design.n_jobs, label="fits in resamples"))
    values, apparent, weights = (
        np.concatenate([m[name] for m in made]) for name in ("values", "apparent", "weights")
    )
    return values, apparent, weights


def _task(
    kernel: FittedKernel,
    v: np.ndarray,
    c: np.ndarray | None,
    design: FoldPlan,
    key: int,
    whole: bool,
    first: int,
    step: int,
) -> dict[str, np.ndarray]:
    """Chunks of ``step`` resamples, of which the first is number ``first``."""
    data = _partitions(kernel, design) if c is None else None
    parts: dict[str, list[np.ndarray]] = {"values": [], "apparent": [], "weights": []}
    for chunk, start in enumerate(range(0, len(v), step), start=first):
        some = v[start : start + step]
        generator = block_generator(design.root, 100 + key, chunk)
        if data is not None:
            folds = _picked(data, len(some), design.n_cv, generator, whole)
        else:
            drawn = np.asarray(c)[start : start + step]
            folds = stimulus_folds(
                kernel, drawn, design.k_stimulus, design.n_cv, generator, whole=whole
            )
        found = crossvalidated(kernel, some, folds, design.k_subject, design.n_cv, generator)
        share = (some / some.sum(axis=1, keepdims=True).clip(1))[:, None, :, None]
        present = share > 0
        values = np.where(present, found.values * share, 0.0).sum(axis=2)
        values[some.sum(axis=1) == 0] = np.nan
        apparent = weights = np.empty((len(some), 0))
        if found.apparent is not None:
            apparent = np.where(present[:, 0], found.apparent * share[:, 0], 0.0).sum(axis=1)
            weights = np.concatenate(found.weights, axis=1)
        for name, part in (
            ("values", _with_gaps(values)),
            ("apparent", apparent),
            ("weights", weights),
        ):
            parts[name].append(part)
    return {name: np.concatenate(p) for name, p in parts.items()}


def _picked(
    data: StimulusFolds, b: int, n_cv: int, rng: np.random.Generator, whole: bool
) -> StimulusFolds:
    """Different partitions of the data for every resample.

    With the partitions of the data as their population, what they add to the variance is removed as that of any
    others; and their inner products are there.
    """
    chosen = np.argsort(rng.random((b, len(data.tests))), axis=1)[:, :n_cv].ravel()
    rest = data.whole if whole else None
    return data._replace(trains=data.trains[chosen], tests=data.tests[chosen], whole=rest)


def _with_gaps(values: np.ndarray) -> np.ndarray:
    """Models, lower and upper ceiling, then models minus the lower ceiling."""
    return np.concatenate([values, values[..., :-2] - values[..., -2:-1]], axis=-1)


def gathered(found: list[dict[str, np.ndarray]], m: int) -> dict[str, np.ndarray]:
    """Columns of all ROIs, cells in the order model, ROI; ceilings and gaps under their own names."""
    arrays = {}
    for name in found[0]:
        parts = [f[name] for f in found]
        for prefix, place, axis in (
            ("", slice(0, m), -1),
            ("ceiling_", slice(m, m + 2), -2),
            ("gap_", slice(m + 2, None), -1),
        ):
            stack = np.stack([p[..., place] for p in parts], axis=axis)
            arrays[prefix + name] = stack.reshape(*stack.shape[:-2], -1)
    return arrays
