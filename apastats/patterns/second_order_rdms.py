"""Second-order similarity from RDMs: layers related by their RDMs, ROIs by theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.errors import DataError, DegenerateWarning, DesignError, InputError, warn
from apastats.patterns.permutations import roi_permutations
from apastats.patterns.second_order_similarity import SecondOrder, correlate, jackknifed, tested
from apastats.recording import verb
from apastats.resampling.plans import Resamples, check_resamples
from apastats.results import Provenance
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["second_order_rdms"]

METHODS = ("corr", "cosine", "spearman")
AUTO_STIMULI = 999  # permutations of stimuli, each with layers chosen anew


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is compared, as inner products of unit RDMs.

    Attributes
    ----------
    brain : numpy.ndarray, shape (n_subject, n_roi, n_pair)
    model : numpy.ndarray, shape (n_predictor, n_pair)
    gram : numpy.ndarray, shape (n_subject, n_roi, n_subject, n_roi)
    kernel : numpy.ndarray, shape (n_predictor, n_predictor)
    scores : numpy.ndarray, shape (n_subject, n_predictor, n_roi)
    rois, models : list of str
    members : list of numpy.ndarray
        Predictors of each model.
    """

    brain: np.ndarray
    model: np.ndarray
    gram: np.ndarray
    kernel: np.ndarray
    scores: np.ndarray
    rois: list[str]
    models: list[str]
    members: list[np.ndarray]


