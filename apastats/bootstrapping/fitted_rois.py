"""Cross-validated bootstrap of fitted models in one ROI: estimates, variances of both factors, replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.errors import DesignError
from apastats.resampling.plans import subject_counts
from apastats.scoring.fitted.crossvalidated import (
    Crossvalidated,
    crossvalidated,
    without_fold_variance,
)
from apastats.scoring.fitted.folds import FittedKernel
from apastats.scoring.stimuli.stimuli import two_factor_df
from apastats.scoring.stimuli.two_factor import dual_variance
from apastats.seeds import block_generator

__all__ = ["FoldPlan", "RoiFound", "gathered", "of_roi"]

_ROWS = 256  # weights of pairs made at once; part of the definition of the random folds
_PARTITIONS = 50  # of the data themselves


@dataclass(frozen=True)
class FoldPlan:
    """Folds and draws of an evaluation."""

    k_subject: int
    k_stimulus: int
    n_cv: int
    drawn: tuple[str, ...]
    n_resamples: int
    root: np.random.SeedSequence


@dataclass(frozen=True)
class RoiFound:
    """Arrays of one ROI: ``columns`` have models, ceilings and gaps last; ``more`` the rest."""

    columns: dict[str, np.ndarray]
    more: dict[str, np.ndarray]
    size: int
    lost: int
    corrected: bool


def of_roi(kernel: FittedKernel, design: FoldPlan, present: np.ndarray, n: int) -> RoiFound:
    """Estimates and replicates of one ROI, whose subjects are columns ``present`` of the plan."""
    s, stimuli = kernel.s, kernel.n
    ones_v, ones_c = np.ones((1, s)), np.ones((1, stimuli))
    data = _run(kernel, ones_v, ones_c, design, _PARTITIONS, 0, 0)
    per_subject = data.values[0].mean(axis=0)
    if not np.isfinite(per_subject).any():
        raise DesignError("no score could be made: too few subjects or stimuli per fold")
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
    all_v = np.broadcast_to(ones_v, (b, s)) if drawn_v is None else drawn_v
    all_c = np.broadcast_to(ones_c, (b, stimuli)) if drawn_c is None else drawn_c
    replicates, apparent, weights = _resampled(kernel, all_v, all_c, design, 1)
    m = len(kernel.rules)
    good = np.isfinite(replicates).all(axis=(1, 2))
    lost = int((~good).sum())
    if good.sum() < 3:
        raise DesignError(
            "hardly any resample has enough subjects and stimuli for the folds; take fewer"
        )
    variance, corrected = without_fold_variance(replicates[good])
    stimulus_ratio, subject_ratio = stimuli / (stimuli - 1), s / (s - 1)
    if drawn_v is not None and drawn_c is not None:
        alone = []
        for key, (v, c) in (
            (2, (drawn_v, np.broadcast_to(ones_c, (b, stimuli)))),
            (3, (np.broadcast_to(ones_v, (b, s)), drawn_c)),
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
        "apparent": data.apparent[0].mean(axis=0),
        "optimism": apparent - cv,
        "member_weights": np.concatenate([w[0] for w in data.weights]),
        "weight_replicates": weights,
        "scores": scores,
    }
    # resamples that were left out: rows are filled up, so that all ROIs have the same number
    kept = np.flatnonzero(good)
    columns["replicates"] = columns["replicates"][np.resize(np.arange(len(kept)), b)]
    return RoiFound(columns, more, s, lost, bool(corrected.all()))


def _run(
    kernel: FittedKernel,
    v: np.ndarray,
    c: np.ndarray,
    design: FoldPlan,
    n_cv: int,
    key: int,
    chunk: int,
    whole: bool = True,
) -> Crossvalidated:
    rng = block_generator(design.root, 100 + key, chunk)
    k = design.k_subject, design.k_stimulus
    return crossvalidated(kernel, v, c, *k, n_cv, rng, whole=whole)


def _resampled(
    kernel: FittedKernel,
    v: np.ndarray,
    c: np.ndarray,
    design: FoldPlan,
    key: int,
    whole: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over the drawn subjects: cross-validated ``[B, n_cv, m]``, apparent ``[B, M]``; weights ``[B, k]``.

    Without ``whole`` nothing is fitted to all data, and the last two are empty.
    """
    parts = []
    per_resample = 1 + design.n_cv * design.k_stimulus * (1 if design.k_stimulus < 3 else 2)
    step = max(1, _ROWS // per_resample)
    for chunk, start in enumerate(range(0, len(v), step)):
        some_v, some_c = v[start : start + step], c[start : start + step]
        found = _run(kernel, some_v, some_c, design, design.n_cv, key, chunk, whole)
        share = (some_v / some_v.sum(axis=1, keepdims=True).clip(1))[:, None, :, None]
        drawn = share > 0
        values = np.where(drawn, found.values * share, 0.0).sum(axis=2)
        values[some_v.sum(axis=1) == 0] = np.nan
        apparent = weights = np.empty((len(some_v), 0))
        if found.apparent is not None:
            apparent = np.where(drawn[:, 0], found.apparent * share[:, 0], 0.0).sum(axis=1)
            weights = np.concatenate(found.weights, axis=1)
        parts.append((_with_gaps(values), apparent, weights))
    made = [np.concatenate(p) for p in zip(*parts, strict=True)]
    return made[0], made[1], made[2]


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
