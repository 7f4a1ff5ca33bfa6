"""Profiled (restricted) likelihood and its exact gradient, from cross-products alone.

Notation: y = X b + Z Lambda u + e with u, e independent normal of variance sigma^2, so that
var(y) = sigma^2 V with V = W^-1 + Z Lambda Lambda' Z'. Lambda repeats a small lower-triangular T per level
of each grouping. Profiling b and sigma out leaves a function of the entries of T alone (Bates, Maechler,
Bolker and Walker 2015, J. Stat. Softw. 67(1), section 3). With P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1,

    deviance = log|V| + log|X'V^-1 X| + (n - p) (1 + log(2 pi y'Py / (n - p)))         (REML)
    d deviance / dT = 2 (S - (n - p) / (y'Py) Q) T,

where S sums the level blocks of Z'PZ and Q the outer products of the level parts of Z'Py. For ML, V^-1
takes the place of P in S and n that of n - p.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from apastats.mixed.engine.products import Factor, Products

__all__ = ["State", "deviance", "evaluate", "gradient", "pack", "slopes_in_covariance", "unpack"]

# random effects that are left from which products of two matrices of their size are avoided
SQUARES_FROM = 1000


def unpack(theta: np.ndarray, factors: tuple[Factor, ...]) -> list[np.ndarray]:
    """Lower-triangular T per grouping from the vector of free entries."""
    out, at = [], 0
    for f in factors:
        T = np.zeros((f.size, f.size))
        m = int(f.free.sum())
        T[f.free] = theta[at : at + m]
        at += m
        out.append(T)
    return out


def pack(matrices: list[np.ndarray], factors: tuple[Factor, ...]) -> np.ndarray:
    """Inverse of :func:`unpack`."""
    parts = [M[f.free] for M, f in zip(matrices, factors, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)


@dataclass(frozen=True)
class State:
    """Everything known at one value of the parameters.

    Attributes
    ----------
    T : list of numpy.ndarray
        Relative Cholesky factor per grouping, in the order of ``products.factors``.
    K : numpy.ndarray
        ``[J]`` or ``[J, k, k]``: V1^-1 = W - W Z1 K Z1' W.
    B : numpy.ndarray
        ``[r, r]`` ``[Z2, X, y]' V1^-1 [Z2, X, y]``.
    L : numpy.ndarray
        ``[s, s]`` lower Cholesky factor of H, s = q2 + p, H = U'V1^-1 U + diag(I, 0), U = [Z2 Lambda2, X].
    c : numpy.ndarray
        ``[s]`` L^-1 U'V1^-1 y.
    rss : float
        y'Py.
    log_det_v, log_det_x : float
        log|V| (without the precisions) and log|X'V^-1 X|.
    outer : (Products, State) or None
        Where a nested grouping was eliminated first (K is then its own): what was left, and the state of that.
    """

    T: list[np.ndarray]
    K: np.ndarray
    B: np.ndarray
    L: np.ndarray
    c: np.ndarray
    rss: float
    log_det_v: float
    log_det_x: float
    outer: tuple[Products, State] | None = None


def _spread(T: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Rows of ``A [J * k, m]`` multiplied by T' level by level."""
    if T.shape[0] == 1:
        return np.asarray(T[0, 0] * A)
    k = T.shape[0]
    m = A.shape[1]
    return np.asarray(np.matmul(T.T, A.reshape(-1, k, m)).reshape(-1, m))


def scale_rows(T: list[np.ndarray], rest: tuple[Factor, ...], A: np.ndarray) -> np.ndarray:
    """Lambda2' A for the leading rows of ``A``; the other rows stay."""
    out = A.copy()
    for M, f in zip(T, rest, strict=True):
        out[f.start : f.stop] = _spread(M, A[f.start : f.stop])
    return out


