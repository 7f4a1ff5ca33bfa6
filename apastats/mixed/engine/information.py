"""Information about the variance components, and how the coefficient covariance depends on them.

The covariance of the outcome is linear in the components: Sigma = sum_a o_a V_a with V_a = Z_t (I x M_a) Z_t'
for (co)variances of random effects and V_0 = W^-1 for the residual. Everything below follows from Z'PZ, Z'Py and
Z'V^-1X; rows for the residual follow from P Sigma P = P, so that no n x n matrix is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.mixed.engine.likelihood import State, scale_rows, triangular_inverse
from apastats.mixed.engine.products import Products

__all__ = ["Component", "Information", "factor_information", "information"]

CHUNK = 512


@dataclass(frozen=True)
class Component:
    """One (co)variance: grouping (by position), and the two effects."""

    factor: int
    first: int
    second: int

    def matrix(self, size: int) -> np.ndarray:
        """Derivative of the level covariance with respect to this component."""
        M = np.zeros((size, size))
        M[self.first, self.second] = M[self.second, self.first] = 1.0
        return M


@dataclass(frozen=True)
class Information:
    """Information on the components, the residual variance last.

    Attributes
    ----------
    components : tuple of Component
        Without the residual variances.
    values : numpy.ndarray
        ``[m]`` component values, residual last.
    observed, expected : numpy.ndarray
        ``[m, m]`` information matrices of the log likelihood; the expected one is the restricted
        tr(P V_a P V_b) / 2.
    slopes : numpy.ndarray
        ``[m, p, p]`` derivative of the coefficient covariance.
    second : numpy.ndarray or None
        ``[m, m, p, p]`` X'S^-1 V_a P V_b S^-1 X (S for Sigma), for the Kenward-Roger correction.
    score : numpy.ndarray
        ``[m]`` derivative of the log likelihood; 0 but for components held on the boundary.
    """

    components: tuple[Component, ...]
    values: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    slopes: np.ndarray
    second: np.ndarray | None
    score: np.ndarray


@dataclass(frozen=True)
class _Blocks:
    """Pieces of Z'PZ in units of sigma: ``A [q, r]`` is Z'V1^-1[Z2, X, y]; see _rows."""

    A: np.ndarray
    own: np.ndarray  # [J, k, k] blocks of Z1'V1^-1 Z1
    GP: np.ndarray
    GV: np.ndarray
    Zx: np.ndarray
    zy: np.ndarray
    starts: list[int]


def block_products(state: State, products: Products) -> _Blocks:
    q2, p = products.q2, products.p
    first = products.first
    rest = state.T[1:] if first is not None else state.T
    inverse = triangular_inverse(state.L)
    upper = np.zeros_like(inverse)
    upper[:q2, :q2] = triangular_inverse(np.asfortranarray(state.L[:q2, :q2]))
    back = [M.T for M in rest]
    GP, GV = (
        scale_rows(back, products.rest, scale_rows(back, products.rest, G).T)
        for G in (inverse, upper)
    )
    J, k, r = products.E.shape
    if first is None:
        own, A = np.zeros((0, 1, 1)), state.B[:q2]
    else:
        K = state.K.reshape(J, k, k)
        # the first grouping is eliminated level by level: its inverse is block diagonal, and what is left of Z1 after
        # it is (I - C1 K) of the level's own rows
        R = np.eye(k) - products.C1 @ K
        own = R @ products.C1
        A = np.concatenate([np.matmul(R, products.E).reshape(J * k, r), state.B[:q2]])
    B = state.B
    Zx = A[:, q2 : q2 + p] - A[:, :-1] @ (GV @ B[:-1, q2 : q2 + p])
    zy = A[:, -1] - A[:, :-1] @ (GP @ B[:-1, -1])
    starts, at = [], 0
    for f in products.factors:
        starts.append(at)
        at += f.n_levels * f.size
    return _Blocks(A, own, GP, GV, Zx, zy, starts)


def _rows(blocks: _Blocks, G: np.ndarray, q1: int, q2: int, rows: slice, k1: int) -> np.ndarray:
    """Rows of Z'V1^-1Z - A G A'; ``q1`` eliminated effects come first."""
    A = blocks.A
    out = -(A[rows, :-1] @ G) @ A[:, :-1].T
    out[:, q1:] += A[rows, :q2]
    if rows.start < q1:
        at = np.arange(rows.start // k1, rows.stop // k1)
        for a in range(k1):
            for b in range(k1):
                out[(at - at[0]) * k1 + a, at * k1 + b] += blocks.own[at, a, b]
    elif q1:
        out[:, :q1] += A[:q1, rows.start - q1 : rows.stop - q1].T
    return out


def free_components(products: Products) -> list[Component]:
    return [
        Component(t, int(a), int(b))
        for t, f in enumerate(products.factors)
        for a, b in zip(*np.nonzero(f.free), strict=True)
    ]


def information(
    state: State, products: Products, *, reml: bool, second: bool = False
) -> Information:
    """Information at a state, in one pass over the rows of Z'PZ (a block of levels at a time).

    Parameters
    ----------
    state : State
    products : Products
    reml : bool
        Which likelihood the observed information belongs to.
    second : bool
        Whether to make the [m, m, p, p] array that Kenward-Roger needs.
    """
    n, p = products.n, products.p
    sigma2 = state.rss / (n - p if reml else n)
    parts = block_products(state, products)
    components = free_components(products)
    matrices = [c.matrix(products.factors[c.factor].size) for c in components]
    levels = [T @ T.T for T in state.T]
    values = np.array([levels[c.factor][c.first, c.second] for c in components]) * sigma2
    m = len(components)
    moved = [
        apply_blocks(parts, products, c.factor, M)
        for c, M in zip(components, matrices, strict=True)
    ]
    sums = _Sums.empty(m, p if second else 0)
    for t in range(len(products.factors)):
        mine = [i for i, c in enumerate(components) if c.factor == t]
        _add_rows(sums, t, mine, parts, products, components, matrices, moved, reml)
    # ML's traces have V^-1 where REML's have P
    traceP, single_p, quadratic, single_q = sums.P, sums.p, sums.quadratic, sums.q
    traceV, single_v = (sums.P, sums.p) if reml else (sums.V, sums.v)
    N = sums.N if second else None
    phi1 = parts.GP[products.q2 :, products.q2 :]
    slopes = np.zeros((m + 1, p, p))
    for i in range(m):
        slopes[i] = phi1 @ (parts.Zx.T @ moved[i][0]) @ phi1
    # the residual has no rows of its own: sum_a o_a V_a = Sigma and P Sigma P = P give its entries from the others'
    phi = sigma2 * phi1
    slopes[m] = (phi - np.tensordot(values, slopes[:m], axes=1)) / sigma2
    s2, s4, s6 = sigma2, sigma2**2, sigma2**3
    traces = _with_residual(traceV / s4, single_v / s2, n - p if reml else n, values, s2)
    expected = _with_residual(traceP / s4, single_p / s2, n - p, values, s2) / 2
    quads = _with_residual(quadratic / s6, single_q / s4, state.rss / s2, values, s2)
    quads = (quads + quads.T) / 2
    if N is not None:
        N /= s6  # Z'PZ and the two Z'V^-1X, each per sigma^2
        N[:m, m] = -np.tensordot(N[:m, :m], values, axes=([1], [0])) / s2
        N[m, :m] = N[:m, m].transpose(0, 2, 1)
        N[m, m] = -np.tensordot(values, N[:m, m], axes=1) / s2
    all_values = np.append(values, sigma2)
    trace_0 = ((n - p if reml else n) - values @ single_v / s2) / s2
    square_0 = (state.rss / s2 - values @ single_q / s4) / s2
    score = np.append(single_q / s4 - single_v / s2, square_0 - trace_0) / 2
    return Information(
        tuple(components), all_values, quads - traces / 2, expected, slopes, N, score
    )  # fmt: skip


@dataclass(frozen=True)
class _Sums:
    """Traces tr(P V_a P V_b) ``[m, m]`` and tr(P V_a) ``[m]``, those with V^-1, quadratic forms of y, forms of X."""

    P: np.ndarray
    p: np.ndarray
    V: np.ndarray
    v: np.ndarray
    quadratic: np.ndarray
    q: np.ndarray
    N: np.ndarray

    @classmethod
    def empty(cls, m: int, p: int) -> _Sums:
        square, line = (m, m), (m,)
        shapes = (square, line, square, line, square, line, (m + 1, m + 1, p, p))
        return cls(*(np.zeros(s) for s in shapes))


def _add_rows(
    sums: _Sums,
    t: int,
    mine: list[int],
    parts: _Blocks,
    products: Products,
    components: list[Component],
    matrices: list[np.ndarray],
    moved: list[tuple[np.ndarray, np.ndarray]],
    reml: bool,
) -> None:
    """Add what the rows of grouping ``t``, whose components are ``mine``, give.

    Rows of Z'PZ are made a block of levels at a time and used for every pair of components before the next block: the
    whole matrix of all random effects would not fit.
    """
    first, f = products.first, products.factors[t]
    q1 = first.n_levels * first.size if first is not None else 0
    k1 = first.size if first is not None else 1
    second = sums.N.size > 0
    for low in range(0, f.n_levels, CHUNK):
        high = min(low + CHUNK, f.n_levels)
        rows = slice(parts.starts[t] + low * f.size, parts.starts[t] + high * f.size)
        at = np.arange(rows.start, rows.stop)
        SP = _rows(parts, parts.GP, q1, products.q2, rows, k1)
        SV = SP if reml else _rows(parts, parts.GV, q1, products.q2, rows, k1)
        for i in mine:
            MZx, Mz = moved[i][0][rows], moved[i][1][rows]
            left_p = _times(matrices[i], SP, f.size)
            left_v = left_p if reml else _times(matrices[i], SV, f.size)
            sums.p[i] += left_p[np.arange(len(at)), at].sum()
            sums.v[i] += left_v[np.arange(len(at)), at].sum()
            sums.q[i] += float(Mz @ parts.zy[rows])
            row = Mz @ SP
            inner = MZx.T @ SP if second else None
            for j, c in enumerate(components):
                g = products.factors[c.factor]
                start = parts.starts[c.factor]
                columns = slice(start, start + g.n_levels * g.size)
                sums.P[i, j] += _double(left_p, SP, matrices[j], columns, g.size)
                if not reml:
                    sums.V[i, j] += _double(left_v, SV, matrices[j], columns, g.size)
                sums.quadratic[i, j] += row[columns] @ moved[j][1][columns]
                if inner is not None:
                    sums.N[i, j] += inner[:, columns] @ moved[j][0][columns]


def factor_information(
    info: Information, state: State, products: Products
) -> tuple[np.ndarray, np.ndarray]:
    """Observed information and slopes in the entries of the relative Cholesky factors and the residual variances.

    The components are o = sigma^2 T T'. On the boundary (a variance of 0, a correlation of 1) the likelihood is not
    stationary in o but is in T: second derivatives of o times the score then count. Entries of columns of T that are
    0 throughout are left out: o is even in them.
    """
    m = len(info.components)
    residuals = len(info.values) - m
    sigma2 = info.values[m]
    entries = [
        (t, int(a), int(b))
        for t, (f, T) in enumerate(zip(products.factors, state.T, strict=True))
        for a, b in zip(*np.nonzero(f.free), strict=True)
        if np.abs(T[:, b]).max() > 0
    ]
    size = len(entries)
    J = np.zeros((m + residuals, size + residuals))
    second = np.zeros((size + residuals, size + residuals))
    J[m:, size:] = np.eye(residuals)
    for c, component in enumerate(info.components):
        t, i, j = component.factor, component.first, component.second
        T = state.T[t]
        J[c, size] = T[i] @ T[j]
        for e, (u, a, b) in enumerate(entries):
            if u != t:
                continue
            slope = (i == a) * T[j, b] + (j == a) * T[i, b]
            J[c, e] = sigma2 * slope
            second[e, size] += info.score[c] * slope
            second[size, e] += info.score[c] * slope
            for g, (v, d, k) in enumerate(entries):
                if v == t and k == b:
                    both = (i == a and j == d) + (j == a and i == d)
                    second[e, g] += info.score[c] * sigma2 * both
    observed = J.T @ info.observed @ J - second
    return (observed + observed.T) / 2, np.tensordot(J, info.slopes, axes=([0], [0]))


def apply_blocks(
    parts: _Blocks, products: Products, factor: int, M: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(I x M) times the rows of Z'V^-1X and Z'Py of one grouping; zero elsewhere."""
    f = products.factors[factor]
    rows = slice(parts.starts[factor], parts.starts[factor] + f.n_levels * f.size)
    Zx, zy = np.zeros_like(parts.Zx), np.zeros_like(parts.zy)
    Zx[rows] = _times(M, parts.Zx[rows], f.size)
    zy[rows] = _times(M, parts.zy[rows][:, None], f.size)[:, 0]
    return Zx, zy


