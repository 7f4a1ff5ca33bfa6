"""How well features predict responses, by cross-validated ridge regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import checked, numbers, whole
from apastats.errors import DataError, DegenerateWarning, DesignError, warn
from apastats.numbers.units import scale_of, varies
from apastats.scoring.response_patterns import (
    Patterns,
    check_same_rows,
    checked_patterns,
    other_people,
    rows_by_name,
)
from apastats.scoring.ridge import ALPHAS, ridge_scores
from apastats.scoring.score import parse_references
from apastats.table import ScoreTable


@checked
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
        Shuffled folds over the train stimuli, those of scikit-learn's ``KFold``.

    Returns
    -------
    ScoreTable
        Metric ``linear_predictivity``. Train rows: R2 on the held-out folds, weighted by their size;
        test rows: mean over the fold models of R2 on the test stimuli, standardised with train means
        and SDs. R2 is averaged uniformly over vertices and can be negative. Columns
        ``n_feature_predictor`` and ``n_feature_brain`` are the numbers of features used; of the vertices
        of a subject and ROI ``n_unit`` were scored in every part (all folds, or the test stimuli), and
        ``n_left_out`` were left out of the mean of at least one part.

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form, different stimuli.

    Warns
    -----
    DegenerateWarning
        Where vertices are constant (up to rounding: 1e-13 of the scale of the data) on the train stimuli,
        in a fold or on the test stimuli. They have no R2 there and are left out of the mean of that part.

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
    brain, models, log = rows_by_name(brain, models)
    full = {k: p.compact() for k, p in checked_patterns(brain, "brain", pairs=True).items()}
    data = {k: _varying(k, p) for k, p in full.items()}
    predictors = {} if models is None else checked_patterns(models, "models", pairs=True)
    check_same_rows(data, predictors)
    penalties = np.array(numbers("alphas", alphas, above=0))
    n_train = len(next(iter(data.values())).train)
    allowed = f"a whole number from 2 to half the {n_train} train stimuli"
    whole("n_fold", n_fold, least=2, most=n_train // 2, allowed=allowed)
    whole("seed", seed, least=0, most=2**32 - 1)
    jobs: list[tuple[str, str, str, Patterns, list[tuple[str, str]]]] = [
        ("model", model, layer, p.compact(), list(data)) for (model, layer), p in predictors.items()
    ]
    if "subject_to_subject" in wanted:
        jobs += [
            ("subject_to_subject", s, r, p, [k for k in data if k[0] != s])
            for (s, r), p in data.items()
        ]
    if "leave_one_out" in wanted:
        jobs += [
            ("leave_one_out", "others", r, p.compact(), [k for k in data if k[0] == s])
            for s, r, p in other_people(checked_patterns(brain, "brain", pairs=True))
        ]
    rows: list[dict[str, Any]] = []
    for kind, model, layer, p, keys in jobs:
        if keys:
            rows += _ridge_rows(
                kind, model, layer, p, {k: data[k] for k in keys}, penalties, n_fold, seed
            )
    if not rows:
        raise DesignError("nothing to score: no models, and no reference that two subjects allow")
    frame = pd.DataFrame(rows)
    units = pd.Series({k: p.train.shape[1] for k, p in full.items()})
    keys_of_rows = pd.MultiIndex.from_frame(frame[["subject", "roi"]])
    frame["n_left_out"] = units.reindex(keys_of_rows).to_numpy() - frame["n_unit"].to_numpy()
    return ScoreTable(frame, log=(*log, *_said(frame)), source="linear predictivity")


def _varying(key: tuple[str, str], p: Patterns) -> Patterns:
    """Without vertices that are constant on the train stimuli."""
    kept = varies(p.train, scale_of(p.train, p.train[:0] if p.test is None else p.test))
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
        for split, score, scored in (
            ("train", found.train, found.train_units),
            ("test", found.test, found.test_units),
        ):
            if split == "train" or with_test:
                n_unit = int(scored[k].sum())
                rows.append({**common, "n_unit": n_unit, "split": split, "score": score[k]})
    return rows
