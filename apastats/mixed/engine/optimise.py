"""Finding the parameters: exact gradients, restarts off the boundary, a last Newton step, and honest failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.errors import ConvergenceError, DataError
from apastats.mixed.engine.likelihood import deviance, evaluate, gradient, slopes_in_covariance
from apastats.mixed.engine.products import Factor, Products

__all__ = ["Objective", "Optimum", "minimise_deviance"]

# a relative standard deviation below this is looked at as a candidate for exactly 0
NEAR_ZERO = 1e-3
# random effects left after elimination beyond which no second derivatives are taken by differences
COSTLY = 2000


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
        self.blocks = _blocks(products.factors)
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

    def ways_out(self, x: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Per covariance block the direction in which the deviance falls most: ``(slope, v, places)``.

        ``places [k, k]`` are the positions of the block's factor in x (-1 where it has no entry). Adding s vv' to the
        block's covariance changes the deviance by slope s + O(s^2); no negative slope is the second-order condition of
        a maximum, which holds on the boundary where a gradient of 0 says nothing.
        """
        self.count += 1
        theta, products = self.model_at(x)
        state = evaluate(products, theta)
        if state is None or not state.rss > 0:
            return []
        slopes = slopes_in_covariance(state, products, reml=self.reml)
        out = []
        for t, rows, places in self.blocks:
            unit = np.array([self.scale[places[i, i]] for i in range(len(rows))])
            M = slopes[t][np.ix_(rows, rows)] / np.outer(unit, unit)
            values, vectors = np.linalg.eigh(M)
            size = max(1.0, float(np.abs(values).max()))
            if values[0] < -1e-7 * size:
                out.append((float(values[0]), vectors[:, 0], places))
        return sorted(out, key=lambda v: v[0])

    def model_at(self, x: np.ndarray) -> tuple[np.ndarray, Products]:
        """Relative Cholesky entries and cross-products at x."""
        return x / self.scale, self.products

    def both(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Deviance and gradient."""
        self.count += 1
        state = evaluate(self.products, x / self.scale)
        if state is None or not state.rss > 0:
            return 1e300, np.zeros_like(x)
        slope = gradient(state, self.products, reml=self.reml) / self.scale
        return deviance(state, self.products, reml=self.reml) - self.base, slope


def _blocks(factors: tuple[Factor, ...]) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Covariance blocks: grouping, its effects, and where their factor's entries stand among the parameters."""
    out, at = [], 0
    for t, f in enumerate(factors):
        place = np.full((f.size, f.size), -1)
        place[f.free] = at + np.arange(int(f.free.sum()))
        at += int(f.free.sum())
        start = 0
        for a in range(1, f.size + 1):
            if a == f.size or not f.free[a, :a].any():
                rows = np.arange(start, a)
                out.append((t, rows, place[np.ix_(rows, rows)]))
                start = a
    return out


def _column_scale(products: Products) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root mean square of the column each entry acts on; which entries are diagonal; start."""
    scales, diagonal = [], []
    for f in products.factors:
        if products.inner is not None and f is products.inner.factor:
            squares = products.inner.C[:, np.arange(f.size), np.arange(f.size)].sum(axis=0)
        elif f is products.first:
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

    def settle(at: np.ndarray) -> tuple[np.ndarray, float]:
        return _climb_out(objective, run, *_snap(objective, *run(at), diagonal))

    tried.append(f"L-BFGS-B with the exact gradient ({max_evaluations} evaluations)")
    point, value = settle(x)
    for other in _other_starts(objective, point, thorough=polish):
        again, there = settle(other)
        if there < value - 1e-9:
            point, value = again, there
    point, value, slope = _finish(objective, point, value, diagonal, polish)
    if slope > tolerance * max(1.0, abs(value)):
        found = minimize(
            objective.value, point, method="Nelder-Mead", bounds=bounds,
            options={"maxfev": max_evaluations, "xatol": 1e-8, "fatol": 1e-10},
        )  # fmt: skip
        tried.append("Nelder-Mead from there, and L-BFGS-B again")
        point, value, slope = _finish(objective, *settle(found.x), diagonal, polish)
    if slope > tolerance * max(1.0, abs(value)):
        raise ConvergenceError(
            f"the likelihood was not brought to a stationary point (largest gradient {slope:.3g}, relative standard "
            f"deviations {np.round(point, 4).tolist()}); tried: {'; '.join(tried)}. Allow more by max_evaluations, "
            f"rescale covariates, or drop a random term."
        )
    return Optimum(point / scale, value + objective.base, objective.count, slope, tuple(tried))


def _finish(
    objective: Objective, point: np.ndarray, value: float, diagonal: np.ndarray, polish: bool
) -> tuple[np.ndarray, float, float]:
    """Last digits, and the largest gradient of what may move."""
    if polish and objective.products.q2 < COSTLY:
        point, value = _newton(objective, point, value, diagonal)
    slope = objective.both(point)[1]
    free = ~(diagonal & (point <= 0))
    return point, value, float(np.abs(slope[free]).max(initial=0.0))


def _check_value(value: float) -> None:
    if not np.isfinite(value) or value >= 1e300:
        raise DataError(
            "the likelihood cannot be computed: columns of very different size, or next to no residual variance"
        )


def _snap(
    objective: Objective, x: np.ndarray, value: float, diagonal: np.ndarray
) -> tuple[np.ndarray, float]:
    """Set what is as good at 0 to 0."""
    small = diagonal & (x < NEAR_ZERO)
    if small.any():
        at_zero = np.where(small, 0.0, x)
        zero_value = objective.value(at_zero)
        if zero_value <= value + 1e-9:
            return at_zero, zero_value
    return x, value


def _climb_out(
    objective: Objective,
    run: Callable[[np.ndarray], tuple[np.ndarray, float]],
    x: np.ndarray,
    value: float,
) -> tuple[np.ndarray, float]:
    """Leave a stationary point on the boundary that is no maximum of the likelihood.

    Where a variance is 0 the deviance is flat in its factor by symmetry, and bounds or the sign of a column may bar
    the way: the direction comes from the derivative in the covariance itself.
    """
    if not _deficient(objective, x):
        return x, value
    for _ in range(10):
        moved = False
        for slope, v, places in objective.ways_out(x):
            steps = [_widened(x, places, v, s) for s in (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4)]
            values = [objective.value(new) for new in steps]
            k = int(np.argmin(values))
            if values[k] >= value + 1e-7 * slope:
                continue
            again, there = _snap(objective, *run(steps[k]), objective.diagonal)
            if there < value - 1e-10:
                x, value, moved = again, there, True
                break
        if not moved or not _deficient(objective, x):
            break
    return x, value


def _factor(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Lower-triangular factor of a block."""
    return np.where(places >= 0, x[places], 0.0)


def _deficient(objective: Objective, x: np.ndarray) -> bool:
    """Whether some covariance has not full rank."""
    return any((np.diag(_factor(x, places)) < NEAR_ZERO).any() for _, _, places in objective.blocks)


def _widened(x: np.ndarray, places: np.ndarray, v: np.ndarray, s: float) -> np.ndarray:
    """Parameters with s vv' added to the covariance of a block."""
    T = _factor(x, places)
    R = np.asarray(np.linalg.qr(np.vstack([T.T, np.sqrt(s) * v]), mode="r"))
    new = (R * np.where(np.diag(R) < 0, -1.0, 1.0)[:, None]).T
    out = x.copy()
    out[places[places >= 0]] = new[places >= 0]
    return out


def _other_starts(objective: Objective, x: np.ndarray, *, thorough: bool) -> list[np.ndarray]:
    """Where else to begin after a covariance came out without full rank: there may be other maxima."""
    if not _deficient(objective, x):
        return []
    inside = np.where(objective.diagonal & (x < NEAR_ZERO), 0.05, x)
    if not thorough:
        return [inside]
    # the correlations turned round, and a start from small effects
    turned = np.where(objective.diagonal, np.maximum(np.abs(x), 0.3), -x)
    return [inside, turned, np.where(objective.diagonal, 0.2, 0.0)]


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
