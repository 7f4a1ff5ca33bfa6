"""Permutations of ROI labels: free, within streams, or keeping their places in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations, product

import numpy as np

from apastats.errors import InputError
from apastats.resampling.plans import (
    DEFAULT_RESAMPLES,
    Plan,
    Resamples,
    check_resamples,
    exact_plan,
    sampled_plan,
)
from apastats.resampling.relabel import MAX_EXACT, orderings
from apastats.seeds import RngLike

__all__ = ["contract", "roi_permutations", "spin_coordinates"]


def roi_permutations(
    n_roi: int,
    *,
    groups: Sequence[Sequence[int]] | None = None,
    coordinates: np.ndarray | None = None,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
) -> Plan:
    """Permutations of ROI labels; row entry t is the ROI whose value entry t gets.

    Parameters
    ----------
    n_roi : int
        ROIs.
    groups : sequence of sequence of int, optional
        Labels are exchanged within these groups only.
    coordinates : numpy.ndarray, shape (n_roi, n_dimension), optional
        Random rotations (and reflections) of the ROIs about their centre, each ROI assigned to a place
        so that the summed distance is least: neighbours stay neighbours as far as the places allow.
    n_resamples : "auto", "exact" or int
        ``"auto"`` enumerates up to 2^20 permutations and samples 19,999 above. Rotations are sampled.
    rng : int, Generator, SeedSequence or None
        Used by sampled plans only.

    Returns
    -------
    Plan
        The first row of an enumerated plan is the identity.

    Notes
    -----
    Rotation and assignment: Alexander-Bloch et al. 2018 (NeuroImage 178:540), with the assignment of
    Vasa et al. 2018 (Cerebral Cortex 28:281).
    """
    if coordinates is not None:
        return _rotations(np.asarray(coordinates, dtype=np.float64), n_resamples, rng)
    if groups is None:
        return orderings(n_roi, n_resamples, rng)
    flat = [i for g in groups for i in g]
    if sorted(flat) != list(range(n_roi)):
        raise InputError("groups", groups, "every ROI in exactly one group")
    n_resamples = check_resamples(n_resamples)
    total = math.prod(math.factorial(len(g)) for g in groups)
    if n_resamples == "exact" and total > MAX_EXACT:
        raise InputError(
            "n_resamples", "exact", f"a number: there are {total:.3g} permutations, more than 2^20"
        )
    places = [np.asarray(g, dtype=np.intp) for g in groups]
    if n_resamples == "exact" or (n_resamples == "auto" and total <= MAX_EXACT):
        table = np.empty((total, n_roi), dtype=np.int16)
        parts = [np.array(list(permutations(g)), dtype=np.int16) for g in groups]
        picks = np.array(list(product(*(range(len(p)) for p in parts))), dtype=np.intp)
        for j, (place, part) in enumerate(zip(places, parts, strict=True)):
            table[:, place] = part[picks[:, j]]
        return exact_plan("permutation within groups", table, None)

    def draw(g: np.random.Generator, rows: int) -> np.ndarray:
        out = np.empty((rows, n_roi))
        for place in places:
            out[:, place] = g.permuted(np.tile(place, (rows, 1)), axis=1)
        return out

    size = DEFAULT_RESAMPLES if n_resamples == "auto" else int(n_resamples)
    return sampled_plan("permutation within groups", n_roi, size, rng, draw)


def _rotations(coordinates: np.ndarray, n_resamples: Resamples, rng: RngLike) -> Plan:
    from scipy.optimize import linear_sum_assignment

    n_resamples = check_resamples(n_resamples)
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number: rotations cannot be enumerated")
    n, d = coordinates.shape
    if d < 2 or not np.isfinite(coordinates).all():
        raise InputError(
            "coordinates", f"shape {coordinates.shape}", "finite numbers [n_roi, 2 or 3]"
        )
    centred = coordinates - coordinates.mean(axis=0)

    def draw(g: np.random.Generator, rows: int) -> np.ndarray:
        out = np.empty((rows, n))
        for b, gauss in enumerate(g.standard_normal((rows, d, d))):
            q, r = np.linalg.qr(gauss)
            turned = centred @ (q * np.sign(np.diag(r)))  # uniform on the orthogonal group
            gap = ((centred[:, None] - turned[None]) ** 2).sum(axis=-1)
            out[b] = linear_sum_assignment(gap)[1]
        return out

    size = DEFAULT_RESAMPLES if n_resamples == "auto" else int(n_resamples)
    return sampled_plan("rotation", n, size, rng, draw)


def spin_coordinates(distances: np.ndarray) -> np.ndarray:
    """Places in up to three dimensions with about these distances (classical scaling).

    Raises
    ------
    InputError
        If the matrix is not symmetric with a zero diagonal, or has no two dimensions.
    """
    d = np.asarray(distances, dtype=np.float64)
    square = d.ndim == 2 and d.shape[0] == d.shape[1] and np.isfinite(d).all()
    if not square or not np.allclose(d, d.T) or not np.allclose(np.diag(d), 0) or (d < 0).any():
        raise InputError(
            "distances", f"shape {d.shape}", "a symmetric matrix >= 0 with a zero diagonal"
        )
    centring = np.eye(len(d)) - 1 / len(d)
    values, vectors = np.linalg.eigh(-0.5 * centring @ (d * d) @ centring)
    keep = np.argsort(values)[::-1][:3]
    keep = keep[values[keep] > 1e-9 * max(values.max(), 0.0)]
    if len(keep) < 2:
        raise InputError(
            "distances", f"shape {d.shape}", "distances that span two dimensions or more"
        )
    out: np.ndarray = vectors[:, keep] * np.sqrt(values[keep])
    return out


def contract(permutation: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Permutations of a subset: places outside are taken out of their cycles.

    Parameters
    ----------
    permutation : numpy.ndarray of int, shape (n_row, n)
    keep : numpy.ndarray of int, shape (k,)
        Places that stay, ascending.

    Returns
    -------
    numpy.ndarray of int, shape (n_row, k)
        Positions within ``keep``. Uniform over permutations of the subset if the rows are uniform; the
        identity stays the identity, and nothing leaves its group.
    """
    n = permutation.shape[1]
    if len(keep) == n:
        return permutation
    inside = np.zeros(n, dtype=bool)
    inside[keep] = True
    rows = np.arange(len(permutation))[:, None]
    out = permutation[:, keep]
    while True:
        outside = ~inside[out]
        if not outside.any():
            break
        out = np.where(outside, permutation[rows, out], out)
    place = np.cumsum(inside) - 1
    return np.asarray(place[out])
