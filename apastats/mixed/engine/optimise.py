"""Finding the parameters: exact gradients, restarts off the boundary, a last Newton step, and honest failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.errors import ConvergenceError, DataError
from apastats.mixed.engine.likelihood import deviance, evaluate, gradient
from apastats.mixed.engine.products import Products

__all__ = ["Objective", "Optimum", "minimise_deviance"]

# a relative standard deviation below this is looked at as a candidate for exactly 0
NEAR_ZERO = 1e-3


@dataclass(frozen=True)
class Optimum:
    """Where the deviance is smallest: ``theta [m]``, its value, and how it was found."""

    theta: np.ndarray
    deviance: float
    n_evaluations: int
    gradient: float
    tried: tuple[str, ...]


class Objective:
    """Deviance and gradient in the units of the random-effect columns, counted.

    ``scale``, ``diagonal`` and ``start`` are vectors over the parameters: what theta is divided by, which
    of them may not be negative, and where to begin. Values are those of the deviance minus ``base``, which
    holds the unit of the outcome: tolerances then mean the same in every unit.
    """

    def __init__(self, products: Products, reml: bool) -> None:
        self.products, self.reml = products, reml
        self.scale, self.diagonal, self.start = _column_scale(products)
        df = products.n - products.p if reml else products.n
        self.base = df * float(np.log(products.D[-1, -1] / df))
        self.count = 0

    def value(self, x: np.ndarray) -> float:
        """Deviance; 1e300 where it cannot be computed."""
        self.count += 1
        state = evaluate(self.products, x / self.scale)
        if state is None or not state.rss > 0:
            return 1e300
        return deviance(state, self.products, reml=self.reml) - self.base

    def both(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Deviance and gradient."""
        self.count += 1
        state = evaluate(self.products, x / self.scale)
        if state is None or not state.rss > 0:
            return 1e300, np.zeros_like(x)
        slope = gradient(state, self.products, reml=self.reml) / self.scale
        return deviance(state, self.products, reml=self.reml) - self.base, slope


