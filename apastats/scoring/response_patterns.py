"""Scores from response patterns: RSA and linear predictivity of models, other subjects and their mean."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats.errors import DataError, DegenerateWarning, DesignError, InputError
from apastats.io.rdms import RDMSet
from apastats.scoring.comparisons import parse_method, similarity_counts
from apastats.scoring.patterns import FAST, distances
from apastats.scoring.ridge import ALPHAS, ridge_scores
from apastats.scoring.verb import parse_references, score
from apastats.table import ScoreTable

__all__ = ["linear_predictivity", "score_patterns"]


class Patterns(NamedTuple):
    """One data set: train and test patterns (NaN columns are vertices the subject lacks)."""

    train: np.ndarray
    test: np.ndarray | None

    def features(self) -> np.ndarray:
        """Columns with values everywhere."""
        keep = np.isfinite(self.train).all(axis=0)
        return keep if self.test is None else keep & np.isfinite(self.test).all(axis=0)

    def compact(self) -> Patterns:
        """Without the columns the subject lacks."""
        keep = self.features()
        return Patterns(self.train[:, keep], None if self.test is None else self.test[:, keep])


def score_patterns(
    brain: Mapping[tuple[str, str], Any],
    models: Mapping[tuple[str, str], Any] | None = None,
    *,
    distance: str = "correlation",
    method: str = "corr",
    references: Sequence[str] | None = ("subject_to_subject", "leave_one_out"),
    reference_from: str = "mean_patterns",
    stimuli: Sequence[Any] | None = None,
    split: str = "test",
) -> ScoreTable:
    """RSA scores from response patterns, with references made from patterns or from RDMs.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)`` to ``[n_stimulus, n_vertex]``. A column that is NaN is a vertex the
        subject lacks.
    models : mapping, optional
        From ``(model, layer)`` to ``[n_stimulus, n_feature]``.
    distance : {"correlation", "euclidean", "cosine"}
        Distance between patterns.
    method : str
        Comparison of RDMs, as in :func:`apastats.rdm_similarity`.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain rows to compute.
    reference_from : {"mean_patterns", "pooled_rdms"}
        How leave_one_out predictors are made: the RDM of the other subjects' mean patterns (all
        subjects of a ROI need the same vertices), or the pooled RDM of their RDMs. The column of this
        name says it.
    stimuli : sequence, optional
        Names of the rows.
    split : str
        Value of the column ``split``.

    Returns
    -------
    ScoreTable

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form; with mean patterns, subjects whose vertices do not correspond.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> common = rng.standard_normal((8, 30))
    >>> brain = {(s, "V1"): common + rng.standard_normal((8, 30)) for s in ("s1", "s2", "s3")}
    >>> score_patterns(brain).frame["reference_from"].unique().tolist()
    ['-', 'mean_patterns']
    """
    if distance not in FAST:
        raise InputError("distance", distance, f"one of {list(FAST)}")
    if reference_from not in ("mean_patterns", "pooled_rdms"):
        raise InputError("reference_from", reference_from, "'mean_patterns' or 'pooled_rdms'")
    parse_method(method)
    wanted = parse_references(references)
    data = _checked(brain, "brain", pairs=False)
    predictors = {} if models is None else _checked(models, "models", pairs=False)
    _same_rows(data, predictors)
    names = () if stimuli is None else tuple(map(str, stimuli))

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
        found = score(targets, layers, method=method, references=from_rdms, split=split)
        parts.append(found.frame)
    if reference_from == "mean_patterns" and "leave_one_out" in wanted and several:
        parts.append(
            _mean_pattern_rows(data, targets, distance, method).assign(metric=method, split=split)
        )
    if not parts:
        raise DesignError(
            "nothing to score: models is None, and references need at least two subjects"
        )
    return ScoreTable(pd.concat(parts, ignore_index=True), source="scores of patterns")


def _mean_pattern_rows(
    data: Mapping[tuple[str, str], Patterns], targets: RDMSet, distance: str, method: str
) -> pd.DataFrame:
    subject_of = targets.labels["subject"].to_numpy()
    rows = []
    for subject, roi, mean in _others(data):
        predictor = distances(mean.compact().train[None], distance)
        own = np.flatnonzero(subject_of == subject)
        values, _ = similarity_counts(predictor, targets.vectors[own], method)
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
    return frame.assign(kind="leave_one_out", model="others", reference_from="mean_patterns")


def linear_predictivity(
    brain: Mapping[tuple[str, str], Any],
    models: Mapping[tuple[str, str], Any] | None = None,
    *,
    references: Sequence[str] | None = None,
    alphas: Any = ALPHAS,
    n_fold: int = 5,
    seed: int = 1,
) -> ScoreTable:
    """Explained variance of responses by cross-validated ridge regression on model features.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)`` to ``[n_stimulus, n_vertex]`` or to a pair ``(train, test)`` of such. A
        column that is NaN is a vertex the subject lacks.
    models : mapping, optional
        From ``(model, layer)`` to ``[n_stimulus, n_feature]``, or a pair likewise.
    references : sequence of {"subject_to_subject", "leave_one_out"} or None
        Brain predictors: every other subject's responses, or the mean responses of all others (all
        subjects of a ROI need the same vertices).
    alphas : array
        Ridge penalties; one is chosen per fold and target by efficient leave-one-out.
    n_fold, seed : int
        Shuffled folds over the train stimuli, those of scikit-learn's ``KFold``.

    Returns
    -------
    ScoreTable
        Metric ``linear_predictivity``. Train rows: R2 on the held-out folds, weighted by their size;
        test rows: mean over the fold models of R2 on the test stimuli, standardised with train means
        and SDs. R2 is averaged uniformly over vertices and can be negative. Columns
        ``n_feature_predictor`` and ``n_feature_brain`` are the numbers of features used.

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form, different stimuli.

    Warns
    -----
    DegenerateWarning
        Where vertices are constant on the train stimuli; they are left out.

    Notes
    -----
    The standardised ridge of the alignment-pattern study of Hoefling et al. (2026). The Gram matrix of
    a predictor is decomposed once per fold for all its targets; the numbers are those of
    scikit-learn's ``RidgeCV``.

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
    wanted = parse_references(references)
    data = {k: _varying(k, p.compact()) for k, p in _checked(brain, "brain", pairs=True).items()}
    predictors = {} if models is None else _checked(models, "models", pairs=True)
    _same_rows(data, predictors)
    penalties = np.asarray(alphas, dtype="f8")
    if penalties.ndim != 1 or not penalties.size or not (penalties > 0).all():
        raise InputError("alphas", alphas, "positive numbers")
    n_train = len(next(iter(data.values())).train)
    if not isinstance(n_fold, int) or not 2 <= n_fold <= n_train // 2:
        raise InputError(
            "n_fold", n_fold, f"a whole number from 2 to half the {n_train} train stimuli"
        )
    jobs: list[tuple[str, str, str, Patterns, list[tuple[str, str]]]] = [
        ("model", model, layer, p.compact(), list(data)) for (model, layer), p in predictors.items()
    ]
    if "subject_to_subject" in wanted:
        jobs += [
            ("subject_to_subject", s, r, p, [k for k in data if k[0] != s])
            for (s, r), p in data.items()
        ]
    if "leave_one_out" in wanted:
        full = _checked(brain, "brain", pairs=True)
        jobs += [
            ("leave_one_out", "others", r, p.compact(), [k for k in data if k[0] == s])
            for s, r, p in _others(full)
        ]
    rows: list[dict[str, Any]] = []
    for kind, model, layer, p, keys in jobs:
        if keys:
            rows += _ridge_rows(
                kind, model, layer, p, {k: data[k] for k in keys}, penalties, n_fold, seed
            )
    if not rows:
        raise DesignError("nothing to score: no models, and no reference that two subjects allow")
    return ScoreTable(pd.DataFrame(rows), source="linear predictivity")


