"""Distributions behind simultaneous inference: studentized range, maximum of correlated t, comparison with the best.

Arrays in, arrays out, nothing random: one-dimensional structure is integrated by Gauss-Legendre rules, anything else by
a fixed quasi-random set of directions. Upper tails are computed directly, so that small p-values keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import (
    chdtrc,
    chdtri,
    fdtrc,
    gammaincinv,
    gammaln,
    log_ndtr,
    ndtr,
    ndtri,
    stdtr,
    stdtrit,
)

from apastats.arguments import number, whole
from apastats.errors import InputError

__all__ = [
    "best_critical",
    "dunnett_mixture_critical",
    "dunnett_mixture_sf",
    "max_t_critical",
    "max_t_sf",
    "range_critical",
    "range_sf",
]

_Z_NODES, _Z_WEIGHTS = np.polynomial.legendre.leggauss(160)
_Z = 9.0 * _Z_NODES
_ZW = 9.0 * _Z_WEIGHTS * np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi)
_S_NODES, _S_WEIGHTS = np.polynomial.legendre.leggauss(96)
LARGE_DF = 1e7  # from here on t and normal agree to more digits than are kept
CHUNK = 2_000_000


def _scale_rule(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for the mean over s = sqrt(chi2_df / df)."""
    if df >= LARGE_DF:
        return np.ones(1), np.ones(1)
    low = np.sqrt(2 * gammaincinv(df / 2, 1e-22) / df)
    high = np.sqrt(chdtri(df, 1e-16) / df)
    s = (high + low) / 2 + (high - low) / 2 * _S_NODES
    log_density = (
        (df / 2) * np.log(df) - gammaln(df / 2) - (df / 2 - 1) * np.log(2.0)
        + (df - 1) * np.log(s) - df * s * s / 2
    )  # fmt: skip
    return s, (high - low) / 2 * _S_WEIGHTS * np.exp(log_density)


def _range_tail(w: np.ndarray, k: float) -> np.ndarray:
    """P(range of k standard normals > w), for w of any length."""
    below = ndtr(_Z)
    top = below ** (k - 1)
    out = np.empty(len(w))
    step = max(1, CHUNK // len(_Z))
    for start in range(0, len(w), step):
        part = w[start : start + step, None]
        share = np.minimum(ndtr(_Z - part) / below, 1.0)
        with np.errstate(divide="ignore"):
            inside = -np.expm1((k - 1) * np.log1p(-share))
        out[start : start + step] = k * (inside * top) @ _ZW
    return out


def _range_tails(w: np.ndarray, k: float) -> np.ndarray:
    """The same for many points, where that is cheaper by a spline of the logarithm (step 0.01, error below 1e-10)."""
    top = min(float(w.max(initial=0.0)), 50.0)
    n_node = int(top / 0.01) + 8
    if len(w) < 2 * n_node:
        return _range_tail(w, k)
    from scipy.interpolate import CubicSpline

    nodes = np.arange(n_node) * 0.01
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(_range_tail(nodes, k)), -700.0)
    return np.asarray(np.exp(CubicSpline(nodes, logs)(np.minimum(w, nodes[-1]))))


def range_sf(q: ArrayLike, k: float, df: ArrayLike = np.inf) -> np.ndarray:
    """P(Q > q) for the studentized range of ``k`` means.

    Parameters
    ----------
    q : array_like
        Values, any shape.
    k : float
        Number of means, at least 1; need not be whole.
    df : array_like
        Degrees of freedom, broadcast with ``q``; infinity allowed.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    InputError
        If ``k`` is below 1.

    Examples
    --------
    >>> round(float(range_sf(3.8768, 3, 10)), 5)
    0.05
    """
    number("k", k, least=1)
    values, dfs = np.broadcast_arrays(np.asarray(q, dtype=float), np.asarray(df, dtype=float))
    flat, (unique, which) = values.ravel(), np.unique(dfs.ravel(), return_inverse=True)
    out = np.full(flat.shape, np.nan)
    for at, d in enumerate(unique):
        rows = np.flatnonzero((which.ravel() == at) & ~np.isnan(flat))
        if np.isnan(d) or not rows.size:
            continue
        s, w = _scale_rule(float(d))
        points = np.maximum(flat[rows], 0.0)[:, None] * s
        out[rows] = np.clip(_range_tails(points.ravel(), float(k)).reshape(points.shape) @ w, 0, 1)
    return out.reshape(values.shape)


