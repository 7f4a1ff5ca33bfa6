"""Measures that fit a linear map from one data set to the other and score it on held-out stimuli."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from apastats import arguments
from apastats.errors import DataError, DesignError
from apastats.numbers.backends import NUMPY, Backend
from apastats.numbers.units import scale_of, varies
from apastats.scoring.folds import RULES, check_fits, held_out
from apastats.scoring.measures.entry import Measure
from apastats.scoring.measures.held_out import Part, part_of, weighted_scores
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.scoring.rdms_from_patterns import distances
from apastats.scoring.response_patterns import Patterns
from apastats.scoring.ridge import (
    ALPHAS,
    held_out_predictions,
    ridge_scores,
    ridge_targets,
    set_fits,
    unit_scores,
)

__all__ = ["MEASURES"]

# of a component of PLS: after some 1,000, steps of the power iteration are below scikit-learn's tolerance however near
# the next component is; at its own 500 a component can be left half way
STEPS = 100_000


def _fit_rows(p: Patterns, backend: Backend, **options: Any) -> Patterns:
    """Units that vary on the train stimuli."""
    kept = varies(p.train, scale_of(p.train, p.train[:0] if p.test is None else p.test))
    if not kept.any():
        raise DataError("every unit of a data set is constant on the train stimuli")
    return Patterns(p.train[:, kept], None if p.test is None else p.test[:, kept])


def _folds(
    targets: Sequence[Patterns], folds: str, n_fold: int, groups: Any, seed: int
) -> list[np.ndarray]:
    out = held_out(len(targets[0].train), folds, n_fold=n_fold, groups=groups, seed=seed)
    check_fits(len(targets[0].train), out)
    return out


def _held_out(
    n: int, *, folds: str, n_fold: int, groups: Any, seed: int, **_: Any
) -> list[np.ndarray]:
    return held_out(n, folds, n_fold=n_fold, groups=groups, seed=seed)


def _forward(
    predictors: Sequence[Patterns],
    targets: Sequence[Patterns],
    out: list[np.ndarray],
    alphas: Any,
    score: str,
) -> np.ndarray:
    """Scores ``[2, n_predictor, n_target]`` on held-out folds and on the test stimuli."""
    with_test = targets[0].test is not None
    found = []
    for p in predictors:
        scores = ridge_scores(
            p.train,
            [t.train for t in targets],
            x_test=p.test,
            targets_test=[t.test for t in targets if t.test is not None] if with_test else None,
            alphas=alphas,
            folds=out,
            score=score,
        )
        found.append((scores.train, scores.test))
    return np.asarray(found).transpose(1, 0, 2)


def _ridge(
    predictors: Sequence[Patterns],
    targets: Sequence[Patterns],
    backend: Backend,
    *,
    score: str,
    ways: Sequence[str],
    alphas: Any,
    **folds: Any,
) -> np.ndarray:
    out = _folds(targets, **folds)
    found = []
    if "forward" in ways:
        found.append(_forward(predictors, targets, out, alphas, score))
    if "reverse" in ways:
        found.append(_forward(targets, predictors, out, alphas, score).transpose(0, 2, 1))
    return np.asarray(np.mean(found, axis=0))


def _conditional(
    sets: Sequence[np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    *,
    score: str,
    ways: Sequence[str],
    alphas: Any,
    folds: str,
    n_fold: int,
    groups: Any,
    seed: int,
) -> Callable[[np.ndarray], np.ndarray]:
    """Scores of targets ``left`` and predictors ``right`` under weights of the stimuli, tested on and fitted to."""
    out = held_out(len(sets[0]), folds, n_fold=n_fold, groups=groups, seed=seed)
    kept = [_fit_rows(Patterns(x, None), NUMPY).train for x in sets]
    parts: list[list[list[Part]]] = []
    for way in ways:
        target, predictor = (left, right) if way == "forward" else (right, left)
        found: list[list[Part]] = [[] for _ in left]
        for p in np.unique(predictor):
            pairs = np.flatnonzero(predictor == p)
            ready = ridge_targets([kept[t] for t in target[pairs]], None, out)
            for k, fit in enumerate(set_fits(kept[p], ready, alphas)):
                for place, (pair, (a, b)) in enumerate(zip(pairs, ready.bounds, strict=True)):
                    here = a + np.flatnonzero(ready.scored[k, a:b])
                    if len(here):
                        y, made = ready.y[out[k]][:, here], fit.predicted[:, here]
                        rest = fit.kept, fit.weights(place), fit.left_out[:, here]
                        found[pair].append(part_of(out[k], y, made, score, *rest))
        parts.append(found)

    def scored(counts: np.ndarray) -> np.ndarray:
        values = [[weighted_scores(p, counts) for p in found] for found in parts]
        return np.asarray(np.mean(values, axis=0)).T

    return scored


def _pls(
    predictors: Sequence[Patterns],
    targets: Sequence[Patterns],
    backend: Backend,
    *,
    n_component: int,
    **folds: Any,
) -> np.ndarray:
    from sklearn.cross_decomposition import PLSRegression

    out = _folds(targets, **folds)
    rows = np.arange(len(targets[0].train))
    found = np.full((2, len(predictors), len(targets)), np.nan)
    for i, p in enumerate(predictors):
        for j, t in enumerate(targets):
            held, tested = [], []
            for part in out:
                kept = np.setdiff1d(rows, part)
                # a feature that stands still where it is fitted says nothing, and scikit-learn takes none that does
                moving = varies(p.train[kept], scale_of(p.train, p.train[:0]))
                if not moving.any() or not varies(t.train[kept]).any():
                    held.append(np.full(t.train.shape[1], np.nan))
                    tested += [held[-1]] if t.test is not None else []
                    continue
                # scikit-learn takes responses of 2e-15 for none, which is what a magnetometer measures (tesla)
                x, y = _of_size_1(p.train[:, moving], p.train), _of_size_1(t.train, t.train)
                rank = int(np.linalg.matrix_rank(x[kept] - x[kept].mean(axis=0)))
                size = min(n_component, rank)
                model = PLSRegression(size, scale=False, max_iter=STEPS)
                with warnings.catch_warnings():  # all is explained before the last component
                    warnings.filterwarnings("ignore", "y residual is constant", UserWarning)
                    model.fit(x[kept], y[kept])
                held.append(_r(t.train[part], model.predict(x[part])))
                if p.test is not None and t.test is not None:
                    tested.append(_r(t.test, model.predict(_of_size_1(p.test[:, moving], p.train))))
            found[0, i, j] = _median_of_means(held)
            found[1, i, j] = _median_of_means(tested) if tested else np.nan
    return found


def _of_size_1(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Values in the unit that is the power of two next to the SD of the train rows: no digit changes."""
    return np.asarray(np.ldexp(x, -int(np.frexp((train - train.mean(axis=0)).std())[1])))


