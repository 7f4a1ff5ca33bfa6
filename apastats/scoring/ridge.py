"""Cross-validated ridge regression of many target sets on one predictor: one eigendecomposition per fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from apastats.numbers.units import scale_of, varies

__all__ = [
    "ALPHAS",
    "FoldFit",
    "RidgeScores",
    "RidgeTargets",
    "held_out_predictions",
    "ridge_scores",
    "ridge_targets",
    "set_fits",
    "shuffled_folds",
    "standardised",
    "unit_scores",
]

ALPHAS = np.logspace(0, 9, 19)
_BLOCK = 2_000_000  # numbers worked on at once


class RidgeScores(NamedTuple):
    """Scores of every target set.

    ``train [n_set]`` on held-out folds, ``test [n_set]`` (NaN without a test split), and per fold
    ``test_folds, alphas [n_set, n_fold]``. ``train_units`` and ``test_units`` say for every set which of
    its vertices were scored in all folds, and on the test stimuli; the others vary too little there for an
    R2 and are left out of the mean of that part. ``train_values, test_values``: the scores of single vertices
    ``[n_vertex]`` per set, NaN where they are never scored. ``alphas`` are medians over vertices where every vertex
    has its own.
    """

    train: np.ndarray
    test: np.ndarray
    test_folds: np.ndarray
    alphas: np.ndarray
    train_units: list[np.ndarray]
    test_units: list[np.ndarray]
    train_values: list[np.ndarray]
    test_values: list[np.ndarray]


class RidgeTargets(NamedTuple):
    """Target sets made ready once for many predictors.

    ``y [n_train, q], y_test [n_test, q]``: all sets side by side, standardised by the train split; ``bounds``: the
    columns of every set; ``scored [n_fold + 1, q]``: which vary in each fold, and on the test stimuli; ``folds``.
    """

    y: np.ndarray
    y_test: np.ndarray | None
    bounds: list[tuple[int, int]]
    scored: np.ndarray
    folds: list[np.ndarray]


def ridge_targets(
    targets: Sequence[np.ndarray],
    targets_test: Sequence[np.ndarray] | None,
    folds: Sequence[np.ndarray],
) -> RidgeTargets:
    """Target sets ``[n_train, n_vertex]`` (and their test parts) as :func:`ridge_scores` needs them."""
    y, y_test, bounds = _standardised(targets, targets_test)
    scored = np.concatenate(_scored(targets, targets_test, folds), axis=1)
    return RidgeTargets(y, y_test, bounds, scored, list(folds))


def shuffled_folds(n: int, n_fold: int, seed: int) -> list[np.ndarray]:
    """Held-out rows of scikit-learn's ``KFold(n_fold, shuffle=True, random_state=seed)``."""
    from sklearn.model_selection import KFold

    folds = KFold(n_fold, shuffle=True, random_state=seed).split(np.empty(n))
    return [held_out for _, held_out in folds]


def unit_scores(y: np.ndarray, predicted: np.ndarray, score: str = "r2") -> np.ndarray:
    """Score ``[q]`` of every column ``[n, q]``: ``r2``, the coefficient of determination, or ``r``, Pearson's.

    Columns of ``y`` vary; a constant prediction has the correlation 0, as it explains nothing.
    """
    centred = y - y.mean(axis=0)
    total = (centred**2).sum(axis=0)
    if score == "r2":
        return np.asarray(1 - ((y - predicted) ** 2).sum(axis=0) / total)
    made = predicted - predicted.mean(axis=0)
    size = np.sqrt((made**2).sum(axis=0) * total)
    moves = np.ptp(predicted, axis=0) > 1e-13 * np.abs(predicted).max(axis=0, initial=0.0)
    return np.where(moves, (centred * made).sum(axis=0) / np.where(moves, size, 1.0), 0.0)