def _times(M: np.ndarray, A: np.ndarray, k: int) -> np.ndarray:
    """(I x M) A."""
    if k == 1:
        return np.asarray(M[0, 0] * A)
    return np.asarray(np.matmul(M, A.reshape(-1, k, A.shape[1])).reshape(A.shape))


def _double(left: np.ndarray, S: np.ndarray, M: np.ndarray, columns: slice, k: int) -> float:
    """Sum over the rows of tr((I x M_a) S (I x M) S'), restricted to ``columns``."""
    A, B = left[:, columns], S[:, columns]
    if k == 1:
        return float(M[0, 0] * np.einsum("ij,ij->", A, B))
    B = np.matmul(B.reshape(len(B), -1, k), M).reshape(len(B), -1)
    return float(np.einsum("ij,ij->", A, B))


def _with_residual(
    double: np.ndarray, single: np.ndarray, total: float, values: np.ndarray, sigma2: float
) -> np.ndarray:
    """Extend a form f(V_a, V_b) by the residual, from f(V_a, Sigma) = single and f(Sigma) = total."""
    m = len(values)
    out = np.zeros((m + 1, m + 1))
    out[:m, :m] = double
    out[:m, m] = out[m, :m] = (single - double @ values) / sigma2
    alone = (total - values @ single) / sigma2
    out[m, m] = (alone - values @ out[:m, m]) / sigma2
    return out