def _r(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    out = np.full(y.shape[1], np.nan)
    here = varies(y)
    out[here] = unit_scores(y[:, here], predicted.reshape(y.shape)[:, here], "r")
    return out


def _median_of_means(folds: Sequence[np.ndarray]) -> float:
    values = np.stack(folds)
    there = np.isfinite(values).all(axis=0)
    return float(np.median(values[:, there].mean(axis=0))) if there.any() else float("nan")


def _versa(
    predictors: Sequence[Patterns],
    targets: Sequence[Patterns],
    backend: Backend,
    *,
    alphas: Any,
    distance: str,
    method: str,
    **folds: Any,
) -> np.ndarray:
    out = _folds(targets, **folds)
    if min(map(len, out)) < 3:
        raise DesignError(
            "versa: a fold holds out fewer than 3 stimuli, which have no RDM to compare"
        )
    found = np.full((2, len(predictors), len(targets)), np.nan)
    for i, p in enumerate(predictors):
        for j, t in enumerate(targets):
            made = held_out_predictions(p.train, t.train, out, alphas)
            values = [
                _alike(m, t.train[part], distance, method)
                for m, part in zip(made, out, strict=True)
            ]
            found[0, i, j] = np.mean(values)
            if p.test is not None and t.test is not None:
                whole = np.arange(len(p.train), len(p.train) + len(p.test))
                x, y = (np.concatenate([v.train, v.test]) for v in (p, t))  # type: ignore[list-item]
                (new,) = held_out_predictions(x, y, [whole], alphas, len(p.train))
                found[1, i, j] = _alike(new, t.test, distance, method)
    return found


def _alike(predicted: np.ndarray, y: np.ndarray, distance: str, method: str) -> float:
    scale = np.ptp(y, axis=0).max(initial=0.0)
    if distance == "correlation" and y.shape[1] == 1:
        return float("nan")  # a correlation over one response is none
    if np.ptp(predicted, axis=0).max(initial=0.0) <= 1e-6 * scale:
        return 0.0  # at the largest penalties nothing is predicted but the mean
    made, measured = (distances(v[None], distance) for v in (predicted, y))
    return float(similarity_counts(made, measured, method)[0][0, 0])


def _alphas(argument: str, value: Any) -> list[float]:
    return arguments.numbers(argument, value, above=0)


OPTIONS: dict[str, Any] = {"folds": "shuffled", "n_fold": 5, "groups": None, "seed": 1}
RIDGE = {"rules": RULES | {"alphas": _alphas}, "options": OPTIONS | {"alphas": ALPHAS.tolist()}}
FIXED = "penalties of regressions"


def _ridges(score: str, ways: Sequence[str]) -> dict[str, Any]:
    """How ridge regressions are compared, and under weights of the stimuli they are tested on."""
    chosen: dict[str, Any] = {"score": score, "ways": ways}
    return RIDGE | {
        "compare": functools.partial(_ridge, **chosen),
        "weighted": functools.partial(_conditional, **chosen),
        "stimuli": "weights",
        "fixed": FIXED,
    }


def _entry(
    name: str,
    definition: str,
    sources: tuple[str, ...],
    **more: Any,
) -> Measure:
    common: dict[str, Any] = {
        "low": -float("inf"),
        "identical": "near 1, penalty and held-out stimuli",
        "independent": "at or below 0",
        "symmetric": False,
        "splits": True,
        "least": 6,
        "folds": _held_out,
        "needs": "folds that neighbours do not straddle; more stimuli than a regression needs",
        "prepare": _fit_rows,
    }
    return Measure(name, definition, sources, **common | more)


MEASURES = {
    "ridge": _entry(
        "ridge",
        "R2 on held-out stimuli of a ridge regression of the target's units on the predictor, mean over units: "
        "linear_predictivity",
        ("naselaris2011",),
        invariant=("scaling of single features", "shift"),
        **_ridges("r2", ("forward",)),
    ),
    "pearson-ridge": _entry(
        "pearson-ridge",
        "the same with Pearson's r in place of R2",
        ("naselaris2011",),
        invariant=("scaling of single features", "shift"),
        **_ridges("r", ("forward",)) | {"low": -1, "independent": "0"},
    ),
    "pls": _entry(
        "pls",
        "Pearson's r on held-out stimuli of a partial least squares regression with n_component (25) components, "
        "mean over folds, median over units",
        ("schrimpf2018",),
        compare=_pls,
        low=-1,
        independent="0",
        invariant=("rotation of the predictor", "shift"),
        rules=RULES | {"n_component": functools.partial(arguments.whole, least=1)},
        options=OPTIONS | {"n_component": 25},
    ),
    "reverse": _entry(
        "reverse",
        "ridge with the roles exchanged: the predictor's features from the target's units, mean over features",
        ("muzellec2025",),
        invariant=("scaling of single features", "shift"),
        **_ridges("r2", ("reverse",)),
    ),
    "symmetric": _entry(
        "symmetric",
        "mean of ridge and reverse",
        ("muzellec2025",),
        invariant=("scaling of single features", "shift"),
        **_ridges("r2", ("forward", "reverse")) | {"symmetric": True},
    ),
    "versa": _entry(
        "versa",
        "RSA of the responses that a ridge regression predicts for held-out stimuli with the measured ones, mean over "
        "folds (2); distance and method as in rsa",
        ("conwell2024",),
        compare=_versa,
        low=-1,
        independent="0",
        invariant=("scaling of features of the predictor",),
        rules=RIDGE["rules"]
        | {
            "distance": functools.partial(
                arguments.choice, allowed=("correlation", "euclidean", "cosine")
            ),
            "method": arguments.text,
        },
        options=RIDGE["options"] | {"n_fold": 2, "distance": "correlation", "method": "corr"},
    ),
}