def _eliminated(products: Products, T1: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """K, ``[Z2, X, y]'V1^-1[Z2, X, y]`` and log|V1|."""
    E, C1 = products.E, products.C1
    J, k, r = E.shape
    if k == 1:
        t2 = T1[0, 0] ** 2
        if products.distinct is not None:
            values, counts, sums = products.distinct
            B = products.D - np.tensordot(t2 / (1 + t2 * values), sums, axes=1)
            c = C1[:, 0, 0]
            return t2 / (1 + t2 * c), B, float(counts @ np.log1p(t2 * values))
        c = C1[:, 0, 0]
        K = t2 / (1 + t2 * c)
        return K, products.D - weighted_squares(products, K), float(np.log1p(t2 * c).sum())
    M = np.eye(k) + T1.T @ C1 @ T1
    K = T1 @ np.linalg.solve(M, np.broadcast_to(T1.T, M.shape))
    K = (K + K.transpose(0, 2, 1)) / 2
    KE = np.matmul(K, E).reshape(J * k, r)
    return K, products.D - E.reshape(J * k, r).T @ KE, float(np.linalg.slogdet(M)[1].sum())


def weighted_squares(products: Products, w: np.ndarray) -> np.ndarray:
    """E' diag(w) E ``[r, r]`` of a scalar first grouping; by its filled cells where these are few."""
    flat = products.E[:, 0]
    if products.sparse is None:
        return np.asarray((flat * w[:, None]).T @ flat)
    q2 = products.q2
    Z, dense = products.sparse, flat[:, q2:] * w[:, None]
    out = np.empty((flat.shape[1], flat.shape[1]))
    out[:q2, :q2] = (Z.multiply(w[:, None]).T @ Z).toarray()
    out[:q2, q2:] = Z.T @ dense
    out[q2:, :q2] = out[:q2, q2:].T
    out[q2:, q2:] = flat[:, q2:].T @ dense
    return out


def evaluate(products: Products, theta: np.ndarray) -> State | None:
    """State at ``theta``; None where the factorisation breaks down."""
    if products.inner is not None:
        return _evaluate_nested(products, theta)
    T = unpack(theta, products.factors)
    q2, p = products.q2, products.p
    if products.first is not None:
        K, B, log_det = _eliminated(products, T[0])
        rest = T[1:]
    else:
        K, B, log_det, rest = np.zeros(0), products.D, 0.0, T
    H = scale_rows(rest, products.rest, B)
    H = scale_rows(rest, products.rest, H.T)
    h = H[-1, :-1]
    H = H[:-1, :-1].copy()
    H[np.arange(q2), np.arange(q2)] += 1.0
    L, info = lapack.dpotrf(H, lower=1, clean=1)
    if info != 0:
        return None
    c = lapack.dtrtrs(L, h, lower=1)[0] if q2 + p else h
    logs = 2 * np.log(np.diag(L))
    rss = float(B[-1, -1] - c @ c)
    return State(T, K, B, L, c, rss, log_det + float(logs[:q2].sum()), float(logs[q2:].sum()))


def _evaluate_nested(products: Products, theta: np.ndarray) -> State | None:
    """The nested grouping is eliminated inside its parents; what is left has the usual form."""
    left, K, log_det = without_inner(products, theta)
    entries = int(products.factors[0].free.sum())
    found = evaluate(left, theta[entries:])
    if found is None:
        return None
    T = unpack(theta, products.factors)
    return replace(found, T=T, K=K, log_det_v=found.log_det_v + log_det, outer=(left, found))


def without_inner(products: Products, theta: np.ndarray) -> tuple[Products, np.ndarray, float]:
    """Products of what is left after the nested grouping, its K, and log|V0|."""
    inner = products.inner
    if inner is None:
        raise ValueError("there is no nested grouping")
    T = unpack(theta[: int(inner.factor.free.sum())], (inner.factor,))[0]
    k = inner.factor.size
    M = np.eye(k) + T.T @ inner.C @ T
    K = T @ np.linalg.solve(M, np.broadcast_to(T.T, M.shape))
    K = (K + K.transpose(0, 2, 1)) / 2
    J = products.C1.shape[0]
    KN, KE = np.matmul(K, inner.N), np.matmul(K, inner.E)
    NT = inner.N.transpose(0, 2, 1)
    C1 = products.C1 - by_parent(np.matmul(NT, KN), inner.parent, J)
    E1 = products.E - by_parent(np.matmul(NT, KE), inner.parent, J)
    r = products.D.shape[0]
    D = products.D - inner.E.reshape(-1, r).T @ KE.reshape(-1, r)
    left = replace(products, C1=C1, E=E1, D=D, order=products.order[1:], distinct=None, inner=None)
    return left, K, float(np.linalg.slogdet(M)[1].sum())


def by_parent(values: np.ndarray, parent: np.ndarray, J: int) -> np.ndarray:
    """Sums over the levels of a parent ``[J, ...]``."""
    out = np.empty((J, *values.shape[1:]))
    for at in np.ndindex(*values.shape[1:]):
        out[(slice(None), *at)] = np.bincount(parent, values[(slice(None), *at)], J)
    return out


def deviance(state: State, products: Products, *, reml: bool) -> float:
    """-2 log likelihood with coefficients and sigma profiled out."""
    df = products.n - products.p if reml else products.n
    value = state.log_det_v + (state.log_det_x if reml else 0.0) - products.log_weights
    return float(value + df * (1 + np.log(2 * np.pi * state.rss / df)))


@dataclass(frozen=True)
class Scores:
    """Level sums per grouping: S of Z'PZ (or Z'V^-1 Z), Q of the outer products of Z'Py."""

    S: list[np.ndarray]
    Q: list[np.ndarray]


def triangular_inverse(L: np.ndarray) -> np.ndarray:
    """Inverse of L L'."""
    if L.shape[0] == 0:
        return L
    half = lapack.dpotri(L, lower=1)[0]  # the upper part is 0, as in L
    out = half + half.T
    out[np.diag_indices_from(out)] /= 2
    return np.asarray(out)


def solution(state: State, products: Products, *, reml: bool) -> tuple[np.ndarray, np.ndarray]:
    """H^-1 (of the random part alone for ML) and the solution in the coordinates of [Z2, X]."""
    q2 = products.q2
    rest = state.T[1:] if products.first is not None else state.T
    inverse = triangular_inverse(state.L)
    solved = inverse @ scale_rows(rest, products.rest, state.B[:-1, -1:])[:, 0]
    if not reml:  # V^-1 in place of P: the random part alone
        upper = triangular_inverse(np.asfortranarray(state.L[:q2, :q2]))
        inverse = np.zeros_like(inverse)
        inverse[:q2, :q2] = upper
    transposed = [M.T for M in rest]
    G = scale_rows(transposed, products.rest, inverse)
    G = scale_rows(transposed, products.rest, G.T)
    return G, scale_rows(transposed, products.rest, solved[:, None])[:, 0]


@dataclass(frozen=True)
class Nested:
    """Pieces of the nested grouping: R = I - C K, ``RN``, ``RE``, ``z = Z0'Py [I, k]``, and H^-1 by blocks.

    ``G22 [J, k1, k1]``, ``G2r [J, k1, r - 1]`` belong to the parent levels, ``G [r - 1, r - 1]`` to the rest.
    """

    R: np.ndarray
    RN: np.ndarray
    RE: np.ndarray
    z: np.ndarray
    G22: np.ndarray
    G2r: np.ndarray
    G: np.ndarray
    parent: np.ndarray

    def spread(self, N: np.ndarray, E: np.ndarray) -> np.ndarray:
        """[N, E] H^-1 [N, E]' per level ``[I, k, k]``."""
        n, k, r = E.shape
        ET, NT = E.transpose(0, 2, 1), N.transpose(0, 2, 1)
        mixed = np.matmul(np.matmul(N, self.G2r[self.parent]), ET)
        alone = np.matmul((E.reshape(n * k, r) @ self.G).reshape(n, k, r), ET)
        return np.asarray(
            np.matmul(np.matmul(N, self.G22[self.parent]), NT)
            + mixed
            + mixed.transpose(0, 2, 1)
            + alone
        )


def nested_pieces(state: State, products: Products, *, reml: bool) -> Nested:
    """Pieces of the nested grouping at a state."""
    inner = products.inner
    if inner is None or state.outer is None:
        raise ValueError("there is no nested grouping")
    left, found = state.outer
    G, b = solution(found, left, reml=reml)
    J, k1, r = left.E.shape
    K1 = found.K.reshape(J, k1, k1)
    KE = np.matmul(K1, left.E)
    u = KE[:, :, -1] - KE[:, :, :-1] @ b  # effects of the parents
    G2r = -(KE[:, :, :-1].reshape(J * k1, r - 1) @ G).reshape(J, k1, r - 1)
    G22 = K1 - np.matmul(G2r, KE[:, :, :-1].transpose(0, 2, 1))
    R = np.eye(inner.factor.size) - np.matmul(inner.C, state.K)
    RN, RE = np.matmul(R, inner.N), np.matmul(R, inner.E)
    z = RE[:, :, -1] - RE[:, :, :-1] @ b - np.einsum("iab,ib->ia", RN, u[inner.parent])
    return Nested(R, RN, RE, z, G22, G2r, G, inner.parent)


def level_sums(state: State, products: Products, *, reml: bool) -> Scores:
    """S and Q of every grouping, see the module's notes."""
    if state.outer is not None and products.inner is not None:
        pieces = nested_pieces(state, products, reml=reml)
        others = level_sums(state.outer[1], state.outer[0], reml=reml)
        S0 = (
            np.matmul(pieces.R, products.inner.C) - pieces.spread(pieces.RN, pieces.RE[:, :, :-1])
        ).sum(axis=0)
        return Scores([S0, *others.S], [pieces.z.T @ pieces.z, *others.Q])
    q2 = products.q2
    first = products.first
    rest = state.T[1:] if first is not None else state.T
    G, b = solution(state, products, reml=reml)
    S: list[np.ndarray] = []
    Q: list[np.ndarray] = []
    if first is not None:
        s1, q1 = _first_sums(state, products, G, b)
        S.append(s1)
        Q.append(q1)
    B = state.B
    z = B[:q2, -1] - B[:q2, :-1] @ b
    full = q2 < SQUARES_FROM or any(T.shape[0] > 1 or T[0, 0] == 0 for T in rest)
    BG = B[:q2, :-1] @ G if full else np.zeros((0, 0))
    for f, T in zip(products.rest, rest, strict=True):
        k = f.size
        rows = slice(f.start, f.stop)
        if not full:
            # (B - BGB) Lambda = B G Lambda^-1: the diagonal without a product of two large matrices
            S.append(np.array([[np.einsum("jc,cj->", B[rows, :-1], G[:, rows]) / T[0, 0] ** 2]]))
            part = z[rows].reshape(f.n_levels, 1)
            Q.append(part.T @ part)
            continue
        left = BG[rows].reshape(f.n_levels, k, -1)
        own = B[rows, :-1].reshape(f.n_levels, k, -1)
        cross = np.einsum("jas,jbs->ab", left, own)
        blocks = B[rows, rows].reshape(f.n_levels, k, f.n_levels, k)
        S.append(np.einsum("jajb->ab", blocks) - cross)
        part = z[rows].reshape(f.n_levels, k)
        Q.append(part.T @ part)
    return Scores(S, Q)


def _first_sums(
    state: State, products: Products, G: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """S and Q of the eliminated grouping."""
    E, C1 = products.E, products.C1
    J, k, r = E.shape
    if k == 1:
        c = C1[:, 0, 0]
        R = 1 - c * state.K  # 1 / (1 + t^2 c)
        if products.distinct is not None:
            values, counts, sums = products.distinct
            Ru = 1 - values * (state.T[0][0, 0] ** 2 / (1 + state.T[0][0, 0] ** 2 * values))
            weighted = np.tensordot(Ru * Ru, sums, axes=1)
            first = float(counts @ (Ru * values))
        else:
            weighted = weighted_squares(products, R * R)
            first = float(R @ c)
        v = np.append(-b, 1.0)
        return (
            np.array([[first - float((G * weighted[:-1, :-1]).sum())]]),
            np.array([[float(v @ weighted @ v)]]),
        )
    R = np.eye(k) - C1 @ state.K
    RE = np.matmul(R, E)
    RG = (RE[:, :, :-1].reshape(J * k, r - 1) @ G).reshape(J, k, r - 1)
    S = np.matmul(R, C1).sum(axis=0) - np.einsum("jas,jbs->ab", RG, RE[:, :, :-1])
    z = RE[:, :, -1] - RE[:, :, :-1] @ b
    return S, z.T @ z


def slopes_in_covariance(state: State, products: Products, *, reml: bool) -> list[np.ndarray]:
    """S - df / rss Q per grouping: derivative of :func:`deviance` with respect to T T'.

    At a maximum of the likelihood M T = 0 and, on the boundary too, v'Mv >= 0 for every v: adding s vv' to T T'
    changes the deviance by s v'Mv.
    """
    df = products.n - products.p if reml else products.n
    sums = level_sums(state, products, reml=reml)
    return [(S + S.T) / 2 - df / state.rss * Q for S, Q in zip(sums.S, sums.Q, strict=True)]


def gradient(state: State, products: Products, *, reml: bool) -> np.ndarray:
    """Derivative of :func:`deviance` with respect to the free entries."""
    slopes = slopes_in_covariance(state, products, reml=reml)
    parts = [(2 * M @ T)[f.free] for M, T, f in zip(slopes, state.T, products.factors, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)
