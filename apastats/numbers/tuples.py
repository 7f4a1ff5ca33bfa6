"""Centred kernel alignment where every stimulus has a weight: means over pairs, triples and quadruples of stimuli.

Drawing stimuli with replacement makes copies. Two draws of one stimulus say nothing of two stimuli, so tuples with
copies are left out, as pairs of copies are in a bootstrap of RDMs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Alignment", "biased_shares", "unbiased_shares"]

_CHUNK = 64  # replicates per product; part of the definition of the numbers (BLAS shapes)
_BYTES = 2**27  # of the products of pairs of data sets that are held at once


def unbiased_shares(n: int) -> tuple[float, float, float]:
    """Shares of pairs, triples and quadruples in the unbiased HSIC (Song et al. 2012)."""
    return 1.0, -2.0, 1.0


def biased_shares(n: int) -> tuple[float, float, float]:
    """Shares of pairs, triples and quadruples in the plain HSIC of n stimuli (Gretton et al. 2005).

    Notes
    -----
    ``sum_ij D_ij E_ij / n^2 - 2 sum_i d_i e_i / n^3 + d e / n^4`` of squared distances, whose diagonal is 0. The second
    sum runs over pairs (j = q) and triples, the third over pairs (twice), triples (four times) and quadruples.
    """
    m2, m3, m4 = n - 1, (n - 1) * (n - 2), (n - 1) * (n - 2) * (n - 3)
    return m2 / n - 2 * m2 / n**2 + 2 * m2 / n**3, -2 * m3 / n**2 + 4 * m3 / n**3, m4 / n**3


@dataclass(frozen=True, eq=False)
class Alignment:
    """Alignments of pairs of data sets under weights of the stimuli.

    Attributes
    ----------
    distances : array, ``[k, n, n]``
        Squared distances of the stimuli in each data set (of a kernel: ``K_ii + K_jj - 2 K_ij``).
    left, right : array of int, ``[m]``
        Pairs of data sets.
    shares : tuple of three float
        From :func:`biased_shares` or :func:`unbiased_shares`, for the stimuli that the estimate has.

    Notes
    -----
    With the mean A of ``D_ij E_ij``, B of ``D_ij E_iq`` and C of ``D_ij E_qr`` over four distinct stimuli both
    estimators of HSIC are ``a A + b B + c C`` (times 1/4, which leaves the alignment). A resample weighs every four
    stimuli by the product of their weights. At weights of one it is the estimator itself, and nothing is added to the
    kernels' diagonals by copies, which raise the plain HSIC where they are written out. Sums over four distinct
    stimuli are sums over pairs and stimuli, with ``d_i = sum_j w_j D_ij``, ``d2_i = sum_j w_j^2 D_ij``,
    ``d = sum_i w_i d_i``, ``p1 = sum_i w_i`` and ``p2 = sum_i w_i^2``::

        A  sum_ij w_i w_j ((p1 - w_i - w_j)^2 - p2 + w_i^2 + w_j^2) D E
        B  sum_i w_i ((p1 - w_i) d_i e_i - d2_i e_i - d_i e2_i) - sum_ij w_i w_j^2 (p1 - w_i - 2 w_j) D E
        C  d e - 4 sum_i w_i^2 d_i e_i + 2 sum_ij w_i^2 w_j^2 D E
    """

    distances: np.ndarray
    left: np.ndarray
    right: np.ndarray
    shares: tuple[float, float, float]

    def values(self, weights: np.ndarray) -> np.ndarray:
        """Alignments ``[b, m]`` of weights ``[b, n]``; NaN with fewer than four stimuli, or where one has no size."""
        weights = np.asarray(weights, dtype="f8")
        k = len(self.distances)
        own = np.arange(k)
        left, right = np.r_[self.left, own], np.r_[self.right, own]
        found = np.concatenate(
            [
                self._products(weights[i : i + _CHUNK], left, right)
                for i in range(0, len(weights), _CHUNK)
            ]
        )
        size = found[:, len(self.left) :]
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(np.where(size > 0, size, np.nan))
            out = found[:, : len(self.left)] / root[:, self.left] / root[:, self.right]
        return np.where(((weights > 0).sum(axis=1) >= 4)[:, None], out, np.nan)

    def _products(self, w: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """``a A + b B + c C`` of every replicate and pair of data sets, ``[b, m]``."""
        used = len(w)
        k, n = self.distances.shape[:2]
        # a product of another shape could round differently
        w = np.concatenate([w, np.ones((_CHUNK - used, n))])
        w = w / np.maximum(w.mean(axis=1, keepdims=True), np.finfo(float).tiny)
        i, j = np.triu_indices(n, 1)
        p1, p2, p3, p4 = ((w**power).sum(axis=1)[:, None] for power in (1, 2, 3, 4))
        a, b, c = self.shares
        u, v = w[:, i], w[:, j]
        rest = (p1 - u - v) ** 2 - p2 + u**2 + v**2
        third = v * (p1 - u) + u * (p1 - v) - 2 * (u**2 + v**2)
        of_pairs = u * v * (2 * a * rest - b * third + 4 * c * u * v)
        of_stimuli = b * w * (p1 - w) - 4 * c * w**2
        flat = self.distances[:, i, j]
        square = self.distances.reshape(k * n, n).T
        sums, squared = ((z @ square).reshape(_CHUNK, k, n) for z in (w, w**2))
        total = np.matmul(sums, w[:, :, None])[:, :, 0]
        out = np.empty((_CHUNK, len(left)))
        step = max(1, _BYTES // (8 * max(flat.shape[1], _CHUNK * n)))
        for start in range(0, len(left), step):
            x, y = left[start : start + step], right[start : start + step]
            part = of_pairs @ (flat[x] * flat[y]).T
            part += np.matmul(sums[:, x] * sums[:, y], of_stimuli[:, :, None])[:, :, 0]
            mixed = squared[:, x] * sums[:, y] + sums[:, x] * squared[:, y]
            part -= b * np.matmul(mixed, w[:, :, None])[:, :, 0]
            part += c * total[:, x] * total[:, y]
            out[:, start : start + step] = part
        with np.errstate(invalid="ignore", divide="ignore"):
            out /= p1**4 - 6 * p1**2 * p2 + 3 * p2**2 + 8 * p1 * p3 - 6 * p4
        return out[:used]
