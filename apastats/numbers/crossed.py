"""Models by items with holes: restricted maximum likelihood of ``score = model + item + error``.

Models are fixed, items fixed or random, the error variance is common to all items or each item's own. Everything is
absorbed into the items (an ``[n_item, n_item]`` system), so that 5,000 models by 100 items take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.numbers.fixed_point import accelerated

__all__ = [
    "Crossed",
    "additive_rest",
    "components",
    "fit_crossed",
    "from_repeats",
    "residual_covariance",
]

FEW = 3  # an item with fewer models has no variance of its own
ENOUGH = 50  # models from which on the variance of an item is known well enough to weigh it by
SMALLEST = (
    0.01  # variance of an item, as a share of the mean one, below which REML is at its boundary
)


@dataclass(frozen=True, slots=True)
class Crossed:
    """Estimates of a crossed table, and their covariance ``diag(own) + shared @ shared.T``.

    Attributes
    ----------
    mean : numpy.ndarray, shape (n_model,)
        Expected score at the average item.
    item : numpy.ndarray, shape (n_item,)
        Effects of items: sum 0 where fixed, predictions where random.
    variance : numpy.ndarray, shape (n_item,)
        Error variance of a score of each item.
    between : float
        Variance of random items; infinite where fixed.
    own, shared : numpy.ndarray, shapes (n_model,), (n_model, n_item)
        Covariance of ``mean``.
    df : numpy.ndarray, shape (n_model,)
        Degrees of freedom of the error of each mean (Satterthwaite).
    parts, part_df : numpy.ndarray, shapes (n_model, n_part), (n_part,)
        Shares of the error variances in ``own``, and their degrees of freedom.
    inflation : numpy.ndarray, shape (n_model,)
        What weights that are estimated add to ``own``, as a factor (Meier 1953): ``1 + 4 sum of s (1 - s) / df`` over
        the shares of items.
    held : numpy.ndarray, shape (n_item,)
        Items whose variance was at its boundary and is held at ``SMALLEST`` of the mean.
    converged : bool
    """

    mean: np.ndarray
    item: np.ndarray
    variance: np.ndarray
    between: float
    own: np.ndarray
    shared: np.ndarray
    df: np.ndarray
    parts: np.ndarray
    part_df: np.ndarray
    inflation: np.ndarray
    held: np.ndarray
    converged: bool


def components(seen: np.ndarray) -> np.ndarray:
    """Number of the connected part each model belongs to ``[n_model]``; models of two parts share no chain of items."""
    from scipy.sparse import bmat, csr_matrix
    from scipy.sparse.csgraph import connected_components

    edges = csr_matrix(seen.astype(np.int8))
    graph = bmat([[None, edges], [edges.T, None]], format="csr")
    return np.asarray(connected_components(graph, directed=False)[1][: len(seen)])


@dataclass(frozen=True, slots=True)
class _Solved:
    """One solution of the normal equations at given variances."""

    mean: np.ndarray  # [n_model]
    item: np.ndarray  # [n_item]
    total: np.ndarray  # [n_model], sum of weights
    weight: np.ndarray  # [n_model, n_item]
    share: np.ndarray  # weights of a model as shares
    inverse: np.ndarray  # [n_item, n_item], covariance of the item effects
    through: np.ndarray  # share @ inverse
    fitted_variance: np.ndarray  # of model + item, [n_model, n_item]


def _solve(y: np.ndarray, seen: np.ndarray, variance: np.ndarray, between: float) -> _Solved:
    """Generalised least squares; ``y`` is 0 where there is no score."""
    weight = seen / variance
    total = weight.sum(axis=1)
    share = weight / total[:, None]
    n_item = y.shape[1]
    system = np.diag(weight.sum(axis=0)) - weight.T @ share
    fixed = np.isinf(between)
    if fixed:
        # items sum to 0: the level that the equations leave open
        scale = np.trace(system) / n_item or 1.0
        inverse = np.linalg.inv(system + scale / n_item) - 1 / (scale * n_item)
    else:
        inverse = np.linalg.inv(system + np.eye(n_item) / between)
    level = (share * y).sum(axis=1)
    right = (weight * (y - level[:, None])).sum(axis=0)
    item = inverse @ right
    mean = level - share @ item
    through = share @ inverse
    own = 1 / total + (through * share).sum(axis=1)
    fitted = own[:, None] - 2 * through + np.diag(inverse)[None, :]
    return _Solved(mean, item, total, weight, share, inverse, through, fitted)


def additive_rest(y: np.ndarray) -> float:
    """Largest residual of ``model + item`` by least squares in ``[n_model, n_item]``, NaN where there is no score."""
    seen = np.isfinite(y).astype(float)
    z = np.where(seen > 0, y - np.nanmean(y), 0.0)
    share = seen / seen.sum(axis=1, keepdims=True)
    system = np.diag(seen.sum(axis=0)) - seen.T @ share
    right = z.sum(axis=0) - share.T @ z.sum(axis=1)
    item = np.linalg.lstsq(system, right, rcond=1e-10)[0]
    rest = seen * (z - item)
    return float(np.abs(rest - seen * (rest.sum(axis=1) / seen.sum(axis=1))[:, None]).max())


def fit_crossed(
    y: np.ndarray,
    *,
    random: bool = True,
    by_item: bool = True,
    least: int = FEW,
    tolerance: float = 1e-11,
) -> Crossed:
    """Restricted maximum likelihood.

    Parameters
    ----------
    y : numpy.ndarray, shape (n_model, n_item)
        Scores, NaN where there is none; every model and item has one.
    random : bool
        Whether items are a sample of items; fixed effects otherwise (a connected table is needed).
    by_item : bool
        Whether every item has an error variance of its own.
    least : int
        Models an item needs for that; the others share one variance, or take the mean of the others where their scores
        are too few for one.
    tolerance : float
        Relative change of the variances at which iteration ends.

    Returns
    -------
    Crossed

    Notes
    -----
    At the maximum ``variance_j = sum of r_ij^2 / (n_j - sum of h_ij)`` with residuals r and leverages h of the mixed
    model equations, and ``between = sum of b_j^2 / (n_item - trace / between)`` (Harville 1977); the equations are
    iterated with extrapolation.
    """
    seen = np.isfinite(y)
    centre = float(y[seen].mean())
    filled = np.where(seen, y - centre, 0.0)
    scale = float(np.sqrt((filled[seen] ** 2).mean())) or 1.0
    filled = filled / scale
    count = seen.sum(axis=0).astype(float)
    regular = count >= max(least, FEW)
    if not regular.any():
        by_item = False
    together = count[~regular].sum() >= 4 * max(1, int((~regular).sum()))
    n_item = y.shape[1]
    tiny = 1e-12

    def unpack(logs: np.ndarray) -> tuple[np.ndarray, float]:
        values = np.exp(logs)
        variance = values[:-1] if by_item else np.full(n_item, values[0])
        return variance, (float(values[-1]) if random else np.inf)

    def held_at(variance: np.ndarray) -> np.ndarray:
        return variance < SMALLEST * variance.mean()

    def step(logs: np.ndarray) -> np.ndarray:
        variance, between = unpack(logs)
        s = _solve(filled, seen, variance, between)
        r = np.where(seen, filled - s.mean[:, None] - s.item, 0.0)
        squares = (r**2).sum(axis=0)
        free = count - (s.weight * s.fitted_variance).sum(axis=0)
        if by_item:
            new = np.maximum(squares / np.maximum(free, 1e-9), tiny)
            common = new[regular].mean()
            if together and not regular.all():
                common = squares[~regular].sum() / max(float(free[~regular].sum()), 1e-9)
            new = np.where(regular, new, max(float(common), tiny))
            new = np.maximum(new, SMALLEST * new.mean())
        else:
            new = np.maximum(squares.sum() / max(float(free.sum()), 1e-9), tiny)[None]
        b = 1.0
        if random:
            known = n_item - np.trace(s.inverse) / between
            b = max(float((s.item**2).sum()) / max(known, 1e-9), tiny)
            b = max(b, 1e-8 * float(new.mean()))
        return np.log(np.append(new, b))

    start_item = np.array([filled[seen[:, j], j].mean() for j in range(n_item)])
    rest = np.where(seen, filled - start_item, 0.0)
    level = rest.sum(axis=1) / seen.sum(axis=1)
    first = float((np.where(seen, rest - level[:, None], 0) ** 2).sum() / seen.sum())
    spread = float(start_item.var()) or 1.0
    size = n_item if by_item else 1
    begin = np.log(np.append(np.full(size, max(first, tiny)), max(spread, tiny)))
    logs, converged = accelerated(step, begin, tolerance=tolerance)
    variance, between = unpack(logs)
    s = _solve(filled, seen, variance, between)
    free = np.maximum(count - (s.weight * s.fitted_variance).sum(axis=0), 1e-9)
    values, vectors = np.linalg.eigh(s.inverse)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    if by_item:
        rest = free[~regular].sum() if together else free[regular].min()
        known = np.where(regular, free, rest)
        parts, part_df = s.share, np.maximum(known, 1.0)
        inflation = 1 + 4 * (s.share * (1 - s.share) / part_df).sum(axis=1)
    else:
        parts, part_df = np.ones((len(y), 1)), np.array([max(float(free.sum()), 1.0)])
        inflation = np.ones(len(y))
    held = held_at(variance * (1 - 1e-6)) if by_item else np.zeros(n_item, dtype=bool)
    return Crossed(
        mean=s.mean * scale + centre,
        item=s.item * scale,
        variance=variance * scale**2,
        between=between * scale**2,
        own=scale**2 / s.total,
        shared=(s.share @ root) * scale,
        df=1 / (parts**2 / part_df).sum(axis=1),
        parts=parts,
        part_df=part_df,
        inflation=inflation,
        held=held,
        converged=converged,
    )


def residual_covariance(y: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the errors of every two items ``[n_item, n_item]``, and the number of models that have both.

    Parameters
    ----------
    y : numpy.ndarray, shape (n_model, n_item)
        NaN where there is no score.
    item : numpy.ndarray, shape (n_item,)
        Item effects.

    Notes
    -----
    Residuals are those of each model's plain mean, whatever weights a fit used: weights follow what items share.
    Subtracting the mean mixes the errors of items; variances solve ``E(sum of r_j^2)``, linear in them (Grubbs 1948 for
    complete tables), and what independent errors of these variances would give is taken out of the products.
    """
    mask = np.isfinite(y).astype(float)
    m = mask.sum(axis=1)
    z = np.where(mask > 0, y - item, 0.0)
    r = mask * (z - (z.sum(axis=1) / m)[:, None])
    n = mask.T @ mask
    count = np.diag(n)
    products = r.T @ r * np.sqrt(np.outer(count, count) / np.outer(*2 * [np.maximum(count - 1, 1)]))
    once, twice = (mask / m[:, None]).T @ mask, (mask / m[:, None] ** 2).T @ mask
    system = np.diag(count - 2 * np.diag(once)) + twice
    variance = np.linalg.lstsq(system, np.diag(products), rcond=1e-10)[0]
    variance = np.maximum(variance, SMALLEST * max(variance.mean(), 0.0))
    spread = (mask @ variance) / m**2
    expected = (mask * spread[:, None]).T @ mask - once * (variance[:, None] + variance[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        out = (products - expected) / n
    np.fill_diagonal(out, variance)
    return out, n


def from_repeats(y: np.ndarray, fit: Crossed) -> tuple[np.ndarray, np.ndarray, float]:
    """Means over these very items, their errors those of repeated runs.

    Parameters
    ----------
    y : numpy.ndarray, shape (n_model, n_repeat, n_item)
        NaN where there is no score.
    fit : Crossed
        Of the means over repeats; for cells that no run has.

    Returns
    -------
    mean, variance : numpy.ndarray, shape (n_model,)
    df : float
        Of the variance of a run, pooled over models.

    Notes
    -----
    A model's mean is over all items; where it lacks one, ``model + item`` stands for it, with the error of that
    prediction, ``(k^2 / sum of weights + sum of variances of the k items) / n_item^2``.
    """
    seen = np.isfinite(y)
    runs = seen.any(axis=2)
    counts = seen.sum(axis=1)
    cell = np.where(counts > 0, np.nansum(y, axis=1) / np.maximum(counts, 1), np.nan)
    have = counts > 0
    n_item = y.shape[2]
    mean = np.where(have, cell, fit.mean[:, None] + fit.item).mean(axis=1)
    # runs of a model are compared on the items that all of them have
    common = (seen | ~runs[:, :, None]).all(axis=1) & have
    squares, df = 0.0, 0
    for i in np.flatnonzero((runs.sum(axis=1) > 1) & common.any(axis=1)):
        z = y[i][runs[i]][:, common[i]].mean(axis=1)
        squares += float(((z - z.mean()) ** 2).sum())
        df += len(z) - 1
    run = squares / df if df else np.nan
    lacking = (~have).sum(axis=1)
    weight = np.where(have, 1 / fit.variance, 0.0).sum(axis=1)
    predicted = (lacking**2 / weight + ((~have) * fit.variance).sum(axis=1)) / n_item**2
    return mean, run / runs.sum(axis=1) + predicted, float(df)