def _ridge_rows(
    kind: str,
    model: str,
    layer: str,
    predictor: Patterns,
    targets: Mapping[tuple[str, str], Patterns],
    alphas: np.ndarray,
    n_fold: int,
    seed: int,
) -> list[dict[str, Any]]:
    with_test = predictor.test is not None
    found = ridge_scores(
        predictor.train,
        [t.train for t in targets.values()],
        x_test=predictor.test,
        targets_test=[t.test for t in targets.values() if t.test is not None]
        if with_test
        else None,
        alphas=alphas,
        n_fold=n_fold,
        seed=seed,
    )
    rows = []
    for k, ((subject, roi), t) in enumerate(targets.items()):
        common = {
            "kind": kind,
            "model": model,
            "layer": layer,
            "subject": subject,
            "roi": roi,
            "metric": "linear_predictivity",
            "reference_from": "mean_patterns" if kind == "leave_one_out" else "-",
            "n_feature_predictor": predictor.train.shape[1],
            "n_feature_brain": t.train.shape[1],
        }
        rows.append({**common, "split": "train", "score": found.train[k]})
        if with_test:
            rows.append({**common, "split": "test", "score": found.test[k]})
    return rows


def _others(data: Mapping[tuple[str, str], Patterns]) -> Iterator[tuple[str, str, Patterns]]:
    """Mean patterns of all other subjects, for every subject and ROI that has any."""
    for subject in dict.fromkeys(s for s, _ in data):
        for roi in dict.fromkeys(r for _, r in data):
            rest = [p for (s, r), p in data.items() if r == roi and s != subject]
            if not rest:
                continue
            sizes = {p.train.shape[1] for p in rest}
            if len(sizes) > 1:
                raise DataError(
                    f"ROI {roi!r}: subjects have {sorted(sizes)} vertices; a mean pattern needs the same vertices "
                    f"in the same order (NaN where a subject lacks one)"
                )
            test = None if rest[0].test is None else _nan_mean([p.test for p in rest])
            yield subject, roi, Patterns(_nan_mean([p.train for p in rest]), test)