def ridge_scores(
    x: np.ndarray,
    targets: Sequence[np.ndarray] | RidgeTargets,
    *,
    x_test: np.ndarray | None = None,
    targets_test: Sequence[np.ndarray] | None = None,
    alphas: Any = ALPHAS,
    n_fold: int = 5,
    seed: int = 1,
    folds: Sequence[np.ndarray] | None = None,
    score: str = "r2",
    per: str = "set",
) -> RidgeScores:
    """Scores of ridge models of every target set, fitted per fold with one penalty per set.

    Parameters
    ----------
    x : numpy.ndarray
        ``[n_train, n_feature]``.
    targets : sequence of numpy.ndarray, or RidgeTargets
        ``[n_train, n_vertex]`` each; or all of them with their test parts and folds, from :func:`ridge_targets`.
    x_test, targets_test
        The same rows-wise for the test split; both or neither.
    alphas : array
        Penalties; per fold and set the one with the least leave-one-out error is taken.
    n_fold, seed : int
        Shuffled folds.
    folds : sequence of numpy.ndarray, optional
        Rows held out in every fold, in place of shuffled ones.
    score : {"r2", "r"}
        See :func:`unit_scores`.
    per : {"set", "unit"}
        What a penalty is chosen for: every set of targets, or every vertex.

    Returns
    -------
    RidgeScores

    Notes
    -----
    All columns are standardised with the means and SDs of the whole train split. Leave-one-out errors
    follow from the eigenvectors of the Gram matrix (Rifkin & Lippert 2007), with an unpenalised
    intercept, as in scikit-learn's ``RidgeCV``; the decomposition is shared by all target sets.
    """
    mean, scale = _moments(x)
    z = (x - mean) / scale
    z_test = None if x_test is None else (x_test - mean) / scale
    n = len(x)
    if not isinstance(targets, RidgeTargets):
        folds = shuffled_folds(n, n_fold, seed) if folds is None else folds
        targets = ridge_targets(targets, targets_test, folds)
    y, y_test, bounds, scored, folds = targets
    n_fold, n_set = len(folds), len(bounds)
    held = np.full((n_fold, y.shape[1]), np.nan)
    tested = np.full((n_fold, y.shape[1]), np.nan)
    chosen = np.empty((n_set, n_fold))
    weight = np.array([len(f) for f in folds]) / n
    choices = bounds if per == "set" else [(k, k + 1) for k in range(y.shape[1])]
    for k, out in enumerate(folds):
        kept = np.setdiff1d(np.arange(n), out)
        center = z[kept].mean(axis=0)
        rows, level = z[kept] - center, y[kept].mean(axis=0)
        dual, alpha, *_ = _dual(rows, y[kept] - level, np.asarray(alphas, dtype="f8"), choices)
        chosen[:, k] = alpha if per == "set" else [np.median(alpha[a:b]) for a, b in bounds]
        sides = [(z[out], y[out], held, k)]
        if z_test is not None and y_test is not None:
            sides.append((z_test, y_test, tested, n_fold))
        for new, truth, into, part in sides:
            predicted = ((new - center) @ rows.T) @ dual + level
            here = scored[part]
            into[k, here] = unit_scores(truth[:, here], predicted[:, here], score)
    means = np.stack([_mean(held[:, a:b], axis=1) for a, b in bounds])
    of_test = np.stack([_mean(tested[:, a:b], axis=1) for a, b in bounds])
    # folds in which no vertex of a set varies say nothing
    share = np.where(np.isfinite(means), weight, 0.0)
    with np.errstate(invalid="ignore"):
        train = np.nansum(means * weight, axis=1) / share.sum(axis=1)
    there = np.where(np.isfinite(held), weight[:, None], 0.0).sum(axis=0)
    each = np.nansum(held * weight[:, None], axis=0) / np.where(there > 0, there, np.nan)
    each_test = _mean(tested, axis=0)
    return RidgeScores(
        train,
        of_test.mean(axis=1),
        of_test,
        chosen,
        [np.asarray(scored[:n_fold, a:b].all(axis=0)) for a, b in bounds],
        [scored[n_fold, a:b] for a, b in bounds],
        [each[a:b] for a, b in bounds],
        [each_test[a:b] for a, b in bounds],
    )


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.asarray(total / np.where(count > 0, count, np.nan))


