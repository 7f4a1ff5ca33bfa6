"""Second-order similarity: whether a model's layers relate to each other as the ROIs they stand for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.arguments import choice
from apastats.errors import DegenerateWarning, DesignError, warn
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.compared import (
    average,
    brain_kind,
    brain_stack,
    enough_subjects,
    predictors_of,
)
from apastats.patterns.pattern_similarity import fisher_z, pattern_similarity
from apastats.patterns.permutations import roi_permutations
from apastats.recording import verb
from apastats.resampling.plans import BLOCK, Resamples
from apastats.resampling.relabel import permutation_p
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info

__all__ = ["SecondOrder", "correlate", "jackknifed", "second_order_similarity", "tested"]


class SecondOrder(Result):
    """Similarity of layer x layer and ROI x ROI matrices.

    ``table``: ``model, metric, split, estimate`` (correlation over pairs of ROIs), ``r_squared, std_error,
    conf_low, conf_high, conf_level`` (jackknife over subjects; limits on Fisher's z), ``null_sd, p_value,
    p_value_adjusted, mcse, n_layer`` (different layers), ``n_pair, n_subject, method``. ``arrays["brain"]`` is
    ``[cell, roi, roi]``, ``arrays["model"]`` ``[row, roi, roi]``: the matrices compared.
    """

    kind: ClassVar[str] = "second_order"


@verb
def second_order_similarity(
    patterns: AlignmentPatterns,
    selection: ScoreTable,
    *,
    similarity: str = "pearson",
    second: str = "pearson",
    brain: str | None = None,
    n_resamples: Resamples = "auto",
    conf_level: float = 0.95,
    rng: RngLike = None,
) -> SecondOrder:
    """Compare each model's layer x layer matrix with the brain's ROI x ROI matrix.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    selection : ScoreTable
        From :func:`select_layer`: the layer that stands for each ROI.
    similarity : str
        Of two patterns, see :func:`apastats.patterns.pattern_similarity`.
    second : {"pearson", "spearman"}
        Of the two matrices.
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    n_resamples : "auto", "exact" or int
        Permutations of the ROIs of the model's matrix.
    conf_level : float
        Level of the jackknife interval.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    SecondOrder

        Columns: ``model`` (model, or what is compared), ``estimate`` (what is estimated, from the data
        themselves), ``r_squared`` (share of variance explained), ``std_error`` (standard error), ``conf_low``
        (lower limit of the interval), ``conf_high`` (upper limit of the interval), ``null_sd`` (SD under the
        null), ``n_layer`` (layers), ``metric`` (measure of the scores), ``split`` (part of the stimuli),
        ``p_value`` (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the family),
        ``mcse`` (Monte-Carlo standard error), ``conf_level`` (level of the interval), ``n_pair`` (pairs),
        ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are fewer than four ROIs or subjects, or no model has two layers in the selection.

    See Also
    --------
    second_order_rdms, pattern_agreement

    Notes
    -----
    Patterns are averaged over subjects; ``L[r, t]`` is the similarity of the patterns of the layers chosen for
    ROIs r and t, ``B[r, t]`` that of the brain's patterns of r and t; the estimate is the correlation of the
    upper triangles. A layer chosen for both r and t gives ``L[r, t] = 1``. p: rows and columns of L permuted
    together (Mantel 1967), one-sided; adjusted by max-T over models. The test asks whether L is arranged like B,
    not why: ROIs with similar responses get similar layers, and similar patterns, from any model. From RDMs
    :func:`second_order_rdms` has a null that goes through the same choice.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d
    .. [2] Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis –
       connecting the branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.
       https://doi.org/10.3389/neuro.06.004.2008

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=5, n_model=3, n_layer=4, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> best = apa.select_layer(study.scores)
    >>> found = apa.second_order_similarity(patterns, best, n_resamples=99, rng=1)
    >>> bool((found.table["estimate"] > 0).all())
    True
    """
    choice("second", second, ("pearson", "spearman"))
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, "leave_one_out")
    n_s, n_r = len(arrays.subjects), len(arrays.rois)
    if n_r < 4 or n_s < 4:
        raise DesignError(
            f"second_order_similarity: {n_r} ROIs, {n_s} subjects; at least 4 of each are needed"
        )
    plan = roi_permutations(n_r, n_resamples=n_resamples, rng=rng)
    drawn = plan.matrix.astype(np.intp)
    upper = np.triu_indices(n_r, 1)
    frames, brains, models = [], [], []
    for c, label in enumerate(arrays.cells):
        chosen = predictors_of(arrays, selection, label)
        if not chosen.models:
            continue
        stack = brain_stack(arrays, kind)[c]
        subset = [np.arange(n_s), *(np.delete(np.arange(n_s), s) for s in range(n_s))]
        matrices = [_brain_matrix(stack, kind, keep, similarity) for keep in subset]
        brains.append(matrices[0])
        rows, null = [], []
        for j, model in enumerate(chosen.models):
            index = chosen.index[:, j]
            own = [_model_matrix(arrays.model[c], index, keep, similarity) for keep in subset]
            values = [
                correlate(b[upper], m[upper][None], second)[0]
                for b, m in zip(matrices, own, strict=True)
            ]
            permuted = np.concatenate(
                [
                    correlate(matrices[0][upper], own[0][d[:, upper[0]], d[:, upper[1]]], second)
                    for d in (drawn[i : i + BLOCK] for i in range(0, len(drawn), BLOCK))
                ]
            )
            error, low, high = (float(v) for v in jackknifed(np.asarray(values), conf_level))
            rows.append(
                {
                    "model": model,
                    "estimate": values[0],
                    "r_squared": values[0] ** 2,
                    "std_error": error,
                    "conf_low": low,
                    "conf_high": high,
                    "null_sd": permuted.std(),
                    "n_layer": len({int(k) for k in index.ravel() if k >= 0}),
                }
            )
            null.append(permuted)
            models.append(own[0])
        frame = pd.DataFrame(rows)
        frames.append(tested(frame, np.stack(null, 1), plan.exact, label))
    if not frames or not np.isfinite(np.concatenate([f["estimate"] for f in frames])).any():
        raise DesignError(
            "second_order_similarity: no model has two different layers in the selection"
        )
    table = pd.concat(frames, ignore_index=True).assign(
        conf_level=conf_level, n_pair=len(upper[0]), n_subject=n_s, method="Mantel permutation"
    )
    info = Info(
        estimand="second-order correlation",
        method="correlation of layer x layer and ROI x ROI matrices of pattern similarity",
        null="the ROI labels of the model's matrix are exchangeable",
        adjust="max-t",
        family="models",
        n_subject=n_s,
        n_resamples=plan.n_resamples,
        conf_level=conf_level,
        resampled=Drawn("ROI labels for the test and subjects for the interval"),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        extra={"similarity": similarity, "second": second, "brain": kind},
    )
    undefined = [str(m) for m in table.loc[table["estimate"].isna(), "model"].unique()]
    notes: tuple[str, ...] = ()
    if undefined:
        message = (
            f"not defined for {', '.join(undefined)}: one layer stands for all ROIs, "
            f"or patterns are missing"
        )
        warn(message, DegenerateWarning)
        notes = (message,)
    stacks = {
        "brain": np.stack(brains),
        "model": np.stack(models),
        "rois": np.asarray(arrays.rois, dtype=str),
    }
    provenance = Provenance(data_hash=patterns.provenance.data_hash, seed=plan.seed)
    return SecondOrder(table, info, provenance, stacks, notes)


def _brain_matrix(stack: np.ndarray, kind: str, keep: np.ndarray, similarity: str) -> np.ndarray:
    """ROI x ROI similarity of mean brain patterns."""
    pairwise = kind == "subject_to_subject"
    mean = average(stack[np.ix_(keep, keep)], (0, 1)) if pairwise else average(stack[keep], 0)
    return pattern_similarity(mean, mean, similarity)


def _model_matrix(
    model: np.ndarray, index: np.ndarray, keep: np.ndarray, similarity: str
) -> np.ndarray:
    """ROI x ROI similarity of the mean patterns of the layers chosen for the ROIs."""
    rows = keep[:, None]
    chosen = index[keep]
    mean = average(np.where(chosen[..., None] >= 0, model[rows, np.maximum(chosen, 0)], np.nan), 0)
    return pattern_similarity(mean, mean, similarity)


def correlate(x: np.ndarray, y: np.ndarray, second: str) -> np.ndarray:
    """Correlation of one vector with every row; NaN for rows without variation."""
    if second == "spearman":
        # similarities of 1 that differ by rounding are ties
        x, y = np.round(x, 12), np.round(y, 12)
    return np.asarray(pattern_similarity(x[None], y, second)[0])


def jackknifed(values: np.ndarray, conf_level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error of correlations, and t limits taken on Fisher's z, from leaving out one subject at a time.

    ``values [1 + n_subject, ...]``: with everybody, then without each subject.
    """
    n = len(values) - 1

    def error(left: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0)))

    z = fisher_z(values)
    half = stdtrit(n - 1, (1 + conf_level) / 2) * error(z[1:])
    return error(values[1:]), np.tanh(z[0] - half), np.tanh(z[0] + half)


def tested(
    frame: pd.DataFrame, null: np.ndarray, exact: bool, label: tuple[str, str]
) -> pd.DataFrame:
    """Add p-values from permuted estimates ``[resample, model]``, and max-T over models."""
    seen = frame["estimate"].to_numpy()
    known = np.isfinite(seen) & np.isfinite(null).all(axis=0)
    p, adjusted = np.full(len(seen), np.nan), np.full(len(seen), np.nan)
    if known.any():
        sd = null[:, known].std(axis=0)
        sd = np.where(sd > 0, sd, np.inf)
        mean = null[:, known].mean(axis=0)
        z, t = (null[:, known] - mean) / sd, (seen[known] - mean) / sd
        p[known] = permutation_p(z, t, exact=exact, alternative="greater")
        adjusted[known] = permutation_p(
            z.max(axis=1)[:, None], t, exact=exact, alternative="greater"
        )
    return frame.assign(
        metric=label[0],
        split=label[1],
        p_value=p,
        p_value_adjusted=adjusted,
        mcse=0.0 if exact else np.sqrt(p * (1 - p) / len(null)),
    )
