"""Standard deviations that effects of a mixed model are divided by, and how well they are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apastats.mixed.engine.core import Fitted
from apastats.mixed.engine.summaries import random_variance, residual_variance

__all__ = ["SPREADS", "spread_of"]

SPREADS = {
    "total": "the SD of a row (random effects and residual)",
    "residual": "the residual SD",
}


def spread_of(fitted: Fitted, which: str) -> tuple[float, float]:
    """A standard deviation and its degrees of freedom.

    ``residual``: of a row given its levels; ``total``: of a row, the mean variance of its random part added. Degrees
    of freedom by Satterthwaite, 2 v^2 / (g'Ag) with the gradient g of the variance v in the components and their
    covariance A; of a balanced design's residual they are its residual degrees of freedom.
    """
    design = fitted.design
    residual = residual_variance(fitted)
    random = random_variance(fitted) if which == "total" else 0.0
    gradient = []
    for t, (f, T) in enumerate(zip(fitted.products.factors, fitted.state.T, strict=True)):
        for a, b in zip(*np.nonzero(f.free), strict=True):
            if np.abs(T[:, b]).max() == 0:
                continue  # the variance is even in a column that is 0
            if which != "total":
                gradient.append(0.0)
                continue
            h = 1e-4 * float(np.abs(T).max())
            ends = []
            for step in (h, -h):
                moved = [np.array(M) for M in fitted.state.T]
                moved[t][a, b] += step
                ends.append(random_variance(replace(fitted, state=replace(fitted.state, T=moved))))
            gradient.append((ends[0] - ends[1]) / (2 * h))
    base = np.ones(design.n) if design.weights is None else design.weights
    codes = np.zeros(design.n, int) if design.residual_codes is None else design.residual_codes
    groups = len(fitted.residual_variances)
    by_group = np.bincount(codes, 1 / base, minlength=groups) / design.n
    by_group[0] += random / fitted.residual_variances[0]  # the factors are relative to the first
    g = np.array([*gradient, *by_group])
    A = fitted.inference("satterthwaite").component_cov
    v = random + residual
    return float(np.sqrt(v)), float(2 * v * v / (g @ A @ g))
