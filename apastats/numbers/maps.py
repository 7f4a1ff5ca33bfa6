"""Statistics of maps over units and time: t of every point, mass of clusters, threshold-free enhancement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from apastats.memory import reserve
from apastats.numbers.moments import ROUNDING

__all__ = ["clusters", "edges_of", "flipped_t", "mass_map", "maps_under", "tfce_map"]

LARGEST_T = 200.0  # of enhancement: t beyond counts as that; the t of a constant is 10^6 and more
NODES = 20_000_000  # heights of points held in memory at once


def edges_of(shape: tuple[int, ...], adjacency: Any) -> np.ndarray:
    """Pairs of neighbours ``[2, n_edge]`` among the points of a map, in C order.

    Parameters
    ----------
    shape : tuple of int
        Axes of the map.
    adjacency : scipy.sparse matrix or None
        Neighbours along the first axis, symmetric; None for neighbours along a line. All further axes are lines (time).
    """
    place = np.arange(int(np.prod(shape))).reshape(shape)
    found = []
    for axis in range(len(shape)):
        rows = np.moveaxis(place, axis, 0)
        if axis == 0 and adjacency is not None:
            i, j = adjacency.tocoo().coords
            i, j = i[i < j], j[i < j]
        else:
            i, j = np.arange(len(rows) - 1), np.arange(1, len(rows))
        found.append(np.stack([rows[i].ravel(), rows[j].ravel()]))
    return np.concatenate(found, axis=1)


def flipped_t(x: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """One-sample t ``[b, m]`` of ``[n, m]`` under signs ``[b, n]``; 0 where nothing varies about 0.

    The sum of squares is the same under every sign.
    """
    n = len(x)
    mean = signs @ x / n
    square = (x**2).sum(axis=0) / n
    variance = np.maximum(square - mean**2, 0.0)
    # a constant other than 0: its t is as large as it gets, and the same however a product of matrices rounds
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mean * np.sqrt((n - 1) / np.maximum(variance, ROUNDING * square))
    return np.where(square > 0, t, 0.0)


def _components(active: np.ndarray, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, int]:
    """Component of every active point, in the order of ``np.flatnonzero(active)``, and their number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = np.cumsum(active) - 1
    size = int(place[-1]) + 1 if len(place) else 0
    graph = coo_array((np.ones(len(i), dtype=np.int8), (place[i], place[j])), shape=(size, size))
    count, labels = connected_components(graph.tocsr(), directed=False)
    return labels, int(count)


def clusters(t: np.ndarray, edges: np.ndarray, threshold: float) -> np.ndarray:
    """Cluster of every point of ``[m]`` above a threshold, from 0 on; -1 elsewhere."""
    out = np.full(len(t), -1)
    active = t > threshold
    if active.any():
        both = active[edges[0]] & active[edges[1]]
        out[active], _ = _components(active, edges[0][both], edges[1][both])
    return out


def mass_map(t: np.ndarray, edges: np.ndarray, threshold: float) -> np.ndarray:
    """Sum of t over the cluster of every point, ``[b, m]``; 0 at or below the threshold."""
    b, m = t.shape
    out = np.zeros(b * m)
    flat = t.ravel()
    active = flat > threshold
    if active.any():
        i, j = _stacked(t > threshold, edges)
        labels, count = _components(active, i, j)
        out[active] = np.bincount(labels, weights=flat[active], minlength=count)[labels]
    return out.reshape(b, m)


def _stacked(active: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges between active points of a stack ``[b, m]`` of maps, in flat positions."""
    layer, edge = np.nonzero(active[:, edges[0]] & active[:, edges[1]])
    start = layer * active.shape[1]
    return start + edges[0][edge], start + edges[1][edge]


def tfce_map(t: np.ndarray, edges: np.ndarray, step: float) -> np.ndarray:
    """Threshold-free cluster enhancement of ``[b, m]``: ``sum_h extent(h)^0.5 h^2 step``, h from step in steps.

    The extent is that of the cluster of points with ``t >= h`` a point is in (Smith and Nichols 2009).
    """
    b, m = t.shape
    # a point is active at as many levels as fit below it; so is an edge below both its ends
    levels = np.floor(np.clip(t, 0.0, LARGEST_T) / step * (1 + 1e-12)).astype(np.int64)
    if b > 1 and levels.sum() > NODES:
        return np.concatenate([tfce_map(half, edges, step) for half in np.array_split(t, 2)])
    reserve(f"{levels.sum():,} heights of {m:,} points", 80.0 * levels.sum(), "a larger step=")
    out = np.zeros(b * m)
    flat = levels.ravel()
    first = np.cumsum(flat) - flat  # nodes of a point stand together, one per level
    node_point = np.repeat(np.arange(b * m), flat)
    if not len(node_point):
        return out.reshape(b, m)
    height = np.arange(len(node_point)) - first[node_point]
    low = np.minimum(levels[:, edges[0]], levels[:, edges[1]])
    layer, edge = np.nonzero(low)
    count = low[layer, edge]
    start = layer * m
    ends = np.cumsum(count) - count
    level = np.arange(int(count.sum())) - np.repeat(ends, count)
    i = np.repeat(first[start + edges[0][edge]], count) + level
    j = np.repeat(first[start + edges[1][edge]], count) + level
    labels, number = _components(np.ones(len(node_point), dtype=bool), i, j)
    extent = np.bincount(labels, minlength=number)[labels]
    value = np.sqrt(extent) * ((height + 1) * step) ** 2 * step
    return np.bincount(node_point, weights=value, minlength=b * m).reshape(b, m)


def maps_under(
    signs: np.ndarray, x: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], size: int
) -> Iterator[np.ndarray]:
    """Maps of the statistic under some signs at a time, ``[b, m]``."""
    for start in range(0, len(signs), size):
        yield statistic(flipped_t(x, signs[start : start + size]))
