"""Fixed points of slowly converging updates (EM and its kin), with extrapolation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["accelerated", "polished"]


def accelerated(
    step: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    tolerance: float = 1e-10,
    most: int = 3000,
    longest: float = 2.0,
) -> tuple[np.ndarray, bool]:
    """Fixed point of ``step``, and whether it was reached.

    Squared extrapolation (Varadhan and Roland 2008, scheme S3); a jump after which the next step is longer than the
    one before the jump is taken back.

    Parameters
    ----------
    step : callable
        One update of a parameter vector, finite everywhere.
    start : numpy.ndarray
    tolerance : float
        Largest change of a parameter by one step at the end.
    most : int
        Evaluations of ``step`` at most.
    longest : float
        Largest jump of a parameter.
    """
    x = start
    used = 0
    while used < most:
        one = step(x)
        r = one - x
        if np.abs(r).max() <= tolerance:
            return one, True
        two = step(one)
        used += 2
        v = (two - one) - r
        if np.abs(two - one).max() <= tolerance:
            return two, True
        length = -float(np.sqrt((r @ r) / (v @ v))) if np.abs(v).any() else -1.0
        if length < -1:
            jump = x - 2 * length * r + length**2 * v
            if np.abs(jump - two).max() <= longest:
                after = step(jump)
                used += 1
                if np.abs(after - jump).max() <= np.abs(r).max():
                    x = after
                    continue
        x = two
    return x, False


def polished(
    step: Callable[[np.ndarray], np.ndarray], x: np.ndarray, *, most: int = 3, width: float = 1e-6
) -> np.ndarray:
    """A fixed point to the accuracy of the arithmetic, from one that is near.

    An update that converges slowly stops while it is still ``1 / (1 - rate)`` times its last change away, so that
    where it stops depends on rounding. Newton's correction solves ``(I - J) d = step(x) - x``, with the Jacobian
    ``J`` of the update by central differences; it is kept while the update moves less than before.

    Parameters
    ----------
    step : callable
        One update of a parameter vector.
    x : numpy.ndarray
    most : int
        Corrections at most.
    width : float
        Of the differences.
    """
    r = step(x) - x
    for _ in range(most):
        jacobian = np.empty((len(x), len(x)))
        for i in range(len(x)):
            to = np.zeros(len(x))
            to[i] = width
            jacobian[:, i] = (step(x + to) - step(x - to)) / (2 * width)
        change = np.linalg.lstsq(np.eye(len(x)) - jacobian, r, rcond=1e-10)[0]
        after = step(x + change) - (x + change)
        if not np.abs(after).max() < np.abs(r).max():
            break
        x, r = x + change, after
    return x
