"""Information, effects and their variances where there are too many random effects for all their products.

The observed information is the change of the exact gradient along every entry of the Cholesky factors; the gradient
costs one pass over the levels, so nothing here grows with the square of their number.
"""

from __future__ import annotations

import numpy as np

from apastats.mixed.engine.information import block_products
from apastats.mixed.engine.likelihood import (
    State,
    evaluate,
    level_sums,
    nested_pieces,
    pack,
    solution,
    unpack,
)
from apastats.mixed.engine.products import Products

__all__ = ["LARGE", "effect_products", "information_by_differences", "nested_variances"]

# random effects beyond which the information is taken from differences of the gradient
LARGE = 3000
# effects that are left after elimination from which one step has to do
COSTLY = 1000


def effect_products(state: State, products: Products) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per grouping Z'V^-1X ``[J, k, p]`` and Z'Py ``[J, k]`` (relative to sigma)."""
    out = []
    left, found = state.outer if state.outer is not None else (products, state)
    q2, p = left.q2, left.p
    if products.inner is not None:
        own = nested_pieces(state, products, reml=True)
        G, _ = solution(found, left, reml=False)
        bX = G @ found.B[:-1, q2 : q2 + p]
        J, k1, _ = left.E.shape
        KE = np.matmul(found.K.reshape(J, k1, k1), left.E)
        uX = KE[:, :, q2 : q2 + p] - KE[:, :, :-1] @ bX
        Zx = own.RE[:, :, q2 : q2 + p] - own.RE[:, :, :-1] @ bX - np.matmul(own.RN, uX[own.parent])
        out.append((Zx, own.z))
    parts = block_products(found, left)
    for f, start in zip(left.factors, parts.starts, strict=True):
        rows = slice(start, start + f.n_levels * f.size)
        shape = (f.n_levels, f.size)
        out.append((parts.Zx[rows].reshape(*shape, p), parts.zy[rows].reshape(shape)))
    return out


def information_by_differences(
    state: State, products: Products, *, reml: bool, phi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Observed information and slopes of the coefficient covariance in the Cholesky entries and the residual variance.

    Entries of columns that are 0 throughout are left out, as the deviance is even in them.

    Parameters
    ----------
    state : State
    products : Products
    reml : bool
    phi : numpy.ndarray
        ``[p, p]`` relative covariance of the coefficients.
    """
    df = products.n - products.p if reml else products.n
    s2 = state.rss / df
    theta = pack(state.T, products.factors)
    kept = [
        (t, int(a), int(b), np.abs(T[:, b]).max() > 0)
        for t, (f, T) in enumerate(zip(products.factors, state.T, strict=True))
        for a, b in zip(*np.nonzero(f.free), strict=True)
    ]
    at = [i for i, (*_, used) in enumerate(kept) if used]

    def slope(x: np.ndarray) -> np.ndarray:
        """Gradient of the deviance at the fitted residual variance."""
        there = evaluate(products, x)
        if there is None:
            raise np.linalg.LinAlgError("no factorisation near the maximum")
        sums = level_sums(there, products, reml=reml)
        parts = [
            2 * ((S + S.T) / 2 - Q / s2) @ T
            for S, Q, T in zip(sums.S, sums.Q, unpack(x, products.factors), strict=True)
        ]
        return pack(parts, products.factors)

    m = len(at)
    hessian = np.zeros((m + 1, m + 1))
    for i, j in enumerate(at):
        # a second step, where it is cheap, leaves an error of fourth order
        h = (2e-3 if products.q2 < COSTLY else 3e-4) * max(
            abs(theta[j]), 1e-2 * float(np.abs(theta).max())
        )
        e = np.zeros_like(theta)
        e[j] = h
        change = (slope(theta + e) - slope(theta - e)) / (2 * h)
        if products.q2 < COSTLY:
            half = (slope(theta + e / 2) - slope(theta - e / 2)) / h
            change = (4 * half - change) / 3
        hessian[i, :m] = change[at]
    sums = level_sums(state, products, reml=reml)
    by_variance = pack(
        [2 * Q @ T / s2**2 for Q, T in zip(sums.Q, state.T, strict=True)], products.factors
    )[at]
    hessian[m, :m] = hessian[:m, m] = by_variance
    hessian[m, m] = df / s2**2
    slopes = np.zeros((m + 1, *phi.shape))
    zx = [Zx for Zx, _ in effect_products(state, products)]
    for i, (t, a, b) in enumerate(kept[j][:3] for j in at):
        turned = np.einsum("jap,a->jp", zx[t], state.T[t][:, b])
        inner = zx[t][:, a].T @ turned
        slopes[i] = s2 * phi @ (inner + inner.T) @ phi
    slopes[m] = phi
    return (hessian + hessian.T) / 4, slopes


def nested_variances(state: State, products: Products, *, include_fixed: bool) -> np.ndarray:
    """Relative covariance of the predicted effects of the nested grouping ``[I, k, k]``."""
    inner = products.inner
    if inner is None:
        raise ValueError("there is no nested grouping")
    own = nested_pieces(state, products, reml=include_fixed)
    KN, KE = np.matmul(state.K, inner.N), np.matmul(state.K, inner.E[:, :, :-1])
    return np.asarray(state.K + own.spread(KN, KE))
