"""Scores from response patterns, by any measure: of models, other subjects and their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, items
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.numbers.backends import Backend, get_backend
from apastats.recording import verb
from apastats.scoring.measures.entry import Measure
from apastats.scoring.measures.measure import parse_measures
from apastats.scoring.measures.rows import measured_rows
from apastats.scoring.methods import parse_method
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.scoring.rdms_from_patterns import FAST, distances
from apastats.scoring.response_patterns import (
    REFERENCES_FROM,
    Patterns,
    check_same_rows,
    checked_patterns,
    other_people,
    rows_by_name,
)
from apastats.scoring.score import parse_references, score
from apastats.scoring.times import each_time, refuse_across_time
from apastats.table import ScoreTable

__all__ = ["score_patterns"]


@each_time
@verb
def score_patterns(
    brain: Mapping[tuple[str, str], Any],
    models: Mapping[tuple[str, str], Any] | None = None,
    *,
    measure: str | Measure | Sequence[str | Measure] = "rsa",
    distance: str = "correlation",
    method: str = "corr",
    references: Sequence[str] | None = ("subject_to_subject", "leave_one_out"),
    reference_from: str = "mean_patterns",
    across_time: bool = False,
    stimuli: Sequence[Any] | None = None,
    split: str = "test",
    batch: int | None = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> ScoreTable:
    """Scores from response patterns by one measure or several: RSA, CKA, Procrustes, encoding models and others.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)``, or ``(subject, roi, time)`` (scored at every time point), to
        ``[n_stimulus, n_vertex]``. A column that is NaN is a vertex the
        subject lacks. Data frames name their rows by their index: sets with names are matched by them,
        sets without by position (the log says so). Encoding measures take pairs ``(train, test)`` too.
    models : mapping, optional
        From ``(model, layer)`` to ``[n_stimulus, n_feature]``, or a pair likewise.
    measure : str, Measure, or a list of them
        ``rsa, cka, cka-debiased, cka-rbf, procrustes, bures, bures-corrected, procrustes-corrected, cca, pwcca,
        svcca, soft-matching, pairwise-matching,
        mutual-knn, ridge, pearson-ridge, pls, reverse, symmetric, versa`` (the page on measures says what each of them
        is), or :func:`apastats.measure` with options or a function of one's own. The name is the ``metric`` of the
        table; of ``rsa`` it is ``method``.
    distance : {"correlation", "euclidean", "cosine"}
        Distance between patterns, of ``rsa``.
    method : str
        Comparison of RDMs, as in :func:`apastats.rdm_similarity`, of ``rsa``.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain rows to compute.
    reference_from : {"mean_patterns", "joined_units", "pooled_rdms"}
        How leave_one_out predictors are made: the other subjects' mean patterns (all subjects of a ROI need the same
        vertices); their vertices side by side, each subject's about their means and of unit sum of squares; or, for
        ``rsa``, the pooled RDM of their RDMs (with a list of measures the others then take mean patterns). The column
        of this name says it.
    across_time : bool
        Whether brains predict other time points too (column ``predictor_time``), for patterns over region x time; by
        default each time point is predicted from itself.
    stimuli : sequence, optional
        Names of the rows.
    split : str
        Value of the column ``split``; of encoding measures given pairs it is ``train`` (held-out folds) and
        ``test``.
    batch : int, optional
        Predictors worked on at once. It bounds the memory and changes the answer by rounding at most.
    backend, device, dtype : str
        As in :func:`apastats.rdm_similarity`. Matching, canonical and encoding measures run in numpy.

    Returns
    -------
    ScoreTable
        All kinds of rows by the same measure; scores are larger for more alike with every measure.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``reference_from`` (where the reference comes from), ``score``
        (score).

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form; with mean patterns, subjects whose vertices do not correspond.
    DesignError
        Too few stimuli for the measure, or nothing to score.

    Warns
    -----
    DegenerateWarning
        If a score is NaN.
    PseudoreplicationWarning
        If neighbouring responses correlate and shuffled folds of an encoding measure put them apart.

    See Also
    --------
    score, measure, linear_predictivity

    References
    ----------
    .. [1] Kornblith, S., Norouzi, M., Lee, H., & Hinton, G. (2019). Similarity of neural network
       representations revisited. Proceedings of the 36th International Conference on Machine Learning,
       3519–3529.
    .. [2] Williams, A. H., Kunz, E., Kornblith, S., & Linderman, S. W. (2021). Generalized shape metrics on
       neural representations. Advances in Neural Information Processing Systems 34.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> common = rng.standard_normal((8, 30))
    >>> brain = {(s, "V1"): common + rng.standard_normal((8, 30)) for s in ("s1", "s2", "s3")}
    >>> score_patterns(brain).frame["reference_from"].unique().tolist()
    ['-', 'mean_patterns']
    >>> table = score_patterns(brain, measure=["cka-debiased", "procrustes"])
    >>> table.levels("metric")
    ['cka-debiased', 'procrustes']
    """
    refuse_across_time(across_time)
    measures = parse_measures(measure)
    choice("distance", distance, FAST)
    choice("reference_from", reference_from, (*REFERENCES_FROM, "pooled_rdms"))
    metric = parse_method(method)
    if all(m.name != "rsa" for m in measures):
        given = {"distance": distance, "method": method}
        for option, default in zip(given, ("correlation", "corr"), strict=True):
            if given[option] != default:
                raise InputError(option, given[option], "nothing without measure='rsa'")
        if reference_from == "pooled_rdms":
            raise InputError("reference_from", reference_from, "'pooled_rdms' for 'rsa' alone")
    engine = get_backend(backend, device, dtype)
    wanted = parse_references(references)
    brain, models, log = rows_by_name(brain, models)
    pairs = all(m.splits for m in measures)
    data = checked_patterns(brain, "brain", pairs=pairs)
    predictors = {} if models is None else checked_patterns(models, "models", pairs=pairs)
    check_same_rows(data, predictors)
    named = () if stimuli is None else items("stimuli", stimuli, "a name for every row")
    names = tuple(map(str, named))
    if names and len(names) != len(next(iter(data.values())).train):
        raise InputError("stimuli", f"{len(names)} names", "one for every row of brain")
    log = log if stimuli is None else ()
    joined = "mean_patterns" if reference_from == "pooled_rdms" else reference_from
    parts = []
    for m in measures:
        if m.prepare is None:
            parts += _rsa_rows(
                data,
                predictors,
                wanted,
                names,
                distance,
                metric,
                reference_from,
                split,
                batch,
                engine,
            )
        else:
            parts.append(
                measured_rows(
                    m,
                    data,
                    predictors,
                    wanted,
                    reference_from=joined,
                    split=split,
                    batch=batch,
                    backend=engine,
                )
            )
    if not parts:
        raise DesignError(
            "nothing to score: models is None, and references need at least two subjects"
        )
    return ScoreTable(pd.concat(parts, ignore_index=True), log=log, source="scores of patterns")


def _rsa_rows(
    data: Mapping[tuple[str, str], Patterns],
    predictors: Mapping[tuple[str, str], Patterns],
    wanted: Sequence[str],
    names: tuple[str, ...],
    distance: str,
    method: str,
    reference_from: str,
    split: str,
    batch: int | None,
    engine: Backend,
) -> list[pd.DataFrame]:
    """Rows of RSA; none where there is nothing to score."""

    def rdms(sets: Mapping[tuple[str, str], Patterns], columns: Sequence[str]) -> RDMSet:
        vectors = np.concatenate(
            [distances(p.compact().train[None], distance) for p in sets.values()]
        )
        return RDMSet(vectors, pd.DataFrame(list(sets), columns=list(columns)), names, distance)

    targets = rdms(data, ("subject", "roi"))
    from_rdms = (
        wanted
        if reference_from == "pooled_rdms"
        else tuple(w for w in wanted if w != "leave_one_out")
    )
    several = len({s for s, _ in data}) > 1
    parts = []
    if predictors or (from_rdms and several):
        layers = rdms(predictors, ("model", "layer")) if predictors else None
        found = score(
            targets,
            layers,
            method=method,
            references=from_rdms,
            split=split,
            batch=batch,
            backend=engine.name,
            device=engine.device,
            dtype=engine.dtype,
        )
        parts.append(found.frame)
    if reference_from in REFERENCES_FROM and "leave_one_out" in wanted and several:
        rows = _pattern_rows(data, targets, distance, method, reference_from, engine)
        parts.append(rows.assign(metric=method, split=split))
    return parts


def _pattern_rows(
    data: Mapping[tuple[str, str], Patterns],
    targets: RDMSet,
    distance: str,
    method: str,
    reference_from: str,
    engine: Backend,
) -> pd.DataFrame:
    subject_of = targets.labels["subject"].to_numpy()
    rows = []
    for subject, roi, mean in other_people(data, reference_from):
        predictor = distances(mean.compact().train[None], distance)
        own = np.flatnonzero(subject_of == subject)
        values, _ = similarity_counts(predictor, targets.vectors[own], method, backend=engine)
        rows.append(
            pd.DataFrame(
                {
                    "layer": roi,
                    "subject": subject,
                    "roi": targets.labels["roi"].to_numpy()[own],
                    "score": values[0],
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(kind="leave_one_out", model="others", reference_from=reference_from)
