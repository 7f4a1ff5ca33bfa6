"""Random graphs in which every node keeps its degree."""

from __future__ import annotations

import numpy as np

from apastats.errors import InputError
from apastats.resampling.plans import BLOCK
from apastats.seeds import block_generator

__all__ = ["rewired"]

SWAPS = 10  # tries per connection; Milo et al. 2003 found that more changes nothing


def rewired(matrix: np.ndarray, n_resamples: int, root: np.random.SeedSequence) -> np.ndarray:
    """Random graphs with the degrees of a graph.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n_node, n_node)
        Symmetric; 0 is no connection. Every connection keeps its weight wherever it goes.
    n_resamples : int
    root : numpy.random.SeedSequence

    Returns
    -------
    numpy.ndarray, shape (n_resamples, n_node, n_node)

    Raises
    ------
    InputError
        If the matrix is not symmetric, or no two connections can be exchanged (all nodes are connected, or a star).

    Notes
    -----
    Two connections a-b and c-d become a-d and c-b where both are new (Maslov and Sneppen 2002), 10 tries per
    connection, the same tries in all graphs at once. How many connections each node has stays exactly the same;
    the sums of their weights do not.
    """
    if not np.allclose(matrix, matrix.T):
        raise InputError("matrix", "not symmetric", "a symmetric matrix for null='degree'")
    edges = np.argwhere(np.triu(matrix != 0, 1))
    if not _movable(matrix != 0, edges):
        hint = "Leave out the weakest connections (set them to 0) first."
        raise InputError(
            "matrix",
            f"{len(edges)} connections",
            "connections of which some can be moved",
            hint=hint,
        )
    blocks = [
        _block(matrix, edges, min(BLOCK, n_resamples - i), block_generator(root, j))
        for j, i in enumerate(range(0, n_resamples, BLOCK))
    ]
    return np.concatenate(blocks)


def _movable(there: np.ndarray, edges: np.ndarray) -> bool:
    """Whether any two connections can be exchanged."""
    a, b = edges.T
    for u, v in ((a, b), (b, a)):
        apart = (u[:, None] != a) & (u[:, None] != b) & (v[:, None] != a) & (v[:, None] != b)
        if (apart & ~there[u[:, None], b[None]] & ~there[a[None], v[:, None]]).any():
            return True
    return False


def _block(
    matrix: np.ndarray, edges: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    n_edge, each = len(edges), np.arange(size)
    weights = matrix[edges[:, 0], edges[:, 1]]
    ends = np.repeat(edges[None], size, axis=0)
    there = np.repeat((matrix != 0)[None], size, axis=0)
    for _ in range(SWAPS * n_edge):
        i, j = rng.integers(0, n_edge, (2, size))
        turn = rng.integers(0, 2, size)
        a, b = ends[each, i, 0], ends[each, i, 1]
        c, d = ends[each, j, turn], ends[each, j, 1 - turn]
        free = (a != c) & (a != d) & (b != c) & (b != d) & ~there[each, a, d] & ~there[each, c, b]
        k, p, q, r, s = each[free], a[free], b[free], c[free], d[free]
        for x, y, value in ((p, q, False), (r, s, False), (p, s, True), (r, q, True)):
            there[k, x, y] = there[k, y, x] = value
        ends[k, i[free]] = np.column_stack([p, s])
        ends[k, j[free]] = np.column_stack([r, q])
    out = np.zeros((size, *matrix.shape))
    out[each[:, None], ends[:, :, 0], ends[:, :, 1]] = weights
    out[each[:, None], ends[:, :, 1], ends[:, :, 0]] = weights
    return out