@verb
def second_order_rdms(
    brain: Any,
    models: Any,
    *,
    selection: ScoreTable | None = None,
    method: str = "spearman",
    second: str = "pearson",
    null: str = "stimuli",
    n_resamples: Resamples = "auto",
    conf_level: float = 0.95,
    rng: RngLike = None,
) -> SecondOrder:
    """Compare each model's layer x layer matrix of RDM similarity with the brain's ROI x ROI matrix.

    Parameters
    ----------
    brain : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled ``subject`` and ``roi``, every ROI of every subject, nothing missing.
    models : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled ``model`` and ``layer``.
    selection : ScoreTable, optional
        From :func:`select_layer`: the layer that stands for each ROI. By default the layer that fits the ROI best
        in the other subjects.
    method : {"spearman", "corr", "cosine"}
        Similarity of two RDMs.
    second : {"pearson", "spearman"}
        Of the two matrices.
    null : {"stimuli", "rois"}
        ``stimuli``: the stimuli of the model's RDMs are exchanged, and layers chosen anew each time: a model that
        knows nothing of the stimuli. ``rois``: the ROI labels of the layer matrix are exchanged (Mantel).
    n_resamples : "auto", "exact" or int
        Permutations; ``"auto"`` takes 999 of stimuli.
    conf_level : float
        Level of the jackknife interval.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    SecondOrder
        ``metric`` is the method, ``split`` "-".

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
        If an argument is not allowed, or a selection is given with ``null="stimuli"``.
    DesignError
        If there are fewer than four ROIs or subjects, a ROI lacks in a subject, or no model has two different
        layers to choose from.
    DataError
        If entries of an RDM are missing.

    See Also
    --------
    second_order_similarity, matrix_agreement

    Notes
    -----
    ``B[r, t]`` is the mean over subjects of the similarity of the RDM of ROI r with the mean RDM (of unit length
    each) of ROI t in the other subjects, both ways: noise that the ROIs of one subject share does not enter.
    ``L[r, t]`` is the similarity of the RDMs of the layers that stand for r and t, averaged over subjects where
    these differ; 1 where it is the same layer. The estimate is the correlation of the upper triangles; adjusted
    p-values by max-T over models.

    ROIs with similar RDMs are best fitted by similar layers whatever the model, so the layer matrix takes on the
    brain's structure by the choice alone. ``null="stimuli"`` goes through the same choice and holds its level;
    ``"rois"`` does not see it, and at .05 rejected a quarter of the models with random features in a simulation.

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
    >>> rdms = apa.simulate_rdms(n_subject=5, n_stimulus=20, n_layer=6, rng=1)
    >>> found = apa.second_order_rdms(rdms.brain, rdms.models, n_resamples=99, rng=1)
    >>> bool((found.table["p_value"] < 0.05).all())
    True
    """
    for name, value, allowed in (
        ("method", method, METHODS),
        ("second", second, ("pearson", "spearman")),
        ("null", null, ("stimuli", "rois")),
    ):
        choice(name, value, allowed)
    if selection is not None and null == "stimuli":
        raise InputError(
            "selection",
            "a table",
            "no selection with null='stimuli', which chooses layers anew (null='rois' takes one)",
        )
    check_resamples(n_resamples)
    if null == "stimuli" and n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number: orders of stimuli are too many")
    targets, predictors, log = _inputs(brain, models)
    q = _problem(targets, predictors, method)
    n_s, n_r = q.scores.shape[0], len(q.rois)
    everyone = np.arange(n_s)
    given = None if selection is None else _given(selection, targets, predictors, q)

    def chosen(scores: np.ndarray, keep: np.ndarray) -> np.ndarray:
        return _choose(scores[keep], q.members) if given is None else given[keep]

    upper = np.triu_indices(n_r, 1)
    values = []
    for keep in [everyone, *(np.delete(everyone, s) for s in everyone)]:
        target = _brain_matrix(q.gram[keep][:, :, keep])
        layers = _layer_matrices(q.kernel, chosen(q.scores, keep))
        values.append(correlate(target[upper], layers[:, *upper], second))
        if len(keep) == n_s:
            whole, own = target, layers
    estimate = values[0]
    if not np.isfinite(estimate).any():
        raise DesignError("second_order_rdms: no model has two different layers to choose from")
    error, low, high = jackknifed(np.asarray(values), conf_level)
    if null == "rois":
        plan = roi_permutations(n_r, n_resamples=n_resamples, rng=rng)
        drawn = plan.matrix.astype(np.intp)
        rows = [m[drawn[:, upper[0]], drawn[:, upper[1]]] for m in own]
        null_values = np.stack([correlate(whole[upper], r, second) for r in rows], axis=1)
        exact, seed, words = plan.exact, plan.seed, "Mantel permutation"
    else:
        root = seed_sequence(rng)
        size = AUTO_STIMULI if n_resamples == "auto" else int(n_resamples)
        null_values = _stimulus_null(q, whole[upper], upper, size, root, second)
        exact, seed, words = False, recorded_seed(root), "permutation of stimuli"
    index = chosen(q.scores, everyone)
    frame = pd.DataFrame(
        {
            "model": q.models,
            "estimate": estimate,
            "r_squared": estimate**2,
            "std_error": error,
            "conf_low": low,
            "conf_high": high,
            "null_sd": null_values.std(axis=0),
            "n_layer": [len(np.unique(index[:, j])) for j in range(len(q.models))],
        }
    )
    table = tested(frame, null_values, exact, (method, "-"))
    table = table.assign(conf_level=conf_level, n_pair=len(upper[0]), n_subject=n_s, method=words)
    info = Info(
        estimand="second-order correlation",
        method=f"correlation of layer x layer and ROI x ROI matrices of RDM similarity ({method})",
        null=(
            "the stimuli of the model's RDMs are exchangeable; layers chosen anew"
            if null == "stimuli"
            else "the ROI labels of the model's matrix are exchangeable"
        ),
        adjust="max-t",
        family="models",
        n_subject=n_s,
        n_resamples=len(null_values),
        conf_level=conf_level,
        resampled=Drawn(
            f"{'stimuli' if null == 'stimuli' else 'ROI labels'} for the test and subjects for the interval"
        ),
        held_fixed=(STIMULI,) if given is None else (STIMULI, CHOSEN_LAYERS),
        extra={
            "matrices": "RDMs",
            "similarity": method,
            "second": second,
            "brain": "ROIs of different subjects",
        },
    )
    undefined = [m for m, v in zip(q.models, estimate, strict=True) if not np.isfinite(v)]
    notes = tuple(log)
    if undefined:
        message = f"not defined for {', '.join(undefined)}: one layer stands for all ROIs"
        warn(message, DegenerateWarning)
        notes = (*notes, message)
    stacks = {"brain": whole[None], "model": own, "rois": np.asarray(q.rois, dtype=str)}
    provenance = Provenance(data_hash=f"{targets.hash} {predictors.hash}", seed=seed)
    return SecondOrder(table, info, provenance, stacks, notes)