def held_out_predictions(
    x: np.ndarray,
    y: np.ndarray,
    folds: Sequence[np.ndarray],
    alphas: Any = ALPHAS,
    n_train: int | None = None,
) -> list[np.ndarray]:
    """Predictions ``[n_held_out, q]`` of ``y`` in every fold, in its units, by ridge models of the rest.

    Fits are of data standardised with the moments of the first ``n_train`` rows (all by default), as those of
    :func:`ridge_scores`.
    """
    (mean, scale), (level_y, scale_y) = (_moments(v[:n_train]) for v in (x, y))
    z, t = (x - mean) / scale, (y - level_y) / scale_y
    found = []
    for out in folds:
        kept = np.setdiff1d(np.arange(len(x)), out)
        center, level = z[kept].mean(axis=0), t[kept].mean(axis=0)
        rows = z[kept] - center
        dual = _dual(rows, t[kept] - level, np.asarray(alphas, "f8"), [(0, t.shape[1])]).dual
        found.append((((z[out] - center) @ rows.T) @ dual + level) * scale_y + level_y)
    return found


class FoldFit(NamedTuple):
    """Regressions of one fold on one predictor.

    ``predicted [n_held_out, q]``; ``kept``: the rows fitted to; ``left_out [n_kept, q]``: their errors when they are
    not fitted to. The prediction without kept row a, penalties kept, is ``predicted - weight[a] x left_out[a]`` with
    the weights ``[n_held_out, n_kept]`` of :meth:`weights`.
    """

    predicted: np.ndarray
    kept: np.ndarray
    left_out: np.ndarray
    toward: np.ndarray
    vectors: np.ndarray
    inverse: np.ndarray

    def weights(self, place: int) -> np.ndarray:
        """What each response fitted to adds to the predictions of target set ``place``, ``[n_held_out, n_kept]``."""
        rotated = (self.toward @ self.vectors) * self.inverse[place]
        return np.asarray(rotated @ self.vectors.T + 1 / len(self.kept))


def set_fits(x: np.ndarray, targets: RidgeTargets, alphas: Any = ALPHAS) -> Iterator[FoldFit]:
    """Fits of all target sets in every fold, as :func:`ridge_scores` scores them.

    Notes
    -----
    A linear smoother S (rows sum to 1) that leaves out row a is the same smoother with ``y_a`` replaced by what the
    others predict for it: predictions change by ``-s_a`` times its leave-one-out error.
    """
    z, _ = standardised(x, None)
    sizes = np.array([b - a for a, b in targets.bounds])
    for out in targets.folds:
        kept = np.setdiff1d(np.arange(len(x)), out)
        center, level = z[kept].mean(axis=0), targets.y[kept].mean(axis=0)
        rows = z[kept] - center
        made = _dual(rows, targets.y[kept] - level, np.asarray(alphas, "f8"), targets.bounds)
        toward = (z[out] - center) @ rows.T
        # leave-one-out errors are the dual coefficients over the diagonal of the map that makes them
        diagonal = made.inverse @ (made.vectors**2).T
        left_out = made.dual / np.repeat(diagonal, sizes, axis=0).T
        yield FoldFit(
            toward @ made.dual + level, kept, left_out, toward, made.vectors, made.inverse
        )


