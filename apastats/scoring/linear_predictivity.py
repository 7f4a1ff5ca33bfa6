"""How well features predict responses, by cross-validated ridge regression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats.arguments import choice, numbers, whole
from apastats.errors import (
    ConvergenceWarning,
    DataError,
    DegenerateWarning,
    DesignError,
    warn,
)
from apastats.numbers.units import scale_of, varies
from apastats.recording import verb
from apastats.resampling.parallel import elsewhere, run_tasks
from apastats.scoring.folds import check_folds, check_sizes, delayed, held_out, parse_delays
from apastats.scoring.reliability import Reliability
from apastats.scoring.response_patterns import (
    Patterns,
    check_same_rows,
    checked_patterns,
    other_people,
    rows_by_name,
)
from apastats.scoring.ridge import ALPHAS, RidgeTargets, ridge_scores, ridge_targets
from apastats.scoring.score import parse_references
from apastats.scoring.times import each_time, refuse_across_time
from apastats.scoring.units import Units, units_kept, with_left_out
from apastats.table import ScoreTable

_AT_ONCE = 50  # predictors of a task


@each_time
@verb
def linear_predictivity(
    brain: Mapping[tuple[str, str], Any],
    models: Mapping[tuple[str, str], Any] | None = None,
    *,
    references: Sequence[str] | None = None,
    alphas: Any = ALPHAS,
    n_fold: int = 5,
    seed: int = 1,
    folds: str = "shuffled",
    groups: Sequence[Any] | None = None,
    score: str = "r2",
    per: str = "set",
    delays: Sequence[int] = (0,),
    average: str = "mean",
    across_time: bool = False,
    by_unit: bool | str | Path = False,
    ceilings: Mapping[tuple[str, str], Reliability] | None = None,
) -> ScoreTable:
    """Explained variance of responses by cross-validated ridge regression on model features.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)``, or ``(subject, roi, time)`` (scored at every time point), to
        ``[n_stimulus, n_vertex]`` or to a pair ``(train, test)`` of such. A
        column that is NaN is a vertex the subject lacks. Data frames name their rows by their index: sets
        with names are matched by them, sets without by position (the log says so).
    models : mapping, optional
        From ``(model, layer)`` to ``[n_stimulus, n_feature]``, or a pair likewise.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain predictors: every other subject's responses, or the mean responses of all others (all
        subjects of a ROI need the same vertices).
    alphas : array
        Ridge penalties; one is chosen per fold and target by efficient leave-one-out.
    n_fold, seed : int
        Folds over the train stimuli; shuffled ones are those of scikit-learn's ``KFold``.
    folds : {"shuffled", "contiguous", "leave_one_out"}
        Shuffled stimuli, blocks of neighbours, or each group in turn (leave one run out).
    groups : sequence, optional
        A label for every train stimulus (run, story, the stimulus that was repeated): stimuli of one label are held out
        together.
    score : {"r2", "r"}
        Coefficient of determination, or Pearson's correlation of predicted and measured responses.
    per : {"set", "unit"}
        Whether a penalty is chosen for all vertices of a subject and ROI together, or for every vertex.
    delays : sequence of int
        Rows of a time series by which features are late, each a copy of them; 0 where there is nothing before.
    average : {"mean", "median"}
        What of the scores of single vertices is the score of a subject and ROI.
    across_time : bool
        Whether brains predict other time points too (column ``predictor_time``), for patterns over region x time; by
        default each time point is predicted from itself.
    by_unit : bool or path
        Whether to keep the scores of single vertices, one row each (column ``unit``, its place in the array). A path
        of a new folder: they are written there as they are made, a parquet file per predictor, which
        :func:`apastats.read` reads, and the table has the scores of subjects and ROIs; memory then holds one predictor
        at a time.
    ceilings : mapping, optional
        With ``by_unit``: from ``(subject, roi)`` to the :class:`Reliability` of its vertices, kept with their scores in
        the column ``ceiling_r2`` or ``ceiling_r``, from which :func:`normalize_encoding` takes them.

    Returns
    -------
    ScoreTable
        Metric ``linear_predictivity`` (``linear_predictivity_r`` for correlations, ``..._median`` for medians). Train
        rows: R2
        on the held-out folds, weighted by their size;
        test rows: mean over the fold models of R2 on the test stimuli, standardised with train means
        and SDs. R2 is averaged uniformly over vertices (or its median taken, each vertex' mean over folds first)
        and can be negative. Columns
        ``n_feature_predictor`` and ``n_feature_brain`` are the numbers of features used; of the vertices
        of a subject and ROI ``n_unit`` were scored in every part (all folds, or the test stimuli), and
        ``n_left_out`` (``share_left_out`` of all) were left out of the mean of at least one part. ``penalty`` is the
        median of the penalties chosen
        over folds (and vertices), a covariate.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``reference_from`` (where the reference comes from),
        ``n_feature_predictor`` (features that predict), ``n_feature_brain`` (features predicted), ``penalty``
        (ridge penalty), ``n_unit`` (units), ``n_left_out`` (units left out), ``share_left_out`` (share of units left
        out), ``score`` (score).

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form, different stimuli.

    Warns
    -----
    DegenerateWarning
        Where vertices are constant (up to rounding: 1e-13 of the scale of the data) on the train stimuli,
        in a fold or on the test stimuli. They have no R2 there and are left out of the mean of that part.
    SmallSampleWarning
        Where a held-out part, or the test stimuli, are fewer than four: R2 has no mean there.
    PseudoreplicationWarning
        Where neighbouring rows correlate and folds part them: features that know the position would predict them.
    ConvergenceWarning
        Where the least or the largest of the ``alphas`` given (three or more) was chosen in most folds.

    See Also
    --------
    score_patterns, normalize_encoding, ncsnr

    Notes
    -----
    The standardised ridge of the alignment-pattern study of Hoefling et al. (2026). The Gram matrix of
    a predictor is decomposed once per fold for all its targets, and the errors of a set at all penalties come from
    one product; the numbers are those of scikit-learn's ``RidgeCV``.

    References
    ----------
    .. [1] Naselaris, T., Kay, K. N., Nishimoto, S., & Gallant, J. L. (2011). Encoding and decoding in fMRI.
       NeuroImage, 56(2), 400–410. https://doi.org/10.1016/j.neuroimage.2010.07.073
    .. [2] Conwell, C., Prince, J. S., Kay, K. N., Alvarez, G. A., & Konkle, T. (2024). A large-scale
       examination of inductive biases shaping high-level visual representation in brains and machines. Nature
       Communications, 15, 9383. https://doi.org/10.1038/s41467-024-53147-y

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((40, 5))
    >>> brain = {("s1", "V1"): x @ rng.standard_normal((5, 3))}
    >>> found = linear_predictivity(brain, {("m", "layer"): x})
    >>> bool(found.frame["score"].iloc[0] > 0.8)
    True
    """
    refuse_across_time(across_time)
    wanted = parse_references(references)
    brain, models, log = rows_by_name(brain, models)
    raw = checked_patterns(brain, "brain", pairs=True)
    full = {k: p.compact() for k, p in raw.items()}
    data = {k: _varying(k, p) for k, p in full.items()}
    predictors = {} if models is None else checked_patterns(models, "models", pairs=True)
    check_same_rows(data, predictors)
    penalties = np.array(numbers("alphas", alphas, above=0))
    n_train = len(next(iter(data.values())).train)
    whole("seed", seed, least=0, most=2**32 - 1)
    choice("score", score, ("r2", "r"))
    choice("per", per, ("set", "unit"))
    choice("average", average, ("mean", "median"))
    late = parse_delays(delays, n_train)
    out = held_out(n_train, folds, n_fold=n_fold, groups=groups, seed=seed)
    responses, features = ((p.train for p in side.values()) for side in (data, predictors))
    log = (*log, *check_folds(responses, features, out))
    fit = _Fit(penalties, out, score, per, late, average)
    jobs: list[_Job] = [
        _Job("model", model, layer, p.compact(), list(data))
        for (model, layer), p in predictors.items()
    ]
    if "subject_to_subject" in wanted:
        jobs += [
            _Job("subject_to_subject", s, r, p, [k for k in data if k[0] != s])
            for (s, r), p in data.items()
        ]
    if "leave_one_out" in wanted:
        jobs += [
            _Job("leave_one_out", "others", r, p.compact(), [k for k in data if k[0] == s])
            for s, r, p in other_people(checked_patterns(brain, "brain", pairs=True))
        ]
    places = {k: np.flatnonzero(p.features())[_kept(full[k])] for k, p in raw.items()}
    counts = {k: p.train.shape[1] for k, p in full.items()}
    columns = {k: p.train.shape[1] for k, p in raw.items()}
    with units_kept(by_unit, counts, ceilings, score, columns) as units:
        rows = [row for row in _fitted(jobs, data, fit, units, places)]
    if not rows:
        raise DesignError("nothing to score: no models, and no reference that two subjects allow")
    frame = with_left_out(pd.DataFrame(rows), counts)
    tests = [len(p.test) for p in data.values() if p.test is not None]
    said = (
        *check_sizes([*map(len, out), *tests], score),
        *_said(frame),
        *_at_edges(frame, penalties, alphas is not ALPHAS),
        *units.log,
    )
    if by_unit is True:
        frame = units.frame()
    return ScoreTable(
        frame.drop(columns="at_edge"),
        covariates=("penalty", "share_left_out", "ceiling_r2", "ceiling_r"),
        log=(*log, *said),
        source="linear predictivity",
    )


class _Job(NamedTuple):
    """A predictor, and the data sets it is fitted to."""

    kind: str
    model: str
    layer: str
    predictor: Patterns
    keys: list[tuple[str, str]]


def _fitted(
    jobs: Sequence[_Job],
    data: Mapping[tuple[str, str], Patterns],
    fit: _Fit,
    units: Units,
    places: Mapping[tuple[str, str], np.ndarray],
) -> Iterator[dict[str, Any]]:
    """Rows of subjects and ROIs, predictor by predictor; those of single vertices go to ``units``."""
    if elsewhere():
        for part in run_tasks(_block, _blocks(jobs, data, fit), label="scoring"):
            for rows in part["rows"]:
                for row, values in rows:
                    units.add(row, values, places[row["subject"], row["roi"]])
                    yield row
                units.close_part()
        return
    ready: dict[tuple[Any, ...], RidgeTargets] = {}
    for job in jobs:
        if not job.keys:
            continue
        group = (*job.keys, job.predictor.test is None)
        targets = {k: data[k] for k in job.keys}
        if group not in ready:  # the jobs of one target set follow each other
            ready = {group: fit.ready(targets, job.predictor.test is not None)}
        for row, values in _ridge_rows(job, targets, ready[group], fit):
            units.add(row, values, places[row["subject"], row["roi"]])
            yield row
        units.close_part()


def _blocks(
    jobs: Sequence[_Job], data: Mapping[tuple[str, str], Patterns], fit: _Fit
) -> list[tuple[Any, ...]]:
    """Predictors of one target set, some at a time, with the data they are fitted to: tasks for other processes."""
    tasks: list[tuple[Any, ...]] = []
    for (keys, _), same in groupby(jobs, lambda j: (j.keys, j.predictor.test is None)):
        mine = list(same)
        targets = {k: data[k] for k in keys}
        starts = range(0, len(mine), _AT_ONCE) if keys else ()
        tasks += [(mine[k : k + _AT_ONCE], targets, fit) for k in starts]
    return tasks


def _block(
    jobs: Sequence[_Job], targets: Mapping[tuple[str, str], Patterns], fit: _Fit
) -> dict[str, Any]:
    """Rows of each of some predictors of one target set."""
    ready = fit.ready(targets, jobs[0].predictor.test is not None)
    return {"rows": [list(_ridge_rows(job, targets, ready, fit)) for job in jobs]}


class _Fit(NamedTuple):
    """How every model is fitted and scored."""

    alphas: np.ndarray
    folds: list[np.ndarray]
    score: str
    per: str
    delays: tuple[int, ...]
    average: str

    def ready(self, targets: Mapping[tuple[str, str], Patterns], with_test: bool) -> RidgeTargets:
        """Targets of one or many predictors."""
        test = [t.test for t in targets.values() if t.test is not None] if with_test else None
        return ridge_targets([t.train for t in targets.values()], test, self.folds)


def _kept(p: Patterns) -> np.ndarray:
    """Vertices that vary on the train stimuli."""
    return varies(p.train, scale_of(p.train, p.train[:0] if p.test is None else p.test))


def _at_edges(frame: pd.DataFrame, alphas: np.ndarray, given: bool) -> tuple[str, ...]:
    """The sets whose penalty lies at an end of the grid in most folds; a warning where the grid was given."""
    edge = frame[frame["at_edge"] > 0.5].drop_duplicates(["model", "layer", "subject", "roi"])
    if edge.empty or len(alphas) < 3:  # of two, every one is an end
        return ()
    first = edge.iloc[0]
    message = (
        f"the penalty chosen is the least or the largest of alphas in most folds for {len(edge)} pairs of features "
        f"and responses, first {first['model']} ({first['layer']}) and {(first['subject'], first['roi'])}: a wider "
        f"grid may fit better"
    )
    if given:
        warn(message, ConvergenceWarning)
    return (message,)


def _varying(key: tuple[str, str], p: Patterns) -> Patterns:
    """Without vertices that are constant on the train stimuli."""
    kept = _kept(p)
    if not kept.any():
        raise DataError(f"brain[{key}]: every vertex is constant on the train stimuli")
    return Patterns(p.train[:, kept], None if p.test is None else p.test[:, kept])


def _said(frame: pd.DataFrame) -> tuple[str, ...]:
    """One warning that names data sets and parts with vertices left out, and the same as a log."""
    lacking = frame[frame["n_left_out"] > 0].drop_duplicates(["subject", "roi", "split"])
    if lacking.empty:
        return ()
    columns = ["subject", "roi", "split", "n_unit", "n_left_out"]
    parts = [
        f"{out} of {out + n} vertices are constant in {(subject, roi)}, {split}"
        for subject, roi, split, n, out in lacking[columns].to_numpy().tolist()
    ]
    more = f" and {len(parts) - 5} more sets" if len(parts) > 5 else ""
    message = (
        f"{'; '.join(parts[:5])}{more}; they are left out of the mean over vertices there, in the folds "
        f"or test stimuli they do not vary in (columns n_unit, n_left_out)"
    )
    warn(message, DegenerateWarning)
    return (message,)


def _ridge_rows(
    job: _Job, targets: Mapping[tuple[str, str], Patterns], ready: RidgeTargets, fit: _Fit
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """One row per target and split, and the scores of its vertices."""
    predictor = job.predictor
    with_test = predictor.test is not None
    found = ridge_scores(
        delayed(predictor.train, fit.delays),
        ready,
        x_test=delayed(predictor.test, fit.delays),
        alphas=fit.alphas,
        score=fit.score,
        per=fit.per,
    )
    ends = fit.alphas.min(), fit.alphas.max()
    metric = "linear_predictivity" + "_r" * (fit.score == "r")
    for k, ((subject, roi), t) in enumerate(targets.items()):
        common = {
            "kind": job.kind,
            "model": job.model,
            "layer": job.layer,
            "subject": subject,
            "roi": roi,
            "metric": metric + "_median" * (fit.average == "median"),
            "reference_from": "mean_patterns" if job.kind == "leave_one_out" else "-",
            "n_feature_predictor": predictor.train.shape[1],
            "n_feature_brain": t.train.shape[1],
            "penalty": float(np.median(found.alphas[k])),
            "at_edge": float(np.isin(found.alphas[k], ends).mean()),
        }
        for split, score, scored, values in (
            ("train", found.train, found.train_units, found.train_values),
            ("test", found.test, found.test_units, found.test_values),
        ):
            if split == "train" or with_test:
                value = score[k] if fit.average == "mean" else _median(values[k])
                row = {**common, "n_unit": int(scored[k].sum()), "split": split, "score": value}
                yield row, values[k]


def _median(values: np.ndarray) -> float:
    """Median of what is finite; NaN where nothing is."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else float("nan")