def _inputs(brain: Any, models: Any) -> tuple[RDMSet, RDMSet, list[str]]:
    """Both sides on shared stimuli, complete, and how their stimuli were matched."""
    from apastats.io.rdm_set import aligned
    from apastats.io.read_rdms import as_rdms
    from apastats.scoring.score import checked_brain, checked_models

    targets, predictors, log = aligned(
        checked_brain(as_rdms(brain, "brain")), checked_models(as_rdms(models, "models"))
    )
    if predictors is None:
        raise InputError("models", None, "RDMs of layers")
    for side in (targets, predictors):
        missing = int(np.isnan(side.vectors).any(axis=1).sum())
        if missing:
            raise DataError(
                f"second_order_rdms: {missing} of {len(side)} RDMs of {side.source} have missing entries; take "
                f"stimuli that all have (RDMSet.on_stimuli)"
            )
    n_s, n_r = (targets.labels[c].nunique() for c in ("subject", "roi"))
    if n_s < 4 or n_r < 4:
        raise DesignError(
            f"second_order_rdms: {n_r} ROIs, {n_s} subjects; at least 4 of each are needed"
        )
    if len(targets) != n_s * n_r:
        raise DesignError(
            f"second_order_rdms: {n_s * n_r - len(targets)} RDMs lack; every subject needs every ROI"
        )
    return targets, predictors, log


def _problem(targets: RDMSet, predictors: RDMSet, method: str) -> _Problem:
    from apastats.scoring.similarity import features

    labels = targets.labels
    rois = [str(r) for r in labels["roi"].unique()]
    subjects = sorted(str(s) for s in labels["subject"].unique())
    place = {
        (str(s), str(r)): i
        for i, (s, r) in enumerate(zip(labels["subject"], labels["roi"], strict=True))
    }
    order = [place[s, r] for s in subjects for r in rois]
    unit = np.asarray(features(np.asarray(targets.vectors[order], dtype=np.float64), method))
    own = np.asarray(features(np.asarray(predictors.vectors, dtype=np.float64), method))
    for side, rows in ((targets, unit), (predictors, own)):
        if not np.isfinite(rows).all():
            raise DataError(f"second_order_rdms: an RDM of {side.source} is constant")
    n_s, n_r = len(subjects), len(rois)
    names = predictors.labels["model"].astype(str)
    models = [str(m) for m in names.unique()]
    layers = predictors.labels["layer"].astype(str).to_numpy()
    members = [np.flatnonzero((names == m).to_numpy()) for m in models]
    # ties go to the first by name
    members = [m[np.argsort(layers[m], kind="stable")] for m in members]
    return _Problem(
        unit.reshape(n_s, n_r, -1),
        own,
        (unit @ unit.T).reshape(n_s, n_r, n_s, n_r),
        own @ own.T,
        np.swapaxes((unit @ own.T).reshape(n_s, n_r, -1), 1, 2),
        rois,
        models,
        members,
    )


