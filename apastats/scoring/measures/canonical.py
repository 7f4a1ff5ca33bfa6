"""Canonical correlations: plain where there are few features, otherwise regularised and cross-validated."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from apastats import arguments
from apastats.errors import DesignError
from apastats.numbers.backends import Backend
from apastats.scoring.folds import RULES as FOLD_RULES
from apastats.scoring.folds import check_fits, held_out
from apastats.scoring.measures.entry import Measure, pairwise

__all__ = ["MEASURES"]

RULES: dict[str, arguments.Rule] = {
    "cross_validated": arguments.flag,
    "penalty": functools.partial(arguments.number, least=0),
    "n_component": functools.partial(arguments.whole, least=1),
    **FOLD_RULES,
}
OPTIONS: dict[str, Any] = {
    "cross_validated": True,
    "penalty": 0.1,
    "n_component": 10,
    "folds": "shuffled",
    "n_fold": 5,
    "groups": None,
    "seed": 1,
}


def _plain(x: np.ndarray, backend: Backend, **options: Any) -> np.ndarray:
    return x - x.mean(axis=0)


def _reduced(x: np.ndarray, backend: Backend, *, variance: float, **options: Any) -> np.ndarray:
    """Scores on the first principal components that hold a share of the variance."""
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    share = np.cumsum(s**2) / max(float((s**2).sum()), np.finfo(float).tiny)
    kept = int(np.searchsorted(share, variance * (1 - 1e-12))) + 1
    return np.asarray(u[:, :kept] * s[:kept])


def _whitener(x: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Whitened patterns ``[n, r]`` and the map ``[p, r]`` to them, by the principal components of centred patterns.

    The covariance is that of the patterns plus ``penalty`` times its mean eigenvalue over the components there are.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = s > s.max(initial=0.0) * max(x.shape) * np.finfo(float).eps
    u, s, vt = u[:, kept], s[kept], vt[kept]
    shrunk = np.sqrt(s**2 + penalty * (s**2).mean()) if len(s) else s
    return u * (s / shrunk), vt.T / shrunk


def _directions(
    x: np.ndarray, y: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Canonical directions ``[p, r], [q, r]`` of centred patterns and their correlations."""
    (of_x, to_x), (of_y, to_y) = _whitener(x, penalty), _whitener(y, penalty)
    # both sides whitened, the directions of largest correlation are the singular vectors of the product of their
    # bases (Bjorck and Golub 1973), mapped back to features; no covariance is inverted
    a, values, bt = np.linalg.svd(of_x.T @ of_y, full_matrices=False)
    return to_x @ a, to_y @ bt.T, np.minimum(values, 1.0)


def canonical(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical correlations ``[r]`` of centred patterns, and the share of the target each explains.

    Raises
    ------
    DesignError
        With as many features as stimuli: all correlations would be 1, whatever the data.
    """
    n = len(x)
    if max(x.shape[1], y.shape[1]) >= n:
        raise DesignError(
            f"plain canonical correlations of {x.shape[1]} and {y.shape[1]} features over {n} stimuli are 1 whatever "
            f"the data; take cross_validated=True, or fewer features"
        )
    _, to_y, values = _directions(x, y, 0.0)
    return values, _shares(y, y @ to_y)


def _shares(y: np.ndarray, variates: np.ndarray) -> np.ndarray:
    """Weights of canonical variates by how much of the units they hold: sums of absolute inner products."""
    return np.asarray(np.abs(variates.T @ y).sum(axis=1))


def _folds(
    n: int,
    *,
    folds: str,
    n_fold: int,
    groups: Any,
    seed: int,
    cross_validated: bool = True,
    **_: Any,
) -> list[np.ndarray]:
    """Rows held out in every fold; none of the plain forms."""
    if not cross_validated:
        return []
    if folds != "leave_one_out" and not 2 <= n_fold <= n // 3:
        raise DesignError(f"n_fold={n_fold} folds of {n} stimuli; a fold needs 3 or more")
    out = held_out(n, folds, n_fold=n_fold, groups=groups, seed=seed)
    if min(map(len, out)) < 3:
        raise DesignError(f"a fold of {min(map(len, out))} stimuli; a fold needs 3 or more")
    check_fits(n, out)
    return out


def _held_out(
    x: np.ndarray,
    y: np.ndarray,
    weighted: bool,
    *,
    penalty: float,
    n_component: int,
    **folds: Any,
) -> float:
    n = len(x)
    found = []
    for out in _folds(n, **folds):
        kept = np.setdiff1d(np.arange(n), out)
        centre = x[kept].mean(axis=0), y[kept].mean(axis=0)
        a, b, _ = _directions(x[kept] - centre[0], y[kept] - centre[1], penalty)
        a, b = a[:, :n_component], b[:, :n_component]
        # directions and means come from the kept stimuli; the means of the held-out ones are taken off again, as a
        # fold is correlated within itself
        new = (x[out] - centre[0]) @ a, (y[out] - centre[1]) @ b
        new = new[0] - new[0].mean(axis=0), new[1] - new[1].mean(axis=0)
        size = np.sqrt((new[0] ** 2).sum(axis=0) * (new[1] ** 2).sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (new[0] * new[1]).sum(axis=0) / np.where(size > 0, size, np.nan)
        train = y[kept] - centre[1]
        weight = _shares(train, train @ b) if weighted else np.ones(len(r))
        found.append(np.average(r, weights=weight) if len(r) else np.nan)
    return float(np.mean(found))


def _score(
    x: np.ndarray,
    y: np.ndarray,
    *,
    weighted: bool,
    cross_validated: bool,
    variance: float | None = None,
    **options: Any,
) -> float:
    if cross_validated:
        return _held_out(x, y, weighted, **options)
    values, shares = canonical(x, y)
    return float(np.average(values, weights=shares if weighted else None))


NEEDS = "15 stimuli for 5 folds; plain forms (cross_validated=False) fewer features than stimuli"
COMMON: dict[str, Any] = {
    "low": -1,
    "identical": "1; with the penalty and held-out stimuli near 1",
    "needs": NEEDS,
    "least": 6,
    "folds": _folds,
}
MEASURES = {
    "cca": Measure(
        "cca",
        "mean correlation of the first n_component (10) canonical variates on held-out stimuli, covariances with a "
        "ridge of penalty (0.1) times their mean eigenvalue; cross_validated=False: mean canonical correlation",
        ("raghu2017", "vinod1976"),
        invariant=("any linear map, in the plain form", "rotation", "scaling", "shift"),
        prepare=_plain,
        compare=pairwise(functools.partial(_score, weighted=False)),
        rules=RULES,
        options=OPTIONS,
        **COMMON,
    ),
    "pwcca": Measure(
        "pwcca",
        "the same, each variate weighted by the sum of its absolute inner products with the units of the target",
        ("morcos2018",),
        invariant=("rotation of the predictor", "scaling", "shift"),
        symmetric=False,
        prepare=_plain,
        compare=pairwise(functools.partial(_score, weighted=True)),
        rules=RULES,
        options=OPTIONS,
        **COMMON,
    ),
    "svcca": Measure(
        "svcca",
        "cca of the first principal components that hold variance (0.99) of each data set",
        ("raghu2017",),
        invariant=("rotation", "scaling", "shift"),
        prepare=_reduced,
        compare=pairwise(functools.partial(_score, weighted=False)),
        rules=RULES | {"variance": functools.partial(arguments.number, above=0, most=1)},
        options=OPTIONS | {"variance": 0.99},
        **COMMON,
    ),
}
