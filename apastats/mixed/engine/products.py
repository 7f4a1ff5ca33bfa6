"""Cross-products of a design: made once, after which no step of a fit touches the rows again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from apastats.mixed.engine.design import Design, Grouping

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Factor", "Inner", "Products", "make_products", "with_outcome"]

# multiplications per evaluation from which a nested grouping is eliminated inside its parent
NESTED_FROM = 2e8
# effects left from which empty cells with the eliminated grouping are skipped
SPARSE_FROM = 500


@dataclass(frozen=True)
class Factor:
    """Place of one grouping among the random effects: ``start`` counts inside its stage."""

    name: str
    n_levels: int
    size: int
    start: int
    free: np.ndarray

    @property
    def stop(self) -> int:
        """One past its last effect."""
        return self.start + self.n_levels * self.size


@dataclass(frozen=True)
class Inner:
    """A grouping nested in the eliminated one, eliminated before it: every level belongs to one parent.

    Attributes
    ----------
    factor : Factor
    parent : numpy.ndarray
        ``[I]`` level of the outer grouping.
    C : numpy.ndarray
        ``[I, k, k]`` blocks of Z0'Z0.
    N : numpy.ndarray
        ``[I, k, k1]`` products with the columns of the parent level; those with other levels are 0.
    E : numpy.ndarray
        ``[I, k, r]`` Z0'[Z2, X, y].
    """

    factor: Factor
    parent: np.ndarray
    C: np.ndarray
    N: np.ndarray
    E: np.ndarray


@dataclass(frozen=True)
class Products:
    """Cross-products of ``[Z1 | Z2, X, y]`` weighted by the row precisions.

    The first grouping has a block-diagonal ``Z1'Z1`` and is eliminated level by level; the other random
    effects, the fixed columns and the outcome form the remaining table.

    Attributes
    ----------
    C1 : numpy.ndarray
        ``[J, k, k]`` blocks of ``Z1'Z1``; J is 0 where nothing is eliminated.
    E : numpy.ndarray
        ``[J, k, r]`` ``Z1'[Z2, X, y]`` with r = q2 + p + 1.
    D : numpy.ndarray
        ``[r, r]`` products of ``[Z2, X, y]``.
    first : Factor or None
        The eliminated grouping.
    rest : tuple of Factor
        The others, in the order of Z2.
    order : tuple of int
        Position in the design of ``(first, *rest)``.
    n, p : int
        Rows and fixed columns.
    log_weights : float
        Sum of the log precisions.
    offset : numpy.ndarray
        ``[p]``: coefficients subtracted from the outcome beforehand, so that sums of squares do not cancel.
    distinct : tuple of arrays or None
        For a scalar first grouping with few distinct ``C1``: their values, and the sums of ``E E'`` per value.
    inner : Inner or None
        A grouping nested in the first.
    sparse : scipy.sparse.csr_array or None
        ``[J, q2]`` Z1'Z2 again, where the first grouping is scalar and most of its cells with the others are empty.
    """

    C1: np.ndarray
    E: np.ndarray
    D: np.ndarray
    first: Factor | None
    rest: tuple[Factor, ...]
    order: tuple[int, ...]
    n: int
    p: int
    log_weights: float
    offset: np.ndarray
    distinct: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    inner: Inner | None = None
    sparse: csr_array | None = None

    @property
    def q2(self) -> int:
        """Random effects that are not eliminated."""
        return self.rest[-1].stop if self.rest else 0

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All groupings, eliminated ones first, from the inside out."""
        first = () if self.first is None else (self.first,)
        return (*(() if self.inner is None else (self.inner.factor,)), *first, *self.rest)

    @property
    def n_effects(self) -> int:
        """Random effects in all."""
        return sum(f.n_levels * f.size for f in self.factors)


def _order(groupings: tuple[Grouping, ...], eliminate: bool) -> tuple[int | None, list[int]]:
    """Which grouping to eliminate (the one with most effects) and the others."""
    sizes = [0 if g.members else g.n_levels * g.size for g in groupings]
    if not eliminate or not sizes or max(sizes) == 0:
        return None, list(range(len(groupings)))
    first = int(np.argmax(sizes))
    return first, [i for i in range(len(groupings)) if i != first]


