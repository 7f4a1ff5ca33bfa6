"""Roots and splines as scipy computes them, digit for digit, without its packages, whose import takes 0.2 s of CPU."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, inf, isnan

import numpy as np

__all__ = ["cubic_spline", "root"]


def root(
    f: Callable[[float], float],
    low: float,
    high: float,
    *,
    xtol: float = 2e-12,
    rtol: float = 8.881784197001252e-16,
    maxiter: int = 100,
) -> float:
    """Zero of ``f`` between ``low`` and ``high`` by Brent's method, the steps of ``scipy.optimize.brentq``.

    Raises
    ------
    ValueError
        If ``f`` has the same sign at both ends, or is NaN somewhere.
    RuntimeError
        If it is not found in ``maxiter`` steps.

    References
    ----------
    .. [1] Brent, R. P. (1973). Algorithms for minimization without derivatives. Prentice-Hall, chapter 4.
    """

    def value(at: float) -> float:
        found = float(f(at))
        if isnan(found):
            raise ValueError(f"The function value at x={at:g} is NaN; solver cannot continue.")
        return found

    before, now = float(low), float(high)
    f_before, f_now = value(before), value(now)
    if f_before == 0:
        return before
    if f_now == 0:
        return now
    if copysign(1, f_before) == copysign(1, f_now):
        raise ValueError("f(a) and f(b) must have different signs")
    other, f_other, step_before, step = 0.0, 0.0, 0.0, 0.0
    for _ in range(maxiter):
        if f_before != 0 and f_now != 0 and copysign(1, f_before) != copysign(1, f_now):
            other, f_other = before, f_before
            step_before = step = now - before
        if abs(f_other) < abs(f_now):
            before, now, other = now, other, now
            f_before, f_now, f_other = f_now, f_other, f_now
        delta = (xtol + rtol * abs(now)) / 2
        half = (other - now) / 2
        if f_now == 0 or abs(half) < delta:
            return now
        taken = half
        if abs(step_before) > delta and abs(f_now) < abs(f_before):
            tried = _tried(before, now, other, f_before, f_now, f_other)
            if 2 * abs(tried) < min(abs(step_before), 3 * abs(half) - delta):
                taken = tried
        step_before, step = (step, taken) if taken is not half else (half, half)
        before, f_before = now, f_now
        now += step if abs(step) > delta else (delta if half > 0 else -delta)
        f_now = value(now)
    raise RuntimeError(f"Failed to converge after {maxiter} iterations.")


def _tried(
    before: float, now: float, other: float, f_before: float, f_now: float, f_other: float
) -> float:
    """Step of the secant, or of the inverse quadratic; endless where there is none."""
    try:
        if before == other:
            return -f_now * (now - before) / (f_now - f_before)
        a, b = (f_before - f_now) / (before - now), (f_other - f_now) / (other - now)
        return -f_now * (f_other * b - f_before * a) / (b * a * (f_other - f_before))
    except ZeroDivisionError:
        return inf


def cubic_spline(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Cubic spline through the points, not-a-knot at its ends, as ``scipy.interpolate.CubicSpline``.

    Parameters
    ----------
    x, y : array, ``[n]``
        At least four points, x rising.

    Returns
    -------
    callable
        From values to values; beyond the ends the outer cubics go on.

    References
    ----------
    .. [1] de Boor, C. (1978). A practical guide to splines. Springer, chapter IV.
    """
    from scipy.linalg.lapack import dgtsv

    dx = np.diff(x)
    slope = np.diff(y) / dx
    # slopes at the points: a band of three, whose first and last row make the third derivative continuous
    main, above, below = np.empty(len(x)), np.empty(len(x) - 1), np.empty(len(x) - 1)
    right = np.empty(len(x))
    main[1:-1] = 2 * (dx[:-1] + dx[1:])
    above[1:], below[:-1] = dx[:-1], dx[1:]
    right[1:-1] = 3 * (dx[1:] * slope[:-1] + dx[:-1] * slope[1:])
    d = x[2] - x[0]
    main[0], above[0] = dx[1], d
    right[0] = ((dx[0] + 2 * d) * dx[1] * slope[0] + dx[0] ** 2 * slope[1]) / d
    d = x[-1] - x[-3]
    main[-1], below[-1] = dx[-2], d
    right[-1] = (dx[-1] ** 2 * slope[-2] + (2 * d + dx[-1]) * dx[-2] * slope[-1]) / d
    s = dgtsv(below, main, above, right)[-2].ravel()
    t = (s[:-1] + s[1:] - 2 * slope) / dx
    c3, c2 = t / dx, (slope - s[:-1]) / dx - t

    def at(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        k = np.clip(np.searchsorted(x, values, side="right") - 1, 0, len(x) - 2)
        u = values - x[k]
        square = u * u
        return np.asarray(y[k] + s[k] * u + c2[k] * square + c3[k] * (square * u))

    return at
