"""Cross-products of a design: made once, after which no step of a fit touches the rows again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apastats.mixed.engine.design import Design, Grouping

__all__ = ["Factor", "Products", "make_products", "with_outcome"]


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

    @property
    def q2(self) -> int:
        """Random effects that are not eliminated."""
        return self.rest[-1].stop if self.rest else 0

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All groupings, the eliminated one first."""
        return (self.first, *self.rest) if self.first is not None else self.rest


def _order(groupings: tuple[Grouping, ...], eliminate: bool) -> tuple[int | None, list[int]]:
    """Which grouping to eliminate (the one with most effects) and the others."""
    sizes = [0 if g.members else g.n_levels * g.size for g in groupings]
    if not eliminate or not sizes or max(sizes) == 0:
        return None, list(range(len(groupings)))
    first = int(np.argmax(sizes))
    return first, [i for i in range(len(groupings)) if i != first]


def make_products(
    design: Design,
    *,
    eliminate: bool = True,
    rows: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> Products:
    """Cross-products of a design, or of some of its rows.

    Parameters
    ----------
    design : Design
    eliminate : bool
        Whether one grouping may be treated apart.
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
    y0 = y - X @ offset
    if rows is not None:
        w = np.where(rows, w, 0.0)
    first, others = _order(design.groupings, eliminate)
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
    C1 = np.empty((J, k, k))
    for a in range(k):
        for b in range(a + 1):
            C1[:, a, b] = C1[:, b, a] = np.bincount(g.codes, w * g.W[:, a] * g.W[:, b], J)
    flat = np.empty((J * k, r))
    if Z2 is not None:
        flat[:, :start] = (Z1.T @ wZ2).toarray()
    flat[:, start:] = Z1.T @ wB
    E = flat.reshape(J, k, r)
    products = Products(
        C1, E, D, Factor(g.name, J, k, 0, g.free), tuple(factors), (first, *others), *common
    )
    return _with_distinct(products)


def _with_distinct(products: Products) -> Products:
    """Add the sums per distinct ``C1`` where they are few: an evaluation then no longer depends on J."""
    if products.C1.shape[1] != 1 or len(products.C1) == 0:
        return products
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
    D, E = products.D.copy(), products.E.copy()
    for factor, i in zip(products.factors, products.order, strict=True):
        column = design.Z[i].T @ wy
        if factor is products.first:
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
    return replace(products, D=D, E=E, offset=offset, distinct=distinct)