def _parents(design: Design, first: int, others: list[int]) -> tuple[int, np.ndarray] | None:
    """The grouping within which all levels of ``first`` lie, where eliminating it too is worth its while."""
    g = design.groupings[first]
    columns = sum(design.groupings[i].n_levels * design.groupings[i].size for i in others)
    if g.n_levels * g.size * columns**2 < NESTED_FROM:
        return None
    found = None
    place = np.empty(g.n_levels, dtype=np.int64)
    for i in others:
        outer = design.groupings[i]
        if outer.members or outer.n_levels < 100:
            continue
        place[g.codes] = outer.codes
        if (place[g.codes] == outer.codes).all() and (
            found is None or outer.n_levels > design.groupings[found[0]].n_levels
        ):
            found = i, place.copy()
    return found


def _cross(design: Design, w: np.ndarray, i: int, j: int) -> np.ndarray:
    """Sums per level of grouping ``i`` of products of its columns with those of ``j``: ``[J, k_i, k_j]``."""
    a, b = design.groupings[i], design.groupings[j]
    out = np.empty((a.n_levels, a.size, b.size))
    for k in range(a.size):
        for m in range(b.size):
            out[:, k, m] = np.bincount(a.codes, w * a.W[:, k] * b.W[:, m], a.n_levels)
    return out


def make_products(
    design: Design,
    *,
    eliminate: bool = True,
    nested: bool = True,
    rows: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> Products:
    """Cross-products of a design, or of some of its rows.

    Parameters
    ----------
    design : Design
    eliminate : bool
        Whether one grouping may be treated apart.
    nested : bool
        Whether a grouping nested in another may be eliminated before it.
    rows : numpy.ndarray, optional
        Boolean ``[n]``: rows that count.
    offset : numpy.ndarray, optional
        Coefficients to subtract; least squares of all rows where None.
    """
    from scipy.sparse import hstack

    X, y, n = design.fixed.X, design.y, design.n
    w = np.ones(n) if design.weights is None else design.weights
    if offset is None:
        offset = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * y)) if design.p else np.zeros(0)
    # rss is a difference of sums of squares: with a mean far from 0 its digits would cancel. So y is taken about its
    # least-squares fit, which changes no likelihood and is added to the coefficients again
    y0 = y - X @ offset
    if rows is not None:
        w = np.where(rows, w, 0.0)
    # Z1'Z1 of one grouping is block diagonal, as a row has one level of it: inverted level by level. The largest
    # grouping goes this way, because the table that is left, [Z2, X, y], is dense and factorised at every trial value
    first, others = _order(design.groupings, eliminate)
    inside: int | None = None
    if first is not None and nested:
        found = _parents(design, first, others)
        if found is not None:
            inside, (first, parent) = first, found
            others = [i for i in others if i != first]
    weighted = design.weights is not None or rows is not None
    B = np.column_stack([X, y0])
    wB = w[:, None] * B if weighted else B
    parts = [design.Z[i] for i in others]
    factors, start = [], 0
    for i in others:
        g = design.groupings[i]
        factors.append(Factor(g.name, g.n_levels, g.size, start, g.free))
        start += g.n_levels * g.size
    r = start + design.p + 1
    D = np.empty((r, r))
    D[start:, start:] = B.T @ wB
    Z2 = hstack(parts, format="csr") if parts else None
    if Z2 is not None:
        wZ2 = Z2.multiply(w[:, None]).tocsr() if weighted else Z2
        D[:start, :start] = (Z2.T @ wZ2).toarray()
        D[:start, start:] = Z2.T @ wB
        D[start:, :start] = D[:start, start:].T
    log_weights = float(np.log(w[w > 0]).sum()) if design.weights is not None else 0.0
    common = (design.n if rows is None else int(rows.sum()), design.p, log_weights, offset)
    if first is None:
        return Products(
            np.zeros((0, 1, 1)),
            np.zeros((0, 1, r)),
            D,
            None,
            tuple(factors),
            tuple(others),
            *common,
        )
    g = design.groupings[first]
    J, k = g.n_levels, g.size
    Z1 = design.Z[first]
    C1 = _cross(design, w, first, first)

    def with_rest(Z: csr_array) -> np.ndarray:
        """Z'[Z2, X, y]."""
        flat = np.empty((Z.shape[1], r))
        if Z2 is not None:
            flat[:, :start] = (Z.T @ wZ2).toarray()
        flat[:, start:] = Z.T @ wB
        return flat

    E = with_rest(Z1).reshape(J, k, r)
    outer = Factor(g.name, J, k, 0, g.free)
    if inside is None:
        made = Products(C1, E, D, outer, tuple(factors), (first, *others), *common)
        return _with_distinct(replace(made, sparse=_sparse(E, start)))
    h = design.groupings[inside]
    inner = Inner(
        Factor(h.name, h.n_levels, h.size, 0, h.free),
        parent,
        _cross(design, w, inside, inside),
        _cross(design, w, inside, first),
        with_rest(design.Z[inside]).reshape(h.n_levels, h.size, r),
    )
    order = (inside, first, *others)
    return Products(C1, E, D, outer, tuple(factors), order, *common, inner=inner)


