"""Residual variances that differ between groups of rows.

Rows of group g have precision w_g exp(-phi_g) relative to the first group. Cross-products are kept per
group, so a trial
value is a weighted sum of small tables; the gradient and the information need the same tables alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apastats.mixed.engine.design import Design
from apastats.mixed.engine.information import (
    Information,
    apply_blocks,
    block_products,
    free_components,
)
from apastats.mixed.engine.likelihood import State, deviance, evaluate, gradient
from apastats.mixed.engine.optimise import Objective
from apastats.mixed.engine.products import Products, make_products

__all__ = ["ResidualGroups", "grouped_information"]


class ResidualGroups(Objective):
    """Deviance in (theta, phi_2, ..., phi_G)."""

    def __init__(self, design: Design, reml: bool) -> None:
        if design.residual_codes is None:
            raise ValueError("the design has no residual groups")
        whole = make_products(design, eliminate=False)
        codes = design.residual_codes
        self.n_groups = len(design.residual_levels)
        self.sizes = np.bincount(codes, minlength=self.n_groups).astype(float)
        self.tables = np.stack(
            [
                make_products(design, eliminate=False, rows=codes == g, offset=whole.offset).D
                for g in range(self.n_groups)
            ]
        )
        super().__init__(whole, reml)
        extra = self.n_groups - 1
        self.n_theta = len(self.scale)
        self.scale = np.append(self.scale, np.ones(extra))
        self.diagonal = np.append(self.diagonal, np.zeros(extra, dtype=bool))
        self.start = np.append(self.start, np.zeros(extra))

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Theta, and the relative precisions of all groups."""
        phi = np.append(0.0, x[self.n_theta :])
        return x[: self.n_theta] / self.scale[: self.n_theta], np.exp(-np.clip(phi, -30, 30))

    def at(self, w: np.ndarray) -> Products:
        """Products at given relative precisions."""
        log_weights = self.products.log_weights + float(self.sizes @ np.log(w))
        return replace(
            self.products, D=np.tensordot(w, self.tables, axes=1), log_weights=log_weights
        )

    def model_at(self, x: np.ndarray) -> tuple[np.ndarray, Products]:
        """Relative Cholesky entries, and products at the precisions of x."""
        theta, w = self.split(x)
        return theta, self.at(w)

    def value(self, x: np.ndarray) -> float:
        """Deviance."""
        self.count += 1
        theta, w = self.split(x)
        products = self.at(w)
        state = evaluate(products, theta)
        if state is None or not state.rss > 0:
            return 1e300
        return deviance(state, products, reml=self.reml) - self.base

    def both(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Deviance and gradient; that in phi_g is n_g - w_g tr(G C_g) - df / rss w_g v'D_g v."""
        self.count += 1
        theta, w = self.split(x)
        products = self.at(w)
        state = evaluate(products, theta)
        if state is None or not state.rss > 0:
            return 1e300, np.zeros_like(x)
        slope = gradient(state, products, reml=self.reml) / self.scale[: self.n_theta]
        parts = block_products(state, products)
        G = parts.GP if self.reml else parts.GV
        v = np.append(-(parts.GP @ products.D[:-1, -1]), 1.0)
        df = products.n - (products.p if self.reml else 0)
        trace = np.einsum("ij,gij->g", G, self.tables[:, :-1, :-1])
        square = np.einsum("i,gij,j->g", v, self.tables, v)
        more = self.sizes - w * trace - df / state.rss * w * square
        value = deviance(state, products, reml=self.reml) - self.base
        return value, np.append(slope, more[1:])


def grouped_information(
    state: State, objective: ResidualGroups, w: np.ndarray, *, second: bool = False
) -> Information:
    """Information on the components and on every residual variance (the last ones).

    Notes
    -----
    With ``V = sum_c s_c J_c + sum_g s_g E_g`` (``J_c = Z (I x M_c) Z'``, ``E_g`` the identity on the rows of group
    g) and ``P = V^-1 - V^-1 X (X'V^-1X)^-1 X'V^-1``, the second derivatives of the restricted likelihood for any two
    parameters a, b with derivatives ``V_a, V_b`` are ``tr(P V_a P V_b) / 2`` (expected) and
    ``y'P V_a P V_b P y - tr(P V_a P V_b) / 2`` (observed); V is linear in them, so nothing else appears (Harville
    1977, JASA 72:320). ML has ``V^-1`` for P in the traces.

    Nothing of length n is formed. All products are of ``[Z, X, y]' W_g [Z, X, y]``, the tables ``D_g`` that are kept
    per group, because the inverse is ``P = W - W C G C' W`` with ``C = [Z, X]`` and ``G`` the inverse of the
    coefficient matrix of the mixed-model equations: ``P c`` is a combination of weighted columns of ``[Z, X, y]``
    whose coefficients are ``K`` here, and ``c' P E_g P d = w_g^2 K_c' D_g K_d``.
    """
    products = objective.at(w)
    reml, n, p, q = objective.reml, products.n, products.p, products.q2
    sigma2 = state.rss / (n - p if reml else n)
    parts = block_products(state, products)
    D, B = objective.tables, products.D
    components = free_components(products)
    matrices = [c.matrix(products.factors[c.factor].size) for c in components]
    levels = [T @ T.T for T in state.T]
    values = np.array([levels[c.factor][c.first, c.second] for c in components]) * sigma2
    KZ = _lift(parts.GP, B, slice(0, q))
    Ky, KX = (
        _lift(parts.GP, B, slice(B.shape[0] - 1, None))[:, 0],
        _lift(parts.GV, B, slice(q, q + p)),
    )
    big = [_wide(M, products, c.factor) for c, M in zip(components, matrices, strict=True)]
    moved = [
        apply_blocks(parts, products, c.factor, M)
        for c, M in zip(components, matrices, strict=True)
    ]
    # first all products with the groups' tables: each is used by every pair of parameters below
    DKy = np.einsum("gij,j->gi", D, Ky)
    DKX = np.einsum("gij,jk->gik", D, KX)
    SP = B[:q] @ KZ  # Z'PZ
    expected = _traces(parts.GP, KZ, SP, big, objective, w)
    if reml:
        chosen, S, trace = parts.GP, SP, expected
    else:
        # ML's traces have V^-1 where REML's have P
        chosen, KV = parts.GV, _lift(parts.GV, B, slice(0, q))
        S = B[:q] @ KV
        trace = _traces(chosen, KV, S, big, objective, w)
    of_y = [v[1][:, None] for v in moved]
    quad = _between(parts.GP, KZ, SP, of_y, Ky[:, None], DKy[:, :, None], w)[..., 0, 0]
    N = None
    if second:
        N = _between(parts.GP, KZ, SP, [v[0] for v in moved], KX, DKX, w) / sigma2**3
    # derivatives of the covariance of the fixed effects, (X'V^-1X)^-1: what Kenward and Roger and Satterthwaite need
    phi1 = parts.GP[q:, q:]
    inner = [parts.Zx.T @ v[0] for v in moved] + [
        f**2 * KX.T @ table for f, table in zip(w, DKX, strict=True)
    ]
    slopes = np.array([phi1 @ M @ phi1 for M in inner])
    observed = quad / sigma2**3 - trace / sigma2**2 / 2
    single = np.array([np.einsum("ij,ji->", B_, S) for B_ in big])
    squares = np.array([v[1] @ parts.zy for v in moved])
    of_groups = w * objective.sizes - w**2 * np.einsum("ij,gij->g", chosen, D[:, :-1, :-1])
    group_squares = w**2 * np.einsum("i,gi->g", Ky, DKy)
    score = np.append(
        squares / sigma2**2 - single / sigma2, group_squares / sigma2**2 - of_groups / sigma2
    ) / 2  # fmt: skip
    return Information(
        tuple(components),
        np.append(values, sigma2 / w),
        (observed + observed.T) / 2,
        expected / sigma2**2 / 2,
        slopes,
        N,
        score,
    )


def _lift(G: np.ndarray, B: np.ndarray, columns: slice) -> np.ndarray:
    """Columns of P[Z, X, y] as combinations ``[r, c]`` of the weighted columns of [Z, X, y]; V^-1 by its own G.

    P c = W c - W C G C'W c: the column itself, less G times its products with C.
    """
    picked = np.eye(B.shape[0])[:, columns]
    return picked - np.vstack([G @ (B[:-1] @ picked), np.zeros((1, picked.shape[1]))])


def _traces(
    G: np.ndarray,
    K: np.ndarray,
    S: np.ndarray,
    big: list[np.ndarray],
    groups: ResidualGroups,
    w: np.ndarray,
) -> np.ndarray:
    """tr(P V_a P V_b) ``[m + g, m + g]``, components first; with the G, K, S of V^-1 those of ML."""
    m, g = len(big), len(w)
    out = np.zeros((m + g, m + g))
    # a component's V_a = Z (I x M_a) Z', so its trace is that of (I x M_a) Z'PZ: nothing longer than Z is wide
    BS = [B @ S for B in big]
    out[:m, :m] = [[np.einsum("ij,ji->", left, right) for right in BS] for left in BS]
    GC = [G @ table[:-1, :-1] for table in groups.tables]
    for h in range(g):
        inner = w[h] ** 2 * K.T @ groups.tables[h] @ K
        out[:m, m + h] = out[m + h, :m] = [np.einsum("ij,ji->", B, inner) for B in big]
        for k in range(g):
            # tr(P E_h P E_k) of two diagonal blocks of P: the rows of different groups meet through G alone, so what
            # the identity adds is there for h = k only
            out[m + h, m + k] = w[h] ** 2 * w[k] ** 2 * np.einsum("ij,ji->", GC[h], GC[k])
        out[m + h, m + h] += w[h] ** 2 * groups.sizes[h] - 2 * w[h] ** 3 * np.trace(GC[h])
    return out


def _between(
    G: np.ndarray,
    KZ: np.ndarray,
    SP: np.ndarray,
    moved: list[np.ndarray],
    K: np.ndarray,
    DK: np.ndarray,
    w: np.ndarray,
) -> np.ndarray:
    """Products c'A V_a P V_b A c ``[m + g, m + g, c, c]``: y'P V_a P V_b P y (A = P), or X'V^-1 V_a P V_b V^-1 X.

    ``moved`` are (I x M_a) Z'A c of the components, ``K`` the lifted columns of c and ``DK`` their products with the
    tables of the groups.
    """
    m, g, c = len(moved), len(w), K.shape[1]
    out = np.zeros((m + g, m + g, c, c))
    for i, left in enumerate(moved):
        for j, right in enumerate(moved):
            out[i, j] = left.T @ SP @ right
        for h in range(g):
            out[i, m + h] = w[h] ** 2 * left.T @ KZ.T @ DK[h]
            out[m + h, i] = out[i, m + h].T
    for h in range(g):
        for k in range(g):
            # P in the middle is W minus its low-rank part, and W meets E_h E_k for h = k only
            out[m + h, m + k] = -(w[h] ** 2) * w[k] ** 2 * DK[h, :-1].T @ G @ DK[k, :-1]
        out[m + h, m + h] += w[h] ** 3 * K.T @ DK[h]
    return out


def _wide(M: np.ndarray, products: Products, factor: int) -> np.ndarray:
    """I x M at the place of one grouping among all random effects."""
    out = np.zeros((products.q2, products.q2))
    f = products.factors[factor]
    out[f.start : f.stop, f.start : f.stop] = np.kron(np.eye(f.n_levels), M)
    return out
