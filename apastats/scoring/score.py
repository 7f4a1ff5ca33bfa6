"""The verb that turns RDMs into the score table: models, other subjects, and the mean of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import (
    DegenerateWarning,
    DesignError,
    DirectionWarning,
    InputError,
    warn,
)
from apastats.io.rdm_set import RDMSet, aligned
from apastats.io.read_rdms import as_rdms
from apastats.numbers.backends import get_backend
from apastats.recording import verb
from apastats.rows import TIME, predictor_of
from apastats.scoring.checked_rdms import checked_brain, checked_models
from apastats.scoring.methods import parse_method
from apastats.scoring.pooling import scaled_for_pooling
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.table import ScoreTable

__all__ = ["checked_brain", "checked_models", "parse_references", "score"]

REFERENCES = ("subject_to_subject", "leave_one_out")
JOINT = ("partial", "partial-spearman", "regression")
# options that these do not read, and their defaults
UNUSED: dict[str, Any] = {
    "references": REFERENCES, "sigma_k": None, "rerank": False, "across_time": False, "batch": None,
    "backend": "numpy", "device": "cpu", "dtype": "float64",
}  # fmt: skip
# scores of models below which they hardly fall by chance: so many, and of such a mean
FEWEST, UNLIKELY = 6, -0.1
KEPT = 2**25  # entries of scaled RDMs that are kept rather than made twice


@verb
def score(
    brain: Any,
    models: Any = None,
    *,
    method: str = "corr",
    references: Sequence[str] | None = REFERENCES,
    sigma_k: Any = None,
    rerank: bool = False,
    across_time: bool = False,
    split: str = "test",
    batch: int | None = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> ScoreTable:
    """Score RDMs of models and of other subjects against the RDMs of brains.

    Parameters
    ----------
    brain : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled with ``subject`` and ``roi`` (without it the ROI is "-"), one of each; with a label ``time``,
        one of each of these.
    models : RDMSet or anything :func:`apastats.read_rdms` takes, optional
        RDMs labelled with ``model`` and ``layer`` (without it "-").
    method : str
        As in :func:`apastats.rdm_similarity`; it becomes the ``metric`` of the table. Or, of all models at once and by
        the names that mne-rsa has for them: ``"partial"`` and ``"partial-spearman"`` (partial correlations,
        :func:`apastats.partial_similarity`), ``"regression"`` (slopes in the units of the RDMs,
        :func:`apastats.regression_rsa`); rows of models alone.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain rows to compute. ``subject_to_subject``: all ordered pairs of subjects, all pairs of
        ROIs. ``leave_one_out``: the pooled RDM of all other subjects (as in rsatoolbox's
        ``pool_rdm``: the mean of z-scored RDMs for correlations, of ranks for rank methods).
        Left out where there is one subject only.
    sigma_k : array, optional
        Covariance of the pattern estimates over the stimuli, for the whitened methods.
    rerank : bool
        Whether the pooled RDM of a rank method, a mean of ranks, is ranked again (as rsatoolbox does).
    across_time : bool
        Whether brains predict other time points too (column ``predictor_time``), for patterns over region x time; by
        default each time point is predicted from itself.
    split : str
        Value of the column ``split``.
    batch : int, optional
        Model RDMs worked on at once; it bounds the memory and changes the answer by
        rounding at most.
    backend, device, dtype : str
        As in :func:`apastats.rdm_similarity`.

    Returns
    -------
    ScoreTable
        Brain rows have the predicting subject as ``model`` ("others" for leave_one_out) and the
        predicting ROI as ``layer``. Columns besides the key: ``reference_from`` ("pooled_rdms" for
        leave_one_out rows, "-" otherwise), further labels of the RDMs, and ``n_pair``, the pairs a
        score uses, where any pair is missing.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``reference_from`` (where the reference comes from), ``score``
        (score).

    Raises
    ------
    InputError, DataError
        Missing labels, several RDMs of one subject in one ROI, stimuli that do not match.
    DesignError
        If nothing is left to score.

    Warns
    -----
    DegenerateWarning
        If a score is NaN.
    DirectionWarning
        If every score of a model is far below 0, as when one side holds similarities.

    See Also
    --------
    score_patterns, rdm_similarity, read_rdms

    Notes
    -----
    Stimuli are matched by name. Those that only one side has are left out of all scores, brain
    rows included, so that models and references are judged on the same pairs. Where neither side names
    its stimuli they are matched by position (the same number, taken to be in the same order), and the
    log says so; names on one side alone are an error.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553
    .. [2] Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis –
       connecting the branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.
       https://doi.org/10.3389/neuro.06.004.2008

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(n_subject=3, n_stimulus=12, rois=["V1", "V2"], rng=0)
    >>> table = score(rdms.brain, rdms.models, method="spearman")
    >>> table.frame["kind"].value_counts().to_dict()
    {'model': 96, 'subject_to_subject': 24, 'leave_one_out': 12}
    """
    if method in JOINT:
        given = {"references": references, "sigma_k": sigma_k, "rerank": rerank, "batch": batch}
        given |= {"across_time": across_time, "backend": backend, "device": device, "dtype": dtype}
        return _of_all_models(brain, models, method, split, given)
    engine = get_backend(backend, device, dtype)
    parse_method(method)
    wanted = parse_references(references)
    targets = checked_brain(as_rdms(brain, "brain"), timed=True)
    predictors = None if models is None else checked_models(as_rdms(models, "models"))
    targets, predictors, log = aligned(targets, predictors)
    times = _times(targets, across_time)
    options = {"sigma_k": sigma_k, "batch": batch, "backend": engine}
    subjects = targets.labels["subject"].to_numpy()
    parts: list[pd.DataFrame] = []
    if predictors is not None:
        parts.append(_model_rows(targets, predictors, method, options))
    if targets.labels["subject"].nunique() > 1:
        if "subject_to_subject" in wanted:
            parts.append(_pair_rows(targets, subjects, times, method, options))
        if "leave_one_out" in wanted:
            parts.append(_pooled_rows(targets, subjects, times, method, rerank, options))
    if not parts:
        raise DesignError(
            "nothing to score: models is None, and references need at least two subjects "
            f"(references={references!r}, {targets.labels['subject'].nunique()} subject)"
        )
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if (frame["n_pair"] == targets.vectors.shape[1]).all():
        frame = frame.drop(columns="n_pair")
    else:
        log.append("pairs are missing: every score uses the pairs both RDMs have (column n_pair)")
    frame = frame.assign(metric=method, split=split)
    if across_time:  # of model rows, the time that is predicted
        frame["predictor_time"] = predictor_of(frame, TIME)
    n_nan = int(frame["score"].isna().sum())
    if n_nan:
        warn(
            f"{n_nan} of {len(frame)} scores are NaN: an RDM is constant, or two have no pair in common",
            DegenerateWarning,
        )
    if predictors is not None:
        log += direction(frame["score"][frame["kind"] == "model"].to_numpy(), method)
    source = f"scores of {targets.source}"
    return ScoreTable(frame, log=tuple(log), source=source)


def _of_all_models(
    brain: Any, models: Any, method: str, split: str, given: dict[str, Any]
) -> ScoreTable:
    """Scores that depend on all models at once, as rows of models."""
    from apastats.scoring.partial_similarity import partial_similarity
    from apastats.scoring.regression_rsa import regression_rsa

    for option, value in given.items():
        default = UNUSED[option]
        if value is not None and value != default:
            raise InputError(option, value, f"its default with method={method!r}")
    if models is None:
        raise InputError("models", None, f"RDMs of models, with method={method!r}")
    if method == "regression":
        made = regression_rsa(brain, models, method="pearson", standardized=False)
    else:
        kind: Any = "spearman" if method == "partial-spearman" else "pearson"
        made = partial_similarity(brain, models, method=kind)
    frame = made.frame.assign(metric=method, split=split)
    return ScoreTable(frame, log=made.log, source=f"scores of {made.source}")


class _Times(NamedTuple):
    """Time point of every target, and whether brains predict others than their own."""

    of: np.ndarray
    across: bool

    def pairs(self, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predictors and targets of all ordered pairs of subjects that are scored."""
        kept = subjects[:, None] != subjects[None, :]
        if not self.across:
            kept &= self.of[:, None] == self.of[None, :]
        return tuple(np.nonzero(kept))  # type: ignore[return-value]

    def labels(self, predictors: np.ndarray) -> dict[str, np.ndarray]:
        """Column of the predictors' time points, where they differ from the targets'."""
        return {"predictor_time": self.of[predictors]} if self.across else {}