def _solve_tail(tail: Callable[[float, float], float], p: float, df: float, start: float) -> float:
    """Value whose upper tail is ``p``."""
    from scipy.optimize import brentq

    low, high = 0.0, start
    while tail(high, df) > p:
        low, high = high, 2 * high
    while tail(low, df) < p:  # below 0 for a one-sided level under about a half
        low = 2 * low - 1.0
    return float(brentq(lambda v: tail(v, df) - p, low, high, xtol=1e-12, rtol=1e-12))


def _over_df(critical: Callable[[float], float], df: ArrayLike) -> np.ndarray:
    """A critical value at many df: directly if few differ, else by a Chebyshev polynomial in 1/df."""
    values = np.asarray(df, dtype=float)
    flat = values.ravel()
    with np.errstate(divide="ignore"):
        inverse = np.where(flat >= LARGE_DF, 0.0, 1 / flat)
    unique, at = np.unique(np.round(inverse, 14), return_inverse=True)
    if len(unique) <= 14:
        found = np.array([critical(np.inf if u == 0 else 1 / u) for u in unique])
        return np.asarray(found[at].reshape(values.shape))
    low, high = unique[0], unique[-1]
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(14) + 0.5) / 14)
    found = np.array([critical(np.inf if u <= 1 / LARGE_DF else 1 / u) for u in nodes])
    fit = np.polynomial.Chebyshev.fit(nodes, found, 13, domain=[low, high])
    return np.asarray(fit(inverse).reshape(values.shape))


def range_critical(level: float, k: float, df: ArrayLike = np.inf) -> np.ndarray:
    """Quantile of the studentized range: P(Q <= q) = ``level``.

    Examples
    --------
    >>> round(float(range_critical(0.95, 3, 10)), 4)
    3.8768
    """
    return _over_df(lambda d: _range_critical(float(level), float(k), d), df)


@lru_cache(maxsize=256)
def _range_critical(level: float, k: float, df: float) -> float:
    return _solve_tail(lambda v, d: float(range_sf(v, k, d)), 1 - level, df, 4.0)


def _structure(R: np.ndarray) -> np.ndarray | None:
    """Loadings l with R_ij = l_i l_j off the diagonal, where such exist."""
    m = len(R)
    if m == 1:
        return np.zeros(1)
    if m == 2:
        r = float(R[0, 1])
        if abs(r) > 1 - 1e-9:
            return None
        return np.array([np.sqrt(abs(r)), np.sign(r) * np.sqrt(abs(r))])
    off = R - np.diag(np.diag(R))
    if np.abs(off).max() < 1e-12:
        return np.zeros(m)
    i, j = np.unravel_index(np.argmax(np.abs(off)), off.shape)
    k = max((v for v in range(m) if v not in (i, j)), key=lambda v: min(abs(R[i, v]), abs(R[j, v])))
    if abs(R[j, k]) < 1e-12:
        return None
    square = R[i, j] * R[i, k] / R[j, k]
    if not 1e-12 < square < 1 - 1e-9:
        return None
    loading = R[i] / np.sqrt(square)
    loading[i] = np.sqrt(square)
    built = np.outer(loading, loading)
    np.fill_diagonal(built, 1.0)
    if np.abs(built - R).max() > 1e-8 or np.abs(loading).max() > 1 - 1e-9:
        return None
    return np.asarray(loading)


def _structured_tail(t: float, df: float, loading: np.ndarray, two_sided: bool) -> float:
    """P(max > t) where the t share one common factor: a mean over that factor and the scale."""
    s, w = _scale_rule(df)
    total = np.zeros((len(s), len(_Z)))
    for l_i, times in zip(*np.unique(loading, return_counts=True), strict=True):
        r_i = np.sqrt(1 - l_i * l_i)
        upper = (t * s[:, None] - l_i * _Z) / r_i
        if two_sided:
            lower = (-t * s[:, None] - l_i * _Z) / r_i
            with np.errstate(divide="ignore"):
                total += times * np.log1p(-np.minimum(ndtr(-upper) + ndtr(lower), 1.0))
        else:
            total += times * log_ndtr(upper)
    return float(np.clip(w @ (-np.expm1(total) @ _ZW), 0.0, 1.0))


def _directions(rank: int) -> np.ndarray:
    """Fixed directions ``[n, rank]`` that cover the unit sphere evenly (a Sobol set, not scrambled)."""
    from scipy.stats.qmc import Sobol

    power = 17 if rank <= 6 else 16 if rank <= 12 else 14
    points = Sobol(rank, scramble=False).random_base2(power) + 0.5 / 2**power
    normal = ndtri(points)
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def _factor(R: np.ndarray) -> np.ndarray:
    """A with A A' = R, as few columns as its rank."""
    values, vectors = np.linalg.eigh(R)
    keep = values > 1e-10 * values[-1]
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))