def _scored(
    targets: Sequence[np.ndarray],
    targets_test: Sequence[np.ndarray] | None,
    folds: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Per set ``[n_fold + 1, n_vertex]``: vertices that vary in each fold, and on the test stimuli.

    Judged on the responses as measured: after standardising, a constant is one up to rounding only.
    """
    found = []
    for s, y in enumerate(targets):
        test = y[:0] if targets_test is None else targets_test[s]
        scale = scale_of(y, test)
        found.append(np.stack([varies(y[f], scale) for f in folds] + [varies(test, scale)]))
    return found


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # a constant column has an SD of rounding, and must not be blown up to unit variance
    return x.mean(axis=0), np.where(varies(x), x.std(axis=0), 1.0)


def standardised(
    train: np.ndarray, test: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Columns with the mean 0 and the SD 1 of the train rows; constant ones are centred."""
    mean, scale = _moments(train)
    return (train - mean) / scale, None if test is None else (test - mean) / scale


def _standardised(
    targets: Sequence[np.ndarray], targets_test: Sequence[np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray | None, list[tuple[int, int]]]:
    stops = np.cumsum([t.shape[1] for t in targets])
    bounds = [(int(b) - t.shape[1], int(b)) for t, b in zip(targets, stops, strict=True)]
    y = np.concatenate(targets, axis=1).astype("f8")
    mean, scale = _moments(y)
    if targets_test is None:
        return (y - mean) / scale, None, bounds
    return (y - mean) / scale, (np.concatenate(targets_test, axis=1) - mean) / scale, bounds


class _Dual(NamedTuple):
    """Dual coefficients ``[n, q]``, ``alphas [set]``, eigenvectors and inverse eigenvalues ``[set, n]``."""

    dual: np.ndarray
    alphas: np.ndarray
    vectors: np.ndarray
    inverse: np.ndarray


def _dual(
    x: np.ndarray, y: np.ndarray, alphas: np.ndarray, bounds: Sequence[tuple[int, int]]
) -> _Dual:
    """Dual coefficients of centred data at the best penalty of every set, and those penalties."""
    # adding 1 1' makes the intercept an eigenvector of its own, left unpenalised below
    values, vectors = np.linalg.eigh(x @ x.T + 1.0)
    constant = int(np.argmax(np.abs(vectors.sum(axis=0))))
    rotated = vectors.T @ y
    inverse = 1 / (np.maximum(values, 0) + alphas[:, None])
    inverse[:, constant] = 0
    sizes = np.array([b - a for a, b in bounds])
    best = np.argmin(_left_out_errors(vectors, inverse, rotated, bounds), axis=1)
    of_column = np.repeat(best, sizes)
    dual = vectors @ (inverse[of_column].T * rotated)
    return _Dual(dual, alphas[best], vectors, inverse[best])


def _left_out_errors(
    vectors: np.ndarray,
    inverse: np.ndarray,
    rotated: np.ndarray,
    bounds: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Mean squared leave-one-out errors ``[set, penalty]``.

    The errors of a set Y are ``E = D^-1 V W R`` with ``R = V' Y``, W the inverse eigenvalues and D the diagonal of
    ``V W V'``, so their sum of squares is ``<W V' D^-2 V W, R R'>``: one product per set serves all penalties.
    """
    n, n_alpha = len(vectors), len(inverse)
    diagonal = inverse @ (vectors**2).T
    if all(b - a == 1 for a, b in bounds):
        found = []
        for w, d in zip(inverse, diagonal, strict=True):
            left_out = vectors @ (w[:, None] * rotated) / d[:, None]
            found.append(np.einsum("ij,ij->j", left_out, left_out) / n)
        return np.stack(found, axis=1)
    forms = np.empty((n_alpha, n, n))
    for k, (w, d) in enumerate(zip(inverse, diagonal, strict=True)):
        half = (vectors / d[:, None]) * w
        np.matmul(half.T, half, out=forms[k])
    flat = forms.reshape(n_alpha, -1).T
    out = np.empty((len(bounds), n_alpha))
    step = max(1, _BLOCK // (n * n))
    for first in range(0, len(bounds), step):
        part = bounds[first : first + step]
        grams = np.stack([rotated[:, a:b] @ rotated[:, a:b].T for a, b in part])
        out[first : first + step] = grams.reshape(len(part), -1) @ flat
    return np.asarray(out / (n * np.array([b - a for a, b in bounds])[:, None]))
