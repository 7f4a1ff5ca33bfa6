"""Quantiles of replicates: with equal weights (two rules) and of an enumerated distribution."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtri

from apastats.arguments import choice

__all__ = ["QuantileRule", "check_rule", "mass_below", "quantiles"]

QuantileRule: TypeAlias = Literal["linear", "boot"]

_PROBE = 4096  # size of the systematic sample that brackets a weighted quantile
_TIE = 1e-12  # probabilities closer than this are the same


def check_rule(rule: str) -> None:
    """Raise InputError unless ``rule`` is a quantile rule."""
    choice("quantile_rule", rule, ("linear", "boot"))


def quantiles(
    values: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
    rule: QuantileRule = "linear",
) -> np.ndarray:
    """Quantiles of each row.

    Parameters
    ----------
    values : array, ``[m, B]``
        Replicates; NaN entries are left out, infinite ones kept.
    probabilities : array, ``[m, k]`` or ``[k]``
        NaN gives NaN.
    weights : array, ``[B]``, optional
        Probabilities of the replicates of an enumerated plan.
    rule : {"linear", "boot"}
        For equal weights. ``linear`` interpolates between order statistics at ``1 + (B - 1) p``
        (Hyndman and Fan's type 7); ``boot`` takes order statistic number ``(B + 1) p`` and, where
        that is not whole, interpolates on the normal-quantile scale (R's ``boot``, Davison and Hinkley
        1997, eq. 5.8). An enumerated distribution is discrete and known, so with ``weights`` the
        quantile is the inverse of its distribution function, averaged over both neighbours where
        that function equals p.

    Returns
    -------
    numpy.ndarray, ``[m, k]``
    """
    check_rule(rule)
    values = np.asarray(values, dtype=np.float64)
    wanted = np.asarray(probabilities, dtype=np.float64)
    if wanted.ndim == 1:
        wanted = np.broadcast_to(wanted, (len(values), len(wanted)))
    if weights is None:
        return _equal_weights(values, wanted, rule)
    probe = _systematic(weights)
    out = np.empty(wanted.shape)
    for i, row in enumerate(values):
        out[i] = _weighted_row(row, wanted[i], weights, probe)
    return out


def _equal_weights(values: np.ndarray, wanted: np.ndarray, rule: QuantileRule) -> np.ndarray:
    """Sort the rows once, then read all quantiles."""
    ordered = np.sort(values, axis=1)
    size = np.isfinite(values).sum(axis=1) + np.isinf(values).sum(axis=1)
    n = size[:, None].astype(np.float64)
    p = np.where(np.isnan(wanted) | (n == 0), 0.5, wanted)
    if rule == "linear":
        position = (n - 1) * p
        low = np.floor(position)
        share = position - low
    else:
        position = (n + 1) * p
        # (B + 1) p is whole in exact arithmetic more often than in floating point
        whole = np.abs(position - np.rint(position)) < 1e-9
        position = np.where(whole, np.rint(position), position)
        k = np.clip(np.floor(position), 1, np.maximum(n, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            here, after = ndtri(k / (n + 1)), ndtri((k + 1) / (n + 1))
            share = (ndtri(p) - here) / (after - here)
        inside = (position > 1) & (position < n) & ~whole
        share = np.where(inside, share, 0.0)
        low = k - 1
    top = np.maximum(n - 1, 0)
    first = np.clip(low, 0, top).astype(np.intp)
    second = np.clip(low + 1, 0, top).astype(np.intp)
    a = np.take_along_axis(ordered, first, axis=1)
    b = np.take_along_axis(ordered, second, axis=1)
    with np.errstate(invalid="ignore"):
        between = a + share * (b - a)
    # no arithmetic where there is nothing between: inf - inf would be NaN
    out = np.where((share == 0) | (a == b), a, between)
    return np.where(np.isnan(wanted) | (n == 0), np.nan, out)


def _systematic(weights: np.ndarray) -> np.ndarray:
    """Indices of about ``_PROBE`` replicates, drawn evenly along the cumulated weights."""
    edges = np.cumsum(weights)
    places = (np.arange(_PROBE) + 0.5) * (edges[-1] / _PROBE)
    return np.minimum(np.searchsorted(edges, places), len(weights) - 1)


def _weighted_row(
    row: np.ndarray, wanted: np.ndarray, weights: np.ndarray, probe: np.ndarray
) -> np.ndarray:
    """Weighted quantiles of one row; only the tail beyond a safe bracket is sorted."""
    if np.isnan(row).any():
        keep = ~np.isnan(row)
        if not keep.any():
            return np.full(len(wanted), np.nan)
        row, weights = row[keep], weights[keep]
        weights = weights / weights.sum()
        probe = _systematic(weights)
    guide = np.sort(row[probe])
    out = np.empty(len(wanted))
    for j, p in enumerate(wanted):
        if np.isnan(p):
            out[j] = np.nan
        elif p <= 0.5:
            out[j] = _lower_tail(row, float(p), weights, guide)
        else:
            # the same computation mirrored: quantiles of -x are minus quantiles of x, bit for bit
            out[j] = -_lower_tail(-row, float(1 - p), weights, -guide[::-1])
    return out


def _lower_tail(row: np.ndarray, p: float, weights: np.ndarray, guide: np.ndarray) -> float:
    """Inverse distribution function at ``p``, from the replicates at or below a bracket."""
    # most often wide enough; where it is not, that is seen, and a wider one taken
    spread = 2.5 * np.sqrt(p * (1 - p) / len(guide)) + 2 / len(guide)
    while True:
        place = int((p + spread) * len(guide)) + 1
        bound = guide[place] if place < len(guide) else np.inf
        part = np.flatnonzero(row <= bound)
        x, w = row[part], weights[part]
        # the outermost replicates are many and weigh little: their mass is enough
        inner = int((p - spread) * len(guide)) - 1
        below = x < guide[inner] if inner > 0 else np.zeros(len(x), dtype=bool)
        mass = float(w[below].sum())
        full = len(part) == len(row)
        value = None
        if inner <= 0 or mass < p - 2 * _TIE:
            value = _inverse(x[~below], w[~below], p - mass, full)
        if value is not None:
            return value
        spread = 1.0 if spread > 0.2 else 3 * spread


def _inverse(x: np.ndarray, w: np.ndarray, p: float, full: bool) -> float | None:
    """Smallest x with F(x) >= p among these; None if they do not reach beyond p."""
    order = np.argsort(x)
    reached = np.cumsum(w[order])
    at = int(np.searchsorted(reached, p - _TIE))
    if at >= len(x) - 1 and not full:
        return None
    at = min(at, len(x) - 1)
    here = float(x[order[at]])
    if abs(reached[at] - p) <= _TIE and at + 1 < len(x):
        after = float(x[order[at + 1]])
        return here if after == here else 0.5 * (here + after)
    return here


def mass_below(
    values: np.ndarray,
    threshold: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    ties: float = 0.5,
    tolerance: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Share of each row's replicates below a threshold.

    Parameters
    ----------
    values : array, ``[m, B]``
        Replicates; NaN entries are left out.
    threshold : array, ``[m]``
        One threshold per row.
    weights : array, ``[B]``, optional
        Probabilities of the replicates; None for equal ones.
    ties : float
        Share of replicates equal to the threshold that counts: 0.5 is symmetric, 0 is R's.
    tolerance : array ``[m]`` or float
        Replicates this close to the threshold are equal to it.
    """
    out = np.empty(len(values))
    tolerance = np.broadcast_to(np.asarray(tolerance, dtype=float), threshold.shape)
    for i, row in enumerate(values):
        below = row < threshold[i] - tolerance[i]
        at_most = row <= threshold[i] + tolerance[i]
        if weights is None:
            total = float(len(row) - np.isnan(row).sum())
            under, upto = float(np.count_nonzero(below)), float(np.count_nonzero(at_most))
        else:
            missing = np.isnan(row)
            total = 1.0 if not missing.any() else float(weights[~missing].sum())
            under, upto = float(weights @ below), float(weights @ at_most)
        out[i] = (under + ties * (upto - under)) / total if total else np.nan
    return out