def _stand_in(R: np.ndarray, two_sided: bool) -> np.ndarray:
    """A correlation like ``R`` whose tail is known exactly: all pairs of equal means, or one common correlation."""
    m = len(R)
    k = round((1 + np.sqrt(1 + 8 * m)) / 2)
    if two_sided and k >= 3 and k * (k - 1) // 2 == m and len(_factor(R).T) == k - 1:
        return _pair_correlation(k)
    mean = float(np.clip((R.sum() - m) / (m * (m - 1)), 0.0, 0.98))
    return np.full((m, m), mean) + (1 - mean) * np.eye(m)


def _pair_correlation(k: int) -> np.ndarray:
    i, j = np.triu_indices(k, 1)
    L = np.zeros((len(i), k))
    L[np.arange(len(i)), i], L[np.arange(len(i)), j] = 1.0, -1.0
    return np.asarray(L @ L.T / 2)


class _MaxT:
    """Distribution of the largest of several t with a common scale: tail(t, df)."""

    def __init__(self, correlation: np.ndarray, two_sided: bool) -> None:
        R = np.asarray(correlation, dtype=float)
        if R.ndim != 2 or R.shape[0] != R.shape[1] or not np.isfinite(R).all():
            raise InputError("correlation", f"shape {R.shape}", "a square matrix of finite numbers")
        self.two_sided = two_sided
        self.loading = _structure(R)
        self.reach = np.zeros(0)
        self.rank = 0
        self.pairs_of = _pairs_of_equal_means(R) if two_sided else 0
        self.known: _MaxT | None = None
        self.known_reach = np.zeros(0)
        if self.loading is not None or self.pairs_of:
            return
        A = _factor(R)
        self.rank = A.shape[1]
        directions = _directions(self.rank)
        self.reach = self._reach(directions, A)
        # a neighbour with a known answer, seen from the same directions, takes most of the error away
        stand_in = _stand_in(R, two_sided)
        B = _factor(stand_in)
        if B.shape[1] == self.rank:
            u, _, v = np.linalg.svd(B.T @ A)
            self.known = _MaxT(stand_in, two_sided)
            self.known_reach = self._reach(directions, B @ (u @ v))

    def _reach(self, directions: np.ndarray, A: np.ndarray) -> np.ndarray:
        """Largest statistic per unit of length in every direction, one-sided in the opposite directions too."""
        parts = []
        step = max(1, CHUNK // len(A))
        for start in range(0, len(directions), step):
            projected = directions[start : start + step] @ A.T
            if self.two_sided:
                parts.append(np.abs(projected).max(axis=1))
            else:
                parts += [projected.max(axis=1), -projected.min(axis=1)]
        return np.concatenate(parts)

    def _average(self, t: float, df: float, reach: np.ndarray) -> float:
        """Mean over the directions of P(length * reach > t); length^2 / rank is F whatever the direction."""
        # only directions on the side of t leave anything to chance
        open_ = reach > 0 if t > 0 else reach < 0
        square, k = (t / reach[open_]) ** 2, self.rank
        beyond = chdtrc(k, square) if df >= LARGE_DF else fdtrc(k, df, square / k)
        if t > 0:
            return float(beyond.sum() / len(reach))
        return float(((1 - beyond).sum() + len(reach) - open_.sum()) / len(reach))

    def tail(self, t: float, df: float) -> float:
        """P(max > t)."""
        if self.two_sided and t <= 0:
            return 1.0
        if self.pairs_of:
            return float(range_sf(np.sqrt(2.0) * t, self.pairs_of, df))
        if self.loading is not None:
            return _structured_tail(t, df, self.loading, self.two_sided)
        found = self._average(t, df, self.reach)
        if self.known is None:
            return found
        exact, seen = self.known.tail(t, df), self._average(t, df, self.known_reach)
        if seen <= 0:
            return found
        # far out the tails are better corrected by their ratio, elsewhere by their difference
        corrected = found * exact / seen if exact < 0.05 else found + exact - seen
        return float(np.clip(corrected, 0.0, 1.0))


def _pairs_of_equal_means(R: np.ndarray) -> int:
    """K where R is the correlation of all pairwise differences of k equally precise means; else 0."""
    k = round((1 + np.sqrt(1 + 8 * len(R))) / 2)
    if k < 3 or k * (k - 1) // 2 != len(R):
        return 0
    # signs matter: three comparisons with a control have the same sizes of correlations as three pairs
    return k if np.abs(_pair_correlation(k) - R).max() < 1e-9 else 0


def max_t_sf(
    t: ArrayLike, correlation: np.ndarray, df: ArrayLike, *, two_sided: bool = True
) -> np.ndarray:
    """P(max_i |T_i| > t), or of max_i T_i, for a multivariate t.

    Parameters
    ----------
    t : array_like
        Values ``[m]``.
    correlation : numpy.ndarray
        ``[c, c]`` correlation of the statistics; may be singular.
    df : array_like
        Degrees of freedom, one or ``[m]``.
    two_sided : bool
        Whether absolute values are meant.

    Returns
    -------
    numpy.ndarray
        Exact (to about 1e-10) where the correlations have a product structure, or are those of all pairs of
        equally precise means; otherwise to about 1e-4 by quasi-random directions, with the length
        integrated exactly and the
        error of a neighbouring case with a known answer taken off.

    Notes
    -----
    With T = r d, d uniform on the sphere of the rank of the correlation, r^2 / rank has an F distribution whatever d
    is; so only directions are averaged (Genz and Bretz 2009, section 4.2).

    Examples
    --------
    >>> round(float(max_t_sf(2.0, np.eye(1), np.inf)), 4)
    0.0455
    """
    values, dfs = np.broadcast_arrays(np.asarray(t, dtype=float), np.asarray(df, dtype=float))
    made = _MaxT(correlation, two_sided)
    out = [made.tail(float(v), float(d)) for v, d in zip(values.ravel(), dfs.ravel(), strict=True)]
    return np.array(out).reshape(values.shape)


def max_t_critical(
    level: float, correlation: np.ndarray, df: ArrayLike, *, two_sided: bool = True
) -> np.ndarray:
    """Critical value c with P(max <= c) = ``level``; see :func:`max_t_sf`.

    Examples
    --------
    >>> round(float(max_t_critical(0.95, np.eye(1), np.inf)), 4)
    1.96
    """
    made = _MaxT(correlation, two_sided)
    return _over_df(lambda d: _solve_tail(made.tail, 1 - level, d, 3.0), df)


@lru_cache(maxsize=256)
def best_critical(level: float, k: int, df: float, *, two_sided: bool = False) -> float:
    """Critical value of Hsu's comparison of ``k`` equally precise means with the best.

    It is Dunnett's value (1955) for k - 1 comparisons with one mean, whose correlations are all 1/2; one-sided for
    Hsu's constrained intervals (Hsu 1984, Ann. Statist. 12, 1136).

    Examples
    --------
    >>> round(best_critical(0.95, 6, 45), 4)
    2.3005
    """
    whole("k", k, least=2)
    R = np.full((k - 1, k - 1), 0.5) + 0.5 * np.eye(k - 1)
    return float(max_t_critical(level, R, df, two_sided=two_sided))


def dunnett_mixture_sf(t: ArrayLike, m: int, df: ArrayLike) -> np.ndarray:
    """Two-sided tail of the largest of ``m`` comparisons with a control, by the mixture that emmeans calls dunnettx.

    (m - 1) / m times the studentized range of (1 + sqrt(1 + 8 m)) / 2 means plus 1 / m times Sidak; close to Dunnett
    where all correlations are 1/2.
    """
    values, dfs = np.broadcast_arrays(np.abs(np.asarray(t, dtype=float)), np.asarray(df, float))
    share = (m - 1) / m
    family = (1 + np.sqrt(1 + 8 * m)) / 2
    single = 2 * stdtr(np.minimum(dfs, 1e15), -values)
    with np.errstate(divide="ignore"):
        sidak = -np.expm1(m * np.log1p(-np.minimum(single, 1.0)))
    return np.asarray(share * range_sf(np.sqrt(2.0) * values, family, dfs) + (1 - share) * sidak)


def dunnett_mixture_critical(level: float, m: int, df: ArrayLike) -> np.ndarray:
    """Critical value of :func:`dunnett_mixture_sf`."""
    if m == 1:
        return np.asarray(stdtrit(np.minimum(np.asarray(df, float), 1e15), (1 + level) / 2))
    return _over_df(
        lambda d: _solve_tail(lambda v, e: float(dunnett_mixture_sf(v, m, e)), 1 - level, d, 3.0),
        df,
    )
