"""Two correlations that share a profile: how their difference varies when it truly is a given one.

Arrays in, arrays out. Under trivariate normal profiles the distribution of a statistic at a difference ``delta``
depends on two more numbers, the level of the correlations and the correlation of the two models; both are estimated by
maximum likelihood with the difference held at ``delta`` (a parametric bootstrap under the null). The draws are fixed
points that fill the space of such samples evenly, so the same data always give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, ndtri

__all__ = ["Statistic", "constrained", "correlations_of", "null_draws", "null_p", "null_limits"]

# standard error of r12 - r13 from (r12, r13, r23, n)
Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
Three = tuple[np.ndarray, np.ndarray, np.ndarray]

POWER = 13  # 8,192 points
_STEPS = 40
_EDGE = 1 - 1e-9


@lru_cache(maxsize=16)
def null_draws(n: int, power: int = POWER) -> np.ndarray:
    """Triangular factors ``[2^power, 3, 3]`` of Wishart matrices with n - 1 df (Bartlett), one per Sobol point."""
    from scipy.stats.qmc import Sobol

    u = Sobol(6, scramble=False).random_base2(power) + 0.5 / 2**power
    out = np.zeros((len(u), 3, 3))
    for i in range(3):
        out[:, i, i] = np.sqrt(chdtri(n - 1.0 - i, u[:, i]))
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = ndtri(u[:, 3:]).T
    return out


def correlations_of(truth: Three, draws: np.ndarray) -> Three:
    """Sample correlations ``[..., B]`` of profiles with true correlations ``[...]``."""
    a, b, c = (np.asarray(v)[..., None] for v in truth)
    root = np.sqrt(1 - a * a)
    last = (c - a * b) / root
    # rows of (Cholesky factor) @ (draw); the first profile is the shared one
    first = draws[:, 0, 0]
    x0, x1 = a * first + root * draws[:, 1, 0], root * draws[:, 1, 1]
    tail = np.sqrt(np.maximum(1 - b * b - last * last, 1e-300))
    y0 = b * first + last * draws[:, 1, 0] + tail * draws[:, 2, 0]
    y1 = last * draws[:, 1, 1] + tail * draws[:, 2, 1]
    y2 = tail * draws[:, 2, 2]
    sx, sy = np.sqrt(x0 * x0 + x1 * x1), np.sqrt(y0 * y0 + y1 * y1 + y2 * y2)
    return x0 / sx, y0 / sy, (x0 * y0 + x1 * y1) / (sx * sy)


def _unfold(s: np.ndarray, u: np.ndarray, delta: float) -> Three:
    """Correlations from unbounded parameters: the mean of both, and the partial correlation of the models."""
    mean = (1 - abs(delta) / 2) * np.tanh(s)
    a, b = mean + delta / 2, mean - delta / 2
    return a, b, a * b + np.sqrt((1 - a * a) * (1 - b * b)) * np.tanh(u)


def _deviance(truth: Three, seen: Three) -> np.ndarray:
    """``log |R| + trace(R^-1 S)`` of true and sample correlations."""
    a, b, c = truth
    r12, r13, r23 = seen
    determinant = np.maximum(1 - a * a - b * b - c * c + 2 * a * b * c, 1e-300)
    trace = 3 - a * a - b * b - c * c
    trace = trace + 2 * (r12 * (b * c - a) + r13 * (a * c - b) + r23 * (a * b - c))
    return np.asarray(np.log(determinant) + trace / determinant)


def constrained(seen: Three, delta: float) -> Three:
    """Maximum-likelihood correlations with ``rho12 - rho13 = delta``, for sample correlations ``[k]``.

    Newton steps on two unbounded parameters, damped where they do not descend.

    Examples
    --------
    >>> seen = tuple(np.array([v]) for v in (0.6, 0.4, 0.5))
    >>> [v.round(6).item() for v in constrained(seen, 0.2)]
    [0.6, 0.4, 0.5]
    """
    r12, r13, r23 = (np.clip(np.asarray(v, dtype=float), -_EDGE, _EDGE) for v in seen)
    seen = r12, r13, r23
    limit = 1 - abs(delta) / 2
    s = np.arctanh(np.clip((r12 + r13) / 2 / limit, -0.999, 0.999))
    a, b, _ = _unfold(s, np.zeros_like(s), delta)
    u = np.arctanh(np.clip((r23 - a * b) / np.sqrt((1 - a * a) * (1 - b * b)), -0.999, 0.999))

    def value(p: np.ndarray) -> np.ndarray:
        return _deviance(_unfold(p[0], p[1], delta), seen)

    p, h = np.stack([s, u]), 1e-4
    one, two = np.array([[h], [0.0]]), np.array([[0.0], [h]])
    damping, best = np.full(s.shape, 1e-3), value(p)
    for _ in range(_STEPS):
        up, down, right, left = value(p + one), value(p - one), value(p + two), value(p - two)
        slope = np.stack([up - down, right - left]) / (2 * h)
        h11, h22 = (up - 2 * best + down) / h**2, (right - 2 * best + left) / h**2
        h12 = (
            value(p + one + two) + value(p - one - two) - up - down - right - left + 2 * best
        ) / (2 * h**2)
        trace = h11 + h22
        lowest = trace / 2 - np.sqrt((h11 - h22) ** 2 / 4 + h12**2)
        lift = np.maximum(0, -lowest) + damping * (np.abs(trace) + 1e-3)
        h11, h22 = h11 + lift, h22 + lift
        step = np.stack([h12 * slope[1] - h22 * slope[0], h12 * slope[0] - h11 * slope[1]])
        step = np.clip(step / (h11 * h22 - h12**2), -0.5, 0.5)
        new = value(p + step)
        better = new <= best
        p, best = np.where(better, p + step, p), np.where(better, new, best)
        damping = np.where(better, damping / 5, np.minimum(8 * damping + 1e-6, 1e3))
        if np.abs(slope).max() < 1e-7:
            break
    return _unfold(p[0], p[1], delta)


def _null_t(
    seen: Three, delta: float, n: int, error: Statistic, inflate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Observed t ``[k]`` of the difference about delta, and those of the draws under it ``[k, B]``."""
    with np.errstate(divide="ignore"):
        t = (seen[0] - seen[1] - delta) / (inflate * error(*seen, n))
    q = correlations_of(constrained(seen, delta), null_draws(n))
    return t, (q[0] - q[1] - delta) / error(*q, n)