def _choose(scores: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """Best layer in the other subjects ``[subject, model, roi]``; ``scores [subject, predictor, roi]``."""
    others = scores.sum(axis=0) - scores
    out = np.empty((len(scores), len(members), scores.shape[2]), dtype=np.intp)
    for j, rows in enumerate(members):
        part = others[:, rows]
        top = part.max(axis=1, keepdims=True)
        out[:, j] = rows[np.argmax(part >= top - 1e-12 * np.abs(top), axis=1)]
    return out


def _brain_matrix(gram: np.ndarray) -> np.ndarray:
    """Mean similarity of ROI r of one subject with the mean of ROI t of the others, both ways, ``[roi, roi]``."""
    n = len(gram)
    within = np.einsum("srst->srt", gram)
    crossed = gram.sum(axis=2) - within  # [s, r, t]: with the sum of t over the others
    by_roi = np.einsum("srzr->rsz", gram)  # [roi, subject, subject]
    own = np.einsum("rss->rs", by_roi)
    square = by_roi.sum(axis=(1, 2))[:, None] - 2 * by_roi.sum(axis=2) + own
    length = np.sqrt(square).T  # [s, t]: of the sum of the others
    mean = (crossed / length[:, None]).sum(axis=0) / n
    return np.asarray((mean + mean.T) / 2)


def _layer_matrices(kernel: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Similarity of the chosen layers' RDMs, mean over subjects, ``[model, roi, roi]``."""
    return np.asarray(kernel[index[..., :, None], index[..., None, :]].mean(axis=0))


def _stimulus_null(
    q: _Problem,
    target: np.ndarray,
    upper: tuple[np.ndarray, np.ndarray],
    size: int,
    root: np.random.SeedSequence,
    second: str,
) -> np.ndarray:
    """Estimates ``[size, model]`` with the models' stimuli in another order and layers chosen anew."""
    n = round((1 + np.sqrt(1 + 8 * q.model.shape[1])) / 2)
    number = np.zeros((n, n), dtype=np.intp)
    i, j = np.triu_indices(n, 1)
    number[i, j] = number[j, i] = np.arange(len(i))
    n_s, n_r = q.scores.shape[0], len(q.rois)
    flat = q.brain.reshape(n_s * n_r, -1)
    out = np.empty((size, len(q.models)))
    for b in range(size):
        order = block_generator(root, b).permutation(n)
        moved = q.model[:, number[order[i], order[j]]]
        scores = np.swapaxes((flat @ moved.T).reshape(n_s, n_r, -1), 1, 2)
        layers = _layer_matrices(q.kernel, _choose(scores, q.members))
        out[b] = correlate(target, layers[:, *upper], second)
    # one layer for all ROIs has no structure
    return np.where(np.isfinite(out), out, 0.0)


def _given(selection: Any, targets: RDMSet, predictors: RDMSet, q: _Problem) -> np.ndarray:
    """Predictors of a selection, ``[subject, model, roi]``."""
    instance("selection", selection, ScoreTable, "what select_layer returned")
    f = selection.frame
    f = f[f["kind"] == "model"]
    subjects = sorted(str(s) for s in targets.labels["subject"].unique())
    place = {
        (str(m), str(la)): k
        for k, (m, la) in enumerate(
            zip(predictors.labels["model"], predictors.labels["layer"], strict=True)
        )
    }
    index = np.full((len(subjects), len(q.models), len(q.rois)), -1, dtype=np.intp)
    columns = (f[c].astype(str) for c in ("model", "layer", "subject", "roi"))
    for m, la, s, r in zip(*columns, strict=True):
        if m not in q.models or s not in subjects or r not in q.rois:
            continue
        at = (subjects.index(s), q.models.index(m), q.rois.index(r))
        if (m, la) not in place:
            raise DataError(f"selection: layer {la!r} of model {m!r} has no RDM")
        if index[at] >= 0:
            raise DataError(f"selection: model {m!r} has two layers for ROI {r!r} of subject {s!r}")
        index[at] = place[m, la]
    if (index < 0).any():
        s, j, r = np.argwhere(index < 0)[0]
        raise DataError(
            f"selection: model {q.models[j]!r} has no layer for ROI {q.rois[r]!r} of subject {subjects[s]!r}"
        )
    return index
