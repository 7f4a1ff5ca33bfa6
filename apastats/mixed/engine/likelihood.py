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

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from apastats.mixed.engine.products import Factor, Products

__all__ = ["State", "deviance", "evaluate", "gradient", "pack", "slopes_in_covariance", "unpack"]


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
    """

    T: list[np.ndarray]
    K: np.ndarray
    B: np.ndarray
    L: np.ndarray
    c: np.ndarray
    rss: float
    log_det_v: float
    log_det_x: float


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
        flat = E[:, 0]
        return K, products.D - (flat * K[:, None]).T @ flat, float(np.log1p(t2 * c).sum())
    M = np.eye(k) + T1.T @ C1 @ T1
    K = T1 @ np.linalg.solve(M, np.broadcast_to(T1.T, M.shape))
    K = (K + K.transpose(0, 2, 1)) / 2
    KE = np.matmul(K, E).reshape(J * k, r)
    return K, products.D - E.reshape(J * k, r).T @ KE, float(np.linalg.slogdet(M)[1].sum())


def evaluate(products: Products, theta: np.ndarray) -> State | None:
    """State at ``theta``; None where the factorisation breaks down."""
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
    half = lapack.dpotri(L, lower=1)[0]
    return np.asarray(np.tril(half) + np.tril(half, -1).T)


def level_sums(state: State, products: Products, *, reml: bool) -> Scores:
    """S and Q of every grouping, see the module's notes."""
    q2 = products.q2
    first = products.first
    rest = state.T[1:] if first is not None else state.T
    inverse = triangular_inverse(state.L)
    solved = inverse @ scale_rows(rest, products.rest, state.B[:-1, -1:])[:, 0]
    if not reml:  # V^-1 in place of P: the random part alone
        upper = triangular_inverse(np.asfortranarray(state.L[:q2, :q2]))
        inverse = np.zeros_like(inverse)
        inverse[:q2, :q2] = upper
    # H^-1 and the solution in the coordinates of [Z2, X]
    transposed = [M.T for M in rest]
    G = scale_rows(transposed, products.rest, inverse)
    G = scale_rows(transposed, products.rest, G.T)
    b = scale_rows(transposed, products.rest, solved[:, None])[:, 0]
    S: list[np.ndarray] = []
    Q: list[np.ndarray] = []
    if first is not None:
        s1, q1 = _first_sums(state, products, G, b)
        S.append(s1)
        Q.append(q1)
    B = state.B
    z = B[:q2, -1] - B[:q2, :-1] @ b
    BG = B[:q2, :-1] @ G
    for f in products.rest:
        k = f.size
        rows = slice(f.start, f.stop)
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
            weighted = (E[:, 0] * (R * R)[:, None]).T @ E[:, 0]
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
