"""Normalised Bures similarity where every stimulus has a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Fidelity"]


@dataclass(frozen=True, eq=False)
class Fidelity:
    """Nuclear norms of ``X'Y`` of pairs of data sets, of unit size, under weights of the stimuli.

    Attributes
    ----------
    roots : sequence of array, ``[n, r]``
        Data sets, or roots of their Gram matrices.
    left, right : array of int, ``[m]``
        Pairs of data sets.

    Notes
    -----
    The similarity is a function of the distribution of the stimuli: the Gram matrix of stimuli written out as often as
    they were drawn is a rotation of ``C^1/2 J K J' C^1/2`` with the counts C and the weighted centring J, the same one
    for both sides. So each stimulus is scaled by the root of its weight about the weighted mean, and no copy is written
    out. Fewer distinct stimuli look more alike: replicates lie above the estimate, as those of the methods ``bures`` of
    RDMs do, and intervals about the estimate (t, the default) are for it, percentiles are not.
    """

    roots: Sequence[np.ndarray]
    left: np.ndarray
    right: np.ndarray

    def values(self, weights: np.ndarray) -> np.ndarray:
        """Similarities ``[b, m]`` of weights ``[b, n]``; NaN with fewer than 3 stimuli, or where one has no size."""
        weights = np.asarray(weights, dtype="f8")
        out = np.full((len(weights), len(self.left)), np.nan)
        for row, w in zip(out, weights, strict=True):
            drawn = np.flatnonzero(w > 0)
            if len(drawn) >= 3:
                sides = [_unit(root[drawn], w[drawn]) for root in self.roots]
                for k, (i, j) in enumerate(zip(self.left, self.right, strict=True)):
                    row[k] = _nuclear(sides[i], sides[j])
        return out


def _unit(root: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted, centred and of unit size; as few columns as stimuli."""
    share = w / w.sum()
    x = (root - share @ root) * np.sqrt(share)[:, None]
    size = np.sqrt((x * x).sum())
    # a side that does not vary leaves rounding behind
    scale = np.sqrt((root * root).sum())
    x = x / (size if size > 1e-13 * scale else np.nan)
    if x.shape[1] > x.shape[0] and np.isfinite(size):
        # x = r' q' with orthonormal q: the columns that q holds drop out of both products
        return np.asarray(np.linalg.qr(x.T, mode="r")).T
    return x


def _nuclear(x: np.ndarray, y: np.ndarray) -> float:
    product = x.T @ y
    if not np.isfinite(product.sum()):
        return float("nan")
    return float(np.linalg.svd(product, compute_uv=False).sum())