def _nan_mean(stack: Sequence[Any]) -> np.ndarray:
    values = np.stack(stack)
    present = np.isfinite(values)
    count = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _checked(sets: Any, argument: str, *, pairs: bool) -> dict[tuple[str, str], Patterns]:
    """Data sets under text keys; shapes, types and missing values checked."""
    if not isinstance(sets, Mapping) or not sets:
        raise InputError(
            argument, type(sets).__name__, "a mapping from pairs of labels to arrays, not empty"
        )
    out: dict[tuple[str, str], Patterns] = {}
    for key, value in sets.items():
        if not isinstance(key, tuple) or len(key) != 2:
            what = "(subject, roi)" if argument == "brain" else "(model, layer)"
            raise InputError(argument, key, f"keys that are pairs {what}")
        split = list(value) if pairs and isinstance(value, tuple) else [value]
        if len(split) > 2:
            raise InputError(f"{argument}[{key}]", len(split), "an array or a pair (train, test)")
        arrays = [_array(a, f"{argument}[{key}]") for a in split]
        if len({a.shape[1] for a in arrays}) > 1:
            raise DataError(f"{argument}[{key}]: train and test have different numbers of features")
        patterns = Patterns(arrays[0], arrays[1] if len(arrays) == 2 else None)
        partly = [np.isnan(a).any(axis=0) & ~np.isnan(a).all(axis=0) for a in arrays]
        if any(p.any() for p in partly) or not patterns.features().any():
            raise DataError(
                f"{argument}[{key}]: features are NaN for some stimuli only, or all are NaN; a feature is missing "
                f"as a whole column or not at all"
            )
        out[str(key[0]), str(key[1])] = patterns
    if len(out) < len(sets):
        raise InputError(argument, list(sets), "keys that differ as text")
    return out


def _array(value: Any, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise DataError(
            f"{name}: shape {array.shape}, type {array.dtype}; allowed: [n_stimulus, n_feature] numbers"
        )
    array = array.astype("f8")
    if np.isinf(array).any():
        raise DataError(f"{name}: infinite entries")
    return array


def _same_rows(brain: Mapping[Any, Patterns], models: Mapping[Any, Patterns]) -> None:
    first = next(iter(brain.values()))

    def shape(p: Patterns) -> tuple[int, int | None]:
        return len(p.train), None if p.test is None else len(p.test)

    for name, sets in (("brain", brain), ("models", models)):
        for key, p in sets.items():
            if shape(p) != shape(first):
                raise DataError(
                    f"{name}[{key}]: {shape(p)} (train, test) stimuli, the first brain data set has {shape(first)}"
                )


def _varying(key: tuple[str, str], p: Patterns) -> Patterns:
    """Without vertices that are constant on the train stimuli."""
    varies = np.ptp(p.train, axis=0) > 0
    if varies.all():
        return p
    if not varies.any():
        raise DataError(f"brain[{key}]: every vertex is constant on the train stimuli")
    warnings.warn(
        f"brain[{key}]: {int((~varies).sum())} of {len(varies)} vertices are constant and left out",
        DegenerateWarning,
        stacklevel=3,
    )
    return Patterns(p.train[:, varies], None if p.test is None else p.test[:, varies])
