"""Fisher's z for few items: tests of one correlation and of the difference of two independent ones, as numbers.

``atanh(r)`` lies above ``atanh(rho)`` by about ``rho / (2 (n - 1))`` (Fisher 1921; Hotelling 1953), for Kendall's tau,
which is unbiased itself, by ``tau`` times the variance. Each test takes the shift at the value it tests, not at the
estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

__all__ = [
    "OneTest",
    "difference_limits",
    "difference_root",
    "fisher_error",
    "one_test",
    "z_difference",
]


def fisher_error(r: float, n: float, method: str) -> float:
    """Standard error of ``atanh(r)``: ``1 / sqrt(n - 3)``; Bonett and Wright (2000); Fieller et al. (1957)."""
    if method == "spearman":
        return float(np.sqrt((1 + r * r / 2) / (n - 3)))
    if method == "kendall":
        return float(np.sqrt(0.437 / (n - 4)))
    return float(1 / np.sqrt(n - 3))


@dataclass(frozen=True, slots=True)
class OneTest:
    """How one correlation is tested on the z scale.

    ``z`` is ``atanh(r)``, ``z_above`` and ``z_below`` the values that enter claims above and below (they differ by the
    continuity correction), ``se`` its standard error, ``shift`` the bias per unit of the true correlation, ``df`` those
    of t (infinite: normal).
    """

    z: float
    z_above: float
    z_below: float
    se: float
    shift: float
    df: float

    def statistics(self, rho: float) -> tuple[float, float]:
        """Statistics of "above rho" and "below rho"."""
        centre = float(np.arctanh(rho)) + self.shift * rho
        return (self.z_above - centre) / self.se, (self.z_below - centre) / self.se

    def tail(self, t: float) -> float:
        """Lower tail of the reference distribution."""
        return float(ndtr(t) if np.isinf(self.df) else stdtr(self.df, t))

    def limits(self, alpha: float) -> tuple[float, float]:
        """Interval of level ``1 - 2 alpha`` on the scale of r: what neither one-sided test rejects."""
        q = float(ndtri(1 - alpha) if np.isinf(self.df) else stdtrit(self.df, 1 - alpha))
        return tuple(  # type: ignore[return-value]
            self._true(v) for v in (self.z_above - q * self.se, self.z_below + q * self.se)
        )

    def _true(self, z: float) -> float:
        """Correlation whose z is expected at ``z``."""
        if not np.isfinite(z) or not self.shift:
            return float(np.tanh(z))
        return _unshifted(z, self.shift)


def _unshifted(z: float, shift: float) -> float:
    """Solve ``atanh(rho) + shift rho = z``."""
    zeta = z / (1 + shift)
    for _ in range(50):
        rho = np.tanh(zeta)
        step = (zeta + shift * rho - z) / (1 + shift * (1 - rho * rho))
        zeta -= step
        if abs(step) < 1e-14 * max(1.0, abs(zeta)):
            break
    return float(np.tanh(zeta))


def one_test(
    r: float, n: int, method: str, *, z_error: float | None, small_sample: bool
) -> OneTest:
    """Settings of the test of one correlation.

    Parameters
    ----------
    r, n : float, int
        Correlation and items.
    method : {"pearson", "spearman", "kendall"}
        Which correlation.
    z_error : float or None
        Standard error on the z scale where it was estimated (jackknife).
    small_sample : bool
        Shift by the bias; Kendall: half a step as continuity correction; t instead of the normal for rank
        correlations (n - 2 df) and estimated errors (n - 1 df).
    """
    se = fisher_error(r, n, method) if z_error is None else z_error
    z = float(np.arctanh(r))
    if not small_sample:
        return OneTest(z, z, z, se, 0.0, np.inf)
    above = below = z
    shift = {"pearson": 1 / (2 * (n - 1)), "spearman": 0.0, "kendall": 0.437 / (n - 4)}[method]
    if method == "kendall":
        half = 2 / (n * (n - 1))
        with np.errstate(divide="ignore"):
            above, below = (float(np.arctanh(np.clip(v, -1.0, 1.0))) for v in (r - half, r + half))
    df = n - 1.0 if z_error is not None else np.inf if method == "pearson" else n - 2.0
    return OneTest(z, above, below, se, shift, df)


def z_difference(
    r1: float, n1: int, r2: float, n2: int, *, small_sample: bool
) -> tuple[float, float]:
    """Difference of two z, the bias ``r / (2 (n - 1))`` taken off where asked, and its standard error."""
    d = float(np.arctanh(r1) - np.arctanh(r2))
    if small_sample:
        d -= r1 / (2 * (n1 - 1)) - r2 / (2 * (n2 - 1))
    return d, float(np.sqrt(1 / (n1 - 3) + 1 / (n2 - 3)))


def difference_root(r1: float, n1: int, r2: float, n2: int, delta: float) -> float:
    """Signed root of the distance of two correlations from all pairs that differ by delta; about standard normal.

    The distance is ``sum (n - 3) (atanh(r) - atanh(rho) - rho / (2 (n - 1)))^2``, the smallest one with
    ``rho1 - rho2 = delta``.
    """
    from scipy.optimize import minimize_scalar

    seen = [(float(np.arctanh(r)), n) for r, n in ((r1, n1), (r2, n2))]
    limit = 1 - abs(delta) / 2

    def distance(s: float) -> float:
        middle = limit * np.tanh(s)
        total = 0.0
        for (z, n), rho in zip(seen, (middle + delta / 2, middle - delta / 2), strict=True):
            rho = min(max(rho, -1 + 1e-15), 1 - 1e-15)
            total += (n - 3) * (z - np.arctanh(rho) - rho / (2 * (n - 1))) ** 2
        return float(total)

    true = [_unshifted(z, 1 / (2 * (n - 1))) for z, n in seen]
    start = float(np.arctanh(np.clip((true[0] + true[1]) / 2 / limit, -0.999999, 0.999999)))
    found = minimize_scalar(distance, bracket=(start - 0.1, start + 0.1), tol=1e-12)
    return float(np.copysign(np.sqrt(found.fun), true[0] - true[1] - delta))


def difference_limits(r1: float, n1: int, r2: float, n2: int, alpha: float) -> tuple[float, float]:
    """Differences whose signed root reaches the normal quantile of alpha on either side."""
    from scipy.optimize import brentq

    q = float(ndtri(1 - alpha))
    centre = brentq(lambda v: difference_root(r1, n1, r2, n2, v), -1.999999, 1.999999, xtol=1e-12)
    out = []
    for side, end in ((1, -1.999999), (-1, 1.999999)):

        def beyond(v: float, side: int = side) -> float:
            return side * difference_root(r1, n1, r2, n2, v) - q

        out.append(
            brentq(beyond, centre, end, xtol=1e-12) if beyond(end) > 0 else np.sign(end) * 2.0
        )
    return float(out[0]), float(out[1])