def _sparse(E: np.ndarray, q2: int) -> csr_array | None:
    """Z1'Z2 by its filled cells, where they are few of many."""
    from scipy.sparse import csr_array as sparse_array

    if E.shape[1] > 1 or q2 < SPARSE_FROM:
        return None
    Z = E[:, 0, :q2]
    return sparse_array(Z) if np.count_nonzero(Z) < 0.1 * Z.size else None


def _with_distinct(products: Products) -> Products:
    """Add the sums per distinct ``C1`` where they are few: an evaluation then no longer depends on J."""
    if products.C1.shape[1] != 1 or len(products.C1) == 0:
        return products
    # eliminating level j takes E_j'E_j times a function of theta and c_j off the table: levels of equal c_j share one
    # sum of E_j'E_j, whatever theta is
    values, inverse = np.unique(products.C1[:, 0, 0], return_inverse=True)
    r = products.D.shape[0]
    if len(values) > len(products.C1) // 2 or len(values) * r * r > 4_000_000:
        return products
    E = products.E[:, 0]
    sums = np.stack([E[inverse == u].T @ E[inverse == u] for u in range(len(values))])
    return replace(products, distinct=(values, np.bincount(inverse), sums))


def with_outcome(products: Products, design: Design, y: np.ndarray) -> Products:
    """Products of the same design with another outcome: one column is made anew."""
    X = design.fixed.X
    w = design.weights
    q2, p = products.q2, products.p
    wX = X if w is None else w[:, None] * X
    offset = np.linalg.solve(products.D[q2 : q2 + p, q2 : q2 + p], wX.T @ y)
    y0 = y - X @ offset
    wy = y0 if w is None else w * y0
    D, E, inner = products.D.copy(), products.E.copy(), products.inner
    for factor, i in zip(products.factors, products.order, strict=True):
        column = design.Z[i].T @ wy
        if inner is not None and factor is inner.factor:
            own = inner.E.copy()
            own[:, :, -1] = column.reshape(factor.n_levels, factor.size)
            inner = replace(inner, E=own)
        elif factor is products.first:
            E[:, :, -1] = column.reshape(factor.n_levels, factor.size)
        else:
            D[factor.start : factor.stop, -1] = D[-1, factor.start : factor.stop] = column
    D[q2 : q2 + p, -1] = D[-1, q2 : q2 + p] = X.T @ wy
    D[-1, -1] = y0 @ wy
    distinct = products.distinct
    if distinct is not None:
        values, counts, sums = distinct
        sums = sums.copy()
        inverse = np.searchsorted(values, products.C1[:, 0, 0])
        for u in range(len(values)):
            mine = E[inverse == u, 0]
            sums[u, :, -1] = sums[u, -1, :] = mine.T @ mine[:, -1]
        distinct = (values, counts, sums)
    return replace(products, D=D, E=E, offset=offset, distinct=distinct, inner=inner)
