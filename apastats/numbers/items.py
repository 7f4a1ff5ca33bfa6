"""What items add to a crossed table: reliability, redundancy, what leaving one out moves; shifts of missing cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.numbers.crossed import Crossed, components, fit_crossed, residual_covariance

__all__ = [
    "LeftOut",
    "between_models",
    "correlations",
    "effective_number",
    "item_errors",
    "leave_one_out",
    "missing_shift",
    "ranks_of",
    "tipping",
]


def ranks_of(mean: np.ndarray, tie: float = 0.0) -> np.ndarray:
    """Places ``[n]``, 1 the highest; equal means share the best one, the next is left out."""
    ordered = np.sort(mean)[::-1]
    # models above by more than rounding
    return 1 + np.searchsorted(-ordered, -(mean + tie), side="left")


def between_models(fit: Crossed) -> float:
    """Variance of models beyond the errors of their estimates."""
    error = fit.own + (fit.shared**2).sum(axis=1)
    common = ((fit.shared.mean(axis=0)) ** 2).sum()
    return max(float(fit.mean.var(ddof=1) - (error - common).mean()), 0.0)


def item_errors(y: np.ndarray, fit: Crossed) -> np.ndarray:
    """Error variance of each item ``[n_item]``, also where the fit has one for all."""
    return np.diag(residual_covariance(y, fit.item)[0]).copy()


def correlations(y: np.ndarray, fit: Crossed) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of items after model effects ``[n_item, n_item]``, and the models each rests on.

    NaN where fewer than four models have both items, and where a few items leave no value between -1 and 1: with three
    items variances use up all that is known.
    """
    covariance, n = residual_covariance(y, fit.item)
    spread = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = covariance / np.outer(spread, spread)
    known = (n >= 4) & (np.abs(r) < 1) & (len(r) > 3)
    r = np.where(known, r, np.nan)
    np.fill_diagonal(r, 1.0)
    return r, n


def effective_number(r: np.ndarray, n: np.ndarray) -> float:
    """Number of independent items with the same spread of eigenvalues: ``m^2 / sum of r^2``.

    Squared correlations are corrected for chance, ``1 - (1 - r^2) (n - 1) / (n - 2)``; those of items that share fewer
    than four models count as 0. NaN where others are not known.
    """
    m = len(r)
    if (np.isnan(r) & (n >= 4)).any():
        return np.nan
    off = ~np.eye(m, dtype=bool) & np.isfinite(r) & (n > 3)
    square = np.where(off, r, 0.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.where(off, 1 - (1 - square) * (n - 1) / (n - 2), 0.0)
    return float(m**2 / (m + max(square.sum(), 0.0)))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A table without one item: correlation of the item with the models' estimates from the others, the order then."""

    with_rest: float
    tau: float
    largest_move: int
    moved: int
    best: int


def leave_one_out(
    y: np.ndarray, full: Crossed, j: int, *, random: bool, by_item: bool, least: int
) -> LeftOut | None:
    """Estimates without item j; None where they do not exist (a model or the connection is lost)."""
    from scipy.stats import kendalltau

    rest = np.delete(y, j, axis=1)
    kept = np.isfinite(rest).any(axis=1)
    if kept.sum() < 3 or rest.shape[1] < 2:
        return None
    part = rest[kept]
    used = np.isfinite(part).any(axis=0)
    part = part[:, used]
    if not random and components(np.isfinite(part)).max() > 0:
        return None
    if np.isfinite(part).sum() <= part.shape[0] + part.shape[1]:
        return None
    fit = fit_crossed(
        part, random=random, by_item=by_item and part.shape[1] > 2, least=least, tolerance=1e-7
    )
    own = np.isfinite(y[kept, j])
    scores, means = y[kept, j][own], fit.mean[own]
    varied = len(scores) > 2 and scores.std() > 0 and means.std() > 0
    with_rest = float(np.corrcoef(scores, means)[0, 1]) if varied else np.nan
    before, after = ranks_of(full.mean[kept]), ranks_of(fit.mean)
    moves = after - before
    moved = int(np.abs(moves).argmax())
    names = np.flatnonzero(kept)
    return LeftOut(
        with_rest,
        float(kendalltau(full.mean[kept], fit.mean).statistic),
        int(moves[moved]),
        int(names[moved]),
        int(names[int(fit.mean.argmax())]),
    )


def missing_shift(seen: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """What a shift of missing cells by one SD of their item adds to a mean over all items ``[n_model]``."""
    return np.asarray((~seen * spread).sum(axis=1) / seen.shape[1])


def tipping(mean: np.ndarray, shift: np.ndarray, tie: float = 0.0) -> tuple[float, int]:
    """Shift nearest to 0 at which another model is level with the best, and that model; infinite where none.

    0 where one is within ``tie`` (rounding) of the best already.
    """
    best = int(mean.argmax())
    with np.errstate(divide="ignore", invalid="ignore"):
        at = -(mean[best] - mean) / (shift[best] - shift)
    at[best] = np.inf
    at[~np.isfinite(at)] = np.inf
    level = mean[best] - mean <= tie
    level[best] = False
    at[level] = 0.0
    k = int(np.abs(at).argmin())
    return float(at[k]), k