def _column_scale(products: Products) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root mean square of the column each entry acts on; which entries are diagonal; start."""
    scales, diagonal = [], []
    for f in products.factors:
        if f is products.first:
            squares = products.C1[:, np.arange(f.size), np.arange(f.size)].sum(axis=0)
        else:
            squares = np.diag(products.D)[f.start : f.stop].reshape(f.n_levels, f.size).sum(axis=0)
        rms = np.sqrt(squares / products.n)
        rows, columns = np.nonzero(f.free)
        scales.append(np.where(rms[rows] > 0, rms[rows], 1.0))
        diagonal.append(rows == columns)
    if not scales:
        return np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0)
    scale, on_diagonal = np.concatenate(scales), np.concatenate(diagonal)
    return scale, on_diagonal, on_diagonal.astype(float)


def minimise_deviance(
    objective: Objective,
    *,
    start: np.ndarray | None = None,
    polish: bool = True,
    max_evaluations: int = 500,
) -> Optimum:
    """Minimise the profiled deviance.

    Parameters
    ----------
    objective : Objective
    start : numpy.ndarray, optional
        First theta; relative standard deviations of 1 where None.
    polish : bool
        Whether to end with Newton steps (gradient below 1e-6); off for resampling.
    max_evaluations : int
        Evaluations allowed per attempt.

    Returns
    -------
    Optimum

    Raises
    ------
    ConvergenceError
        If no attempt reached a stationary point; the message says what was tried.
    """
    from scipy import optimize

    minimize: Any = (
        optimize.minimize
    )  # its stubs do not know a function that gives value and gradient

    scale, diagonal, first = objective.scale, objective.diagonal, objective.start
    if len(scale) == 0:
        value = objective.value(first)
        _check_value(value)
        return Optimum(first, value + objective.base, 1, 0.0, ("closed form",))
    x = first if start is None else np.maximum(start * scale, np.where(diagonal, 1e-2, -np.inf))
    bounds = [(0.0 if d else None, None) for d in diagonal]
    _check_value(objective.value(x))
    tolerance = 1e-5 if polish else 1e-3
    options = {
        "ftol": 1e-13 if polish else 1e-10, "gtol": 1e-7 if polish else 1e-5, "maxfun": max_evaluations
    }  # fmt: skip
    tried = []

    def run(at: np.ndarray) -> tuple[np.ndarray, float]:
        found = minimize(
            objective.both, at, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        return found.x, float(found.fun)

    def settle(at: np.ndarray) -> tuple[np.ndarray, float, float]:
        point, value = run(at)
        point, value = _off_boundary(objective, run, point, value, diagonal)
        if polish:
            point, value = _newton(objective, point, value, diagonal)
        slope = objective.both(point)[1]
        free = ~(diagonal & (point <= 0))
        return point, value, float(np.abs(slope[free]).max(initial=0.0))

    tried.append(f"L-BFGS-B with the exact gradient ({max_evaluations} evaluations)")
    point, value, slope = settle(x)
    if slope > tolerance * max(1.0, abs(value)):
        found = minimize(
            objective.value, point, method="Nelder-Mead", bounds=bounds,
            options={"maxfev": max_evaluations, "xatol": 1e-8, "fatol": 1e-10},
        )  # fmt: skip
        tried.append("Nelder-Mead from there, and L-BFGS-B again")
        point, value, slope = settle(found.x)
    if slope > tolerance * max(1.0, abs(value)):
        raise ConvergenceError(
            f"the likelihood was not brought to a stationary point (largest gradient {slope:.3g}, relative standard "
            f"deviations {np.round(point, 4).tolist()}); tried: {'; '.join(tried)}. Allow more by max_evaluations, "
            f"rescale covariates, or drop a random term."
        )
    return Optimum(point / scale, value + objective.base, objective.count, slope, tuple(tried))


def _check_value(value: float) -> None:
    if not np.isfinite(value) or value >= 1e300:
        raise DataError(
            "the likelihood cannot be computed: columns of very different size, or next to no residual variance"
        )


def _off_boundary(
    objective: Objective,
    run: Callable[[np.ndarray], tuple[np.ndarray, float]],
    x: np.ndarray,
    value: float,
    diagonal: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Set what is as good at 0 to 0, and leave a false 0 (the deviance is flat there by symmetry)."""
    for _ in range(3):
        small = np.flatnonzero(diagonal & (x < NEAR_ZERO))
        if small.size == 0:
            break
        at_zero = x.copy()
        at_zero[small] = 0.0
        zero_value = objective.value(at_zero)
        if zero_value <= value + 1e-9:
            x, value = at_zero, zero_value
        inside = x.copy()
        inside[small] = 0.05
        again, other = run(inside)
        if other >= value - 1e-8:
            break
        x, value = again, other
    return x, value


def _newton(
    objective: Objective, x: np.ndarray, value: float, diagonal: np.ndarray, steps: int = 4
) -> tuple[np.ndarray, float]:
    """Newton steps on the interior coordinates; the Hessian by differences of the exact gradient."""
    for _ in range(steps):
        free = np.flatnonzero(~(diagonal & (x <= 0)))
        if free.size == 0:
            break
        slope = objective.both(x)[1]
        # only for the last digits: far away a Newton step may go anywhere
        if not 1e-9 < np.abs(slope[free]).max() < 1e-2 * max(1.0, abs(value)):
            break
        hessian = np.empty((free.size, free.size))
        for i, j in enumerate(free):
            h = 1e-5 * max(abs(x[j]), 0.1)
            up, down = x.copy(), x.copy()
            up[j] += h
            down[j] -= h
            hessian[i] = (objective.both(up)[1] - objective.both(down)[1])[free] / (2 * h)
        hessian = (hessian + hessian.T) / 2
        try:
            if np.linalg.eigvalsh(hessian)[0] <= 0:
                break
            move = np.linalg.solve(hessian, slope[free])
        except np.linalg.LinAlgError:
            break
        new = x.copy()
        new[free] -= move
        if (new[diagonal] < 0).any():
            break
        new_value, new_slope = objective.both(new)
        if new_value > value + 1e-9 or np.abs(new_slope[free]).max() >= np.abs(slope[free]).max():
            break
        x, value = new, new_value
    return x, value
