"""The likelihood of a mixed model written out with n x n matrices, to check the fast one against."""

from __future__ import annotations

import numpy as np

from apastats.mixed.engine.core import Fitted


def components(fitted: Fitted) -> np.ndarray:
    """Free (co)variances in the order of the design, then residual variances."""
    out = []
    for g, M in zip(fitted.design.groupings, fitted.covariances, strict=True):
        out += [M[a, b] for a in range(g.size) for b in range(a + 1) if g.free[a, b]]
    return np.array([*out, *fitted.residual_variances])


def covariance(fitted: Fitted, values: np.ndarray) -> np.ndarray:
    """Covariance of the outcome."""
    design = fitted.design
    n, at = design.n, 0
    S = np.zeros((n, n))
    for g, Z in zip(design.groupings, design.Z, strict=True):
        M = np.zeros((g.size, g.size))
        for a in range(g.size):
            for b in range(a + 1):
                if g.free[a, b]:
                    M[a, b] = M[b, a] = values[at]
                    at += 1
        dense = Z.toarray()
        S += dense @ np.kron(np.eye(g.n_levels), M) @ dense.T
    w = np.ones(n) if design.weights is None else design.weights
    codes = np.zeros(n, dtype=int) if design.residual_codes is None else design.residual_codes
    return S + np.diag(values[at:][codes] / w)


def loglik(fitted: Fitted, values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(Restricted) log likelihood, coefficients, and their covariance."""
    X, y = fitted.design.fixed.X, fitted.design.y
    S = covariance(fitted, values)
    inverse = np.linalg.inv(S)
    XSX = X.T @ inverse @ X
    b = np.linalg.solve(XSX, X.T @ inverse @ y)
    r = y - X @ b
    twice = np.linalg.slogdet(S)[1] + r @ inverse @ r
    if fitted.reml:
        twice += np.linalg.slogdet(XSX)[1] + (len(y) - X.shape[1]) * np.log(2 * np.pi)
    else:
        twice += len(y) * np.log(2 * np.pi)
    return -0.5 * float(twice), b, np.linalg.inv(XSX)