def null_p(
    seen: Three, delta: float, n: int, error: Statistic, *, inflate: float = 1.0, chunk: int = 128
) -> tuple[np.ndarray, np.ndarray]:
    """p-values of "above delta" and "below delta" for sample correlations ``[k]``.

    Parameters
    ----------
    seen : three arrays ``[k]``
        Sample correlations r12, r13 (with the shared profile 1) and r23.
    delta : float
        Difference ``rho12 - rho13`` under test.
    n : int
        Items.
    error : callable
        Standard error of the difference, from (r12, r13, r23, n).
    inflate : float
        Standard error of the data over that of product-moment correlations of normal profiles.

    Returns
    -------
    above, below : numpy.ndarray, ``[k]``
        ``(k + 1) / (B + 1)`` of the draws that lie as far out.
    """
    above, below = np.empty(len(seen[0])), np.empty(len(seen[0]))
    # the larger correlation first: the points know no order, and swapping the models mirrors everything exactly
    turned = (seen[0] < seen[1]) | ((seen[0] == seen[1]) & (delta < 0))
    for flip in (False, True):
        rows = np.flatnonzero(turned == flip)
        for start in range(0, len(rows), chunk):
            at = rows[start : start + chunk]
            part = (seen[flip][at], seen[1 - flip][at], seen[2][at])
            t, drawn = _null_t(part, -delta if flip else delta, n, error, inflate)
            more = ((drawn >= t[:, None]).sum(axis=1) + 1) / (drawn.shape[1] + 1)
            less = ((drawn <= t[:, None]).sum(axis=1) + 1) / (drawn.shape[1] + 1)
            above[at], below[at] = (less, more) if flip else (more, less)
    return above, below


def null_limits(
    seen: Three, n: int, error: Statistic, alpha: float, *, inflate: float = 1.0
) -> tuple[float, float]:
    """Differences at which the one-sided p-values reach alpha: an interval of level ``1 - 2 alpha``.

    ``p <= alpha`` where the observed t lies beyond the k-th draw from that end; the limits are roots of that distance.
    """
    from scipy.optimize import brentq

    if seen[0][0] < seen[1][0]:
        low, high = null_limits((seen[1], seen[0], seen[2]), n, error, alpha, inflate=inflate)
        return -high, -low
    size = 2**POWER
    k = int(np.floor(alpha * (size + 1) * (1 + 1e-12)))
    d = float(seen[0][0] - seen[1][0])
    if k < 1:
        return -2.0, 2.0

    def beyond(delta: float, side: int) -> float:
        t, drawn = _null_t(seen, delta, n, error, inflate)
        edge = np.partition(side * drawn[0], size - k)[size - k]
        return float(side * t[0] - edge)

    limits = []
    for side, end in ((1, -2.0), (-1, 2.0)):
        # from the estimate outwards: not rejected there, rejected far away
        far = d + 0.98 * (end - d)
        if beyond(far, side) <= 0:
            limits.append(end)
            continue
        limits.append(float(brentq(beyond, d, far, args=(side,), xtol=1e-9)))
    return limits[0], limits[1]
