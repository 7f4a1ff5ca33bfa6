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
    # columns of PZ, Py and V^-1X as combinations of the weighted columns of [Z, X, y]
    r = B.shape[0]

    def lift(G: np.ndarray, columns: slice | int) -> np.ndarray:
        picked = np.eye(r)[:, columns]
        picked = picked.reshape(r, -1)
        return np.asarray(
            picked - np.vstack([G @ (B[:-1] @ picked), np.zeros((1, picked.shape[1]))])
        )

    KZ = {"P": lift(parts.GP, slice(0, q)), "V": lift(parts.GV, slice(0, q))}
    Ky, KX = lift(parts.GP, r - 1)[:, 0], lift(parts.GV, slice(q, q + p))
    S = {name: K[:q].copy() for name, K in KZ.items()}
    for name, K in KZ.items():
        S[name] = B[:q] @ K  # Z'PZ and Z'V^-1Z
    m, g = len(components), objective.n_groups
    big = [_wide(M, products, c.factor) for c, M in zip(components, matrices, strict=True)]
    moved = [
        apply_blocks(parts, products, c.factor, M)
        for c, M in zip(components, matrices, strict=True)
    ]
    # first all products with the groups' tables: each is used by every pair of parameters below
    DKy = np.einsum("gij,j->gi", D, Ky)
    DKX = np.einsum("gij,jk->gik", D, KX)
    trace = {"P": np.zeros((m + g, m + g)), "V": np.zeros((m + g, m + g))}
    quad = np.zeros((m + g, m + g))
    N = np.zeros((m + g, m + g, p, p)) if second else None
    for name, G in (("P", parts.GP), ("V", parts.GV)):
        GC = [G @ D[h, :-1, :-1] for h in range(g)]
        for i in range(m):
            for j in range(m):
                trace[name][i, j] = np.einsum("ij,ji->", big[i] @ S[name], big[j] @ S[name])
            for h in range(g):
                inner = w[h] ** 2 * KZ[name].T @ D[h] @ KZ[name]
                trace[name][i, m + h] = trace[name][m + h, i] = np.einsum("ij,ji->", big[i], inner)
        for h in range(g):
            for k in range(g):
                # tr(P E_h P E_k) of two diagonal blocks of P: the rows of different groups meet through G alone, so
                # what the identity adds is there for h = k only
                both = w[h] ** 2 * w[k] ** 2 * np.einsum("ij,ji->", GC[h], GC[k])
                alone = w[h] ** 2 * objective.sizes[h] - 2 * w[h] ** 3 * np.trace(GC[h])
                trace[name][m + h, m + k] = both + (alone if h == k else 0.0)
    for i in range(m):
        for j in range(m):
            quad[i, j] = moved[i][1] @ S["P"] @ moved[j][1]
            if N is not None:
                N[i, j] = moved[i][0].T @ S["P"] @ moved[j][0]
        for h in range(g):
            quad[i, m + h] = quad[m + h, i] = w[h] ** 2 * moved[i][1] @ KZ["P"].T @ DKy[h]
            if N is not None:
                N[i, m + h] = w[h] ** 2 * moved[i][0].T @ KZ["P"].T @ DKX[h]
                N[m + h, i] = N[i, m + h].T
    for h in range(g):
        for k in range(g):
            scale = w[h] ** 2 * w[k] ** 2
            # y'P E_h P E_k P y: P in the middle is W minus its low-rank part, and W meets E_h E_k for h = k only
            quad[m + h, m + k] = -scale * DKy[h, :-1] @ parts.GP @ DKy[k, :-1]
            if h == k:
                quad[m + h, m + k] += w[h] ** 3 * Ky @ DKy[h]
            if N is not None:
                N[m + h, m + k] = -scale * DKX[h, :-1].T @ parts.GP @ DKX[k, :-1]
                if h == k:
                    N[m + h, m + k] += w[h] ** 3 * KX.T @ DKX[h]
    # derivatives of the covariance of the fixed effects, (X'V^-1X)^-1: what Kenward and Roger and Satterthwaite need
    phi1 = parts.GP[q:, q:]
    slopes = np.zeros((m + g, p, p))
    for i in range(m):
        slopes[i] = phi1 @ (parts.Zx.T @ moved[i][0]) @ phi1
    for h in range(g):
        slopes[m + h] = phi1 @ (w[h] ** 2 * KX.T @ DKX[h]) @ phi1
    observed = quad / sigma2**3 - trace["P" if reml else "V"] / sigma2**2 / 2
    if N is not None:
        N /= sigma2**3
    single = np.array([np.einsum("ij,ji->", B_, S["P" if reml else "V"]) for B_ in big])
    squares = np.array([v[1] @ parts.zy for v in moved])
    chosen = parts.GP if reml else parts.GV
    of_groups = w * objective.sizes - w**2 * np.einsum("ij,gij->g", chosen, D[:, :-1, :-1])
    group_squares = w**2 * np.einsum("i,gi->g", Ky, DKy)
    score = np.append(
        squares / sigma2**2 - single / sigma2, group_squares / sigma2**2 - of_groups / sigma2
    ) / 2  # fmt: skip
    return Information(
        tuple(components),
        np.append(values, sigma2 / w),
        (observed + observed.T) / 2,
        trace["P"] / sigma2**2 / 2,
        slopes,
        N,
        score,
    )


def _wide(M: np.ndarray, products: Products, factor: int) -> np.ndarray:
    """I x M at the place of one grouping among all random effects."""
    out = np.zeros((products.q2, products.q2))
    f = products.factors[factor]
    out[f.start : f.stop, f.start : f.stop] = np.kron(np.eye(f.n_levels), M)
    return out
