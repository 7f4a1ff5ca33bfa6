"""Complete balanced data: restricted maximum likelihood without iteration.

In a full crossing of factors the covariance of the outcome has a few fixed eigenspaces (strata), one per grouping and
per intersection of groupings, and each stratum variance is a sum of components (Nelder 1965; the analysis-of-variance
estimators are then the REML ones as long as none is negative).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from apastats.errors import DesignError
from apastats.mixed.engine.design import Design

__all__ = ["Strata", "closed_form_components"]

NEED = "engine='closed_form' is for complete balanced data"


@dataclass(frozen=True)
class Strata:
    """Variance components of a balanced design, and where they come from.

    Attributes
    ----------
    components : numpy.ndarray
        One variance per grouping, in the order of the design.
    sigma2 : float
        Residual variance.
    table : pandas.DataFrame
        ``stratum, df, mean_square``.
    """

    components: np.ndarray
    sigma2: float
    table: pd.DataFrame


def _check(design: Design) -> tuple[list[str], list[np.ndarray], list[int]]:
    """Factors of the crossing, their codes and sizes."""
    if design.weights is not None or design.residual_codes is not None:
        raise DesignError(f"{NEED} with equal residual variances")
    if not design.groupings:
        raise DesignError(f"{NEED} with random terms")
    for g in design.groupings:
        if g.members or g.effects != ("(Intercept)",):
            raise DesignError(
                f"{NEED} with random intercepts only; {g.name!r} has {list(g.effects)}"
            )
    names = sorted({c for g in design.groupings for c in g.columns})
    codes, sizes = [], []
    for name in names:
        code, levels = pd.factorize(design.frame[name], sort=True)
        codes.append(code)
        sizes.append(len(levels))
    cell = np.ravel_multi_index(codes, sizes)
    counts = np.bincount(cell, minlength=int(np.prod(sizes)))
    if np.ptp(counts) > 0:
        raise DesignError(
            f"{NEED}: the cells of {' x '.join(names)} hold between {counts.min()} and {counts.max()} rows"
        )
    return names, codes, sizes


def _averages(A: np.ndarray, code: np.ndarray, n_level: int) -> np.ndarray:
    """Rows replaced by the mean of their level."""
    counts = np.bincount(code, minlength=n_level)
    sums = np.stack([np.bincount(code, a, n_level) for a in A.T], axis=1)
    return np.asarray((sums / counts[:, None])[code])


Stratum = frozenset[str] | None  # the factors it belongs to; None for the residual


def _strata(design: Design) -> list[frozenset[str]]:
    """Factors of every stratum, subsets before what contains them."""
    # averaging over two crossed groupings in turn averages over the factors they share, so the strata are closed under
    # intersection; without these the residual would hold variance of a grouping
    subsets = {frozenset(g.columns) for g in design.groupings}
    grown = True
    while grown:
        new = {a & b for a, b in combinations(subsets, 2)} - subsets
        subsets |= new
        grown = bool(new)
    return sorted(subsets | {frozenset()}, key=lambda s: (len(s), sorted(s)))


def _projections(
    data: np.ndarray,
    order: list[frozenset[str]],
    crossing: tuple[list[str], list[np.ndarray], list[int]],
) -> list[tuple[Stratum, np.ndarray, int]]:
    """Columns of ``data`` projected on every stratum and on the residual, with the dimension of each."""
    names, codes, sizes = crossing
    n = len(data)
    found: dict[frozenset[str], tuple[np.ndarray, int]] = {}
    for s in order:
        chosen = [i for i, name in enumerate(names) if name in s]
        code, levels = np.zeros(n, dtype=int), 1
        if chosen:
            code = np.ravel_multi_index([codes[i] for i in chosen], [sizes[i] for i in chosen])
            levels = int(np.prod([sizes[i] for i in chosen]))
        # balance makes the spaces of level means nested and otherwise orthogonal: what is left of the means of s after
        # those of its subsets is the stratum (Moebius inversion; subsets come first in the order)
        part, dim = _averages(data, code, levels), levels
        for other in order:
            if other < s:
                part, dim = part - found[other][0], dim - found[other][1]
        found[s] = part, dim
    residual = data - sum(part for part, _ in found.values())
    strata: list[tuple[Stratum, np.ndarray, int]] = [(s, *found[s]) for s in order]
    return [*strata, (None, residual, n - sum(dim for _, dim in found.values()))]


def _mean_squares(
    design: Design, strata: list[tuple[Stratum, np.ndarray, int]]
) -> list[tuple[Stratum, int, float]]:
    """Mean square of the outcome in every stratum with df left, the fixed part taken out."""
    rows, p_used = [], 0
    scale = np.sqrt((design.fixed.X**2).mean(axis=0))
    for stratum, part, dim in strata:
        # within a stratum the covariance is a multiple of the identity, so least squares there is generalised least
        # squares; a fixed column may have a part in one stratum only, or one estimate would mix two variances
        X, y = part[:, :-1] / scale, part[:, -1]
        U, size, _ = np.linalg.svd(X, full_matrices=False)
        rank = int((size > 1e-8 * np.sqrt(design.n)).sum())
        p_used += rank
        rest = y - U[:, :rank] @ (U[:, :rank].T @ y)
        rows.append((stratum, dim - rank, float(rest @ rest)))
    if p_used != design.p:
        raise DesignError(f"{NEED}: the fixed part is not balanced over the groupings")
    return [(s, df, ss / df) for s, df, ss in rows if df > 0]


def closed_form_components(design: Design) -> Strata:
    """Components of complete balanced data.

    Raises
    ------
    DesignError
        Where the data are not balanced, the fixed part crosses strata, or an estimate would be negative (there the
        likelihood has its maximum on the boundary and no closed form).
    """
    crossing = _check(design)
    data = np.column_stack([design.fixed.X, design.y])
    usable = _mean_squares(design, _projections(data, _strata(design), crossing))
    groups = [frozenset(g.columns) for g in design.groupings]
    if {s for s, _, _ in usable} != {*groups, None}:
        raise DesignError(
            f"{NEED}: there are {len(usable)} strata with df for {len({*groups, None})} variances"
        )
    # stratum variance = sigma^2 + sum of (rows per level) * component over the groupings that contain it: as many
    # equations as variances, and the REML estimates where their solution is positive
    A = np.zeros((len(usable), len(groups) + 1))
    for i, (stratum, _, _) in enumerate(usable):
        A[i, -1] = 1.0
        for j, (grouping, columns) in enumerate(zip(design.groupings, groups, strict=True)):
            if stratum is not None and stratum <= columns:
                A[i, j] = design.n / grouping.n_levels
    solved = np.linalg.solve(A, np.array([ms for _, _, ms in usable]))
    if (solved < 0).any():
        raise DesignError(
            f"{NEED} with positive estimates; here one is negative: use engine='profile'"
        )
    table = pd.DataFrame(
        {
            "stratum": ["residual" if s is None else ":".join(sorted(s)) for s, _, _ in usable],
            "df": [df for _, df, _ in usable],
            "mean_square": [ms for _, _, ms in usable],
        }
    )
    return Strata(solved[:-1], float(solved[-1]), table)