def _times(targets: RDMSet, across: bool) -> _Times:
    if "time" in targets.labels.columns:
        return _Times(targets.labels["time"].to_numpy(dtype=object), across)
    if across:
        raise InputError("across_time", True, "False where the RDMs of brains have no label 'time'")
    return _Times(np.full(len(targets), "", dtype=object), False)


def direction(scores: np.ndarray, method: str) -> list[str]:
    """Warn, and say in the log, where every model is far below 0: as when similarities stand for distances."""
    if method == "neg_riem_dist":  # a distance with its sign turned
        return []
    found = scores[np.isfinite(scores)]
    if len(found) < FEWEST or found.max() >= 0 or found.mean() > UNLIKELY:
        return []
    line = (
        f"all {len(found)} scores of models are negative ({found.min():.2f} to {found.max():.2f}), as when one side "
        "holds similarities and the other dissimilarities: turn similarities s around (1 - s)"
    )
    warn(line, DirectionWarning)
    return [line]


def parse_references(references: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the brain rows wanted, checked."""
    names = (
        ()
        if references is None
        else (references,)
        if isinstance(references, str)
        else tuple(references)
    )
    for name in names:
        choice("references", name, REFERENCES)
    return names


def _rows_of(
    labels: pd.DataFrame, index: np.ndarray, rename: dict[str, str] | None = None
) -> dict[str, Any]:
    """Columns of the labels, repeated by an index; levels are shared, not copied."""
    return {(rename or {}).get(c, c): labels[c].to_numpy()[index] for c in labels.columns}


def _first_of(rois: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First RDM of every cell of ROI and time, in order of appearance, and the cell of every RDM."""
    cells = pd.MultiIndex.from_arrays([rois, times])
    code, levels = pd.factorize(cells)
    return np.array([int(np.argmax(code == k)) for k in range(len(levels))]), code


def _model_rows(
    brain: RDMSet, models: RDMSet, method: str, options: dict[str, Any]
) -> pd.DataFrame:
    values, count = similarity_counts(models.vectors, brain.vectors, method, **options)
    k, t = (i.ravel() for i in np.indices(values.shape))
    clash = {c: f"model_{c}" for c in models.labels.columns if c in brain.labels.columns}
    return pd.DataFrame(
        {
            "kind": "model",
            **_rows_of(models.labels, k, clash),
            **_rows_of(brain.labels, t),
            "reference_from": "-",
            "n_pair": count.ravel(),
            "score": values.ravel(),
        }
    )


def _pair_rows(
    brain: RDMSet, subjects: np.ndarray, times: _Times, method: str, options: dict[str, Any]
) -> pd.DataFrame:
    """Every ordered pair of subjects, every pair of ROIs."""
    values, count = similarity_counts(brain.vectors, brain.vectors, method, **options)
    p, t = times.pairs(subjects)
    return pd.DataFrame(
        {
            "kind": "subject_to_subject",
            "model": subjects[p],
            "layer": brain.labels["roi"].to_numpy()[p],
            **_rows_of(brain.labels, t),
            **times.labels(p),
            "reference_from": "-",
            "n_pair": count[p, t],
            "score": values[p, t],
        }
    )


def _pooled_rows(
    brain: RDMSet,
    subjects: np.ndarray,
    times: _Times,
    method: str,
    rerank: bool,
    options: dict[str, Any],
) -> pd.DataFrame:
    """The pooled RDM of the other subjects, for every ROI (and time) of theirs and every ROI of the subject.

    Sums over subjects are kept per ROI, and a subject's own RDMs are taken off: memory does not grow
    with the number of subjects.
    """
    # a pool is of one ROI at one time point
    first, code = _first_of(brain.labels["roi"].to_numpy(dtype=object), times.of)
    whole = scaled_for_pooling(brain.vectors, method) if brain.vectors.size <= KEPT else None

    def scaled(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """RDMs on the scale they are averaged in, 0 where a pair is missing, and where it is there."""
        some = scaled_for_pooling(brain.vectors[rows], method) if whole is None else whole[rows]
        present = np.isfinite(some)
        return (some if present.all() else np.where(present, some, 0.0)), present

    total = np.empty((len(first), brain.vectors.shape[1]))
    number = np.empty(total.shape, dtype=np.int32)
    for k in range(len(first)):
        some, present = scaled(np.flatnonzero(code == k))
        total[k], number[k] = some.sum(axis=0), present.sum(axis=0)
    parts = []
    for subject in pd.unique(subjects):
        t = np.flatnonzero(subjects == subject)
        own, present = scaled(t)
        others, count = total.copy(), number.copy()
        others[code[t]] -= own
        count[code[t]] -= present
        kept = np.unique(code[subjects != subject])
        if not len(kept):
            continue
        pooled = np.where(count > 0, others / np.maximum(count, 1), np.nan)[kept]
        values, used = similarity_counts(
            pooled, brain.vectors[t], method, x_ranked=not rerank, **options
        )
        alike = times.of[first[kept]][:, None] == times.of[t][None]
        p, c = np.nonzero(alike | times.across)
        parts.append(
            {
                "layer": brain.labels["roi"].to_numpy(dtype=object)[first[kept][p]],
                **_rows_of(brain.labels, t[c]),
                **times.labels(first[kept][p]),
                "n_pair": used[p, c],
                "score": values[p, c],
            }
        )
    columns = {c: np.concatenate([p[c] for p in parts]) for c in parts[0]}
    return pd.DataFrame(
        {"kind": "leave_one_out", "model": "others", **columns, "reference_from": "pooled_rdms"}
    )
