"""Similarities of RDMs under a bootstrap of stimuli, as weighted inner products.

Drawing stimuli with replacement and leaving out pairs of the same stimulus makes the pair (a, b) occur
``c_a c_b`` times. Every similarity that is a function of sums over pairs is then the same function with
these weights, and a block of replicates is one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.errors import DataError, InputError
from apastats.scoring.methods import METHODS, comparison
from apastats.scoring.stimuli.drawn_ranks import DrawnRanks

__all__ = ["PairKernel", "PairMoments", "gram_ceilings"]

_CHUNK = 256  # replicates per product; part of the definition of the numbers (BLAS shapes)


@dataclass(frozen=True, eq=False)
class PairMoments:
    """Inner products of b replicates in the metric of the similarity.

    Attributes
    ----------
    xy : array, ``[b, S, M]``
    xx : array, ``[b, S, S]``
    yy : array, ``[b, M]``
        Squared norms of y.
    scale : array, ``[b, S]``
        Factor each RDM of x has when it is pooled with others.
    normalised : bool
        Whether similarities divide by the norms (all but rho-a).
    """

    xy: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    scale: np.ndarray
    normalised: bool = True

    def scores(self) -> np.ndarray:
        """Similarities ``[b, S, M]``; NaN where an RDM has no variation left."""
        if not self.normalised:
            return self.xy
        norm = np.sqrt(np.einsum("bii->bi", self.xx))
        with np.errstate(invalid="ignore", divide="ignore"):
            out: np.ndarray = self.xy / norm[:, :, None] / np.sqrt(self.yy)[:, None]
        return out


class PairKernel:
    """Weighted similarities of ``S`` RDMs x with ``M`` RDMs y over the same ``n`` stimuli.

    Parameters
    ----------
    x, y : array, ``[S, D]`` and ``[M, D]``
        Upper triangles, row-major, ``D = n (n - 1) / 2``, no NaN.
    method : str
        One that takes weights; definitions as in :func:`apastats.rdm_similarity`.

    Raises
    ------
    InputError
        If the method has no such form.
    DataError
        If RDMs have missing entries.

    Notes
    -----
    Whitened measures: the projection is diagonal plus rank one in the multiplicities, with
    ``d_a = N / 2 - c_a + 1``, and is solved by the Sherman-Morrison formula from the row sums ``X c``:
    ``<x, y> = 2 sum_{a<b} c_a c_b x_ab y_ab - sum_a c_a alpha_x(a) g_y(a)``. Ranks:
    :class:`apastats.scoring.stimuli.drawn_ranks.DrawnRanks`.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, method: str) -> None:
        c = comparison(method)
        if c.stimuli != "weights":
            allowed = [name for name, row in METHODS.items() if row.stimuli == "weights"]
            raise InputError(
                "method", method, f"one of {allowed} where stimuli are drawn by weights"
            )
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        # a sum is finite where all entries are
        if not np.isfinite(x.sum() + y.sum()):
            raise DataError("RDMs have missing entries; a bootstrap of stimuli needs complete ones")
        self.comparison, self.s, self.m = c, len(x), len(y)
        self.n = round((1 + np.sqrt(1 + 8 * x.shape[1])) / 2)
        self.iu, self.ju = np.triu_indices(self.n, 1)
        self.ranked = c.ranks
        z = np.concatenate([x, y])
        if self.ranked:
            self.ranks = DrawnRanks(z)
            return
        level = np.zeros(len(z))
        if c.centred:
            level = z.mean(axis=1)
            z -= level[:, None]
        size = np.sqrt(np.einsum("ij,ij->i", z, z) / z.shape[1])
        size[size <= 1e-13 * np.abs(level)] = 0.0  # what is left of a constant RDM is rounding
        # neither level nor size matters; without them sums lose no digits. Rows then have |z|^2 = D
        with np.errstate(divide="ignore", invalid="ignore"):
            z *= (1 / size)[:, None]
        self.z = z
        self._products: np.ndarray | None = None
        self._squares: np.ndarray | None = None

    # ------------------------------------------------------------------ data as they are
    def plain(self) -> PairMoments:
        """Moments of the data themselves, ``b = 1``."""
        if self.ranked:
            return self.moments(np.ones((1, self.n)))
        x, y = self.z[: self.s], self.z[self.s :]
        scale = np.full((1, self.s), 1 / np.sqrt(x.shape[1]))
        yy = np.full(self.m, float(y.shape[1]))
        with np.errstate(invalid="ignore"):
            if self.comparison.whitened:
                x, y = self._centred_moments(x), self._centred_moments(y)
                yy = np.einsum("ij,ij->i", y, y)
            return PairMoments((x @ y.T)[None], (x @ x.T)[None], yy[None], scale)

    def _centred_moments(self, z: np.ndarray) -> np.ndarray:
        """Off-diagonal (times sqrt 2) and diagonal of doubly centred second moments."""
        square = np.zeros((len(z), self.n, self.n))
        square[:, self.iu, self.ju] = z
        row = (square.sum(axis=1) + square.sum(axis=2)) / self.n
        total = row.mean(axis=1, keepdims=True)
        off = z - row[:, self.iu] - row[:, self.ju] + total
        return np.concatenate([off * np.sqrt(2), total - 2 * row], axis=1)

    # ------------------------------------------------------------------ resampled
    def moments(self, counts: np.ndarray) -> PairMoments:
        """Moments of every replicate.

        Parameters
        ----------
        counts : array, ``[b, n]``
            How often each stimulus is drawn.
        """
        counts = np.asarray(counts, dtype=np.float64)
        step = _CHUNK
        parts = []
        for start in range(0, len(counts), step):
            part = counts[start : start + step]
            used = len(part)
            if used < step and len(counts) > step and not self.ranked:
                # a product of another shape could round differently
                part = np.concatenate([part, np.ones((step - used, self.n))])
            with np.errstate(invalid="ignore", divide="ignore"):
                found = self._ranks(part) if self.ranked else self._sums(part)
            few = (part > 0).sum(axis=1) < 3
            for array in (found.xy, found.xx, found.yy):
                array[few] = np.nan
            parts.append([a[:used] for a in (found.xy, found.xx, found.yy, found.scale)])
        xy, xx, yy, scale = (np.concatenate(p) for p in zip(*parts, strict=True))
        return PairMoments(xy, xx, yy, scale, self.comparison.normalised)

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``.

        The pools of the ceilings hold every subject once.
        """
        moments = self.moments(counts)
        scores = moments.scores()
        if not ceiling:
            return scores
        lower, upper = gram_ceilings(moments, np.ones((len(scores), self.s)))
        return np.concatenate([scores, lower[:, :, None], upper[:, :, None]], axis=2)

    def _sums(self, c: np.ndarray) -> PairMoments:
        """Weighted sums for measures without ranks."""
        s, m = self.s, self.m
        tri = np.triu_indices(s)
        if self._products is None:
            x, y = self.z[:s], self.z[s:]
            products = [
                (x[:, None] * y[None]).reshape(s * m, x.shape[1]),
                x[tri[0]] * x[tri[1]],
                y * y,
            ]
            if self.comparison.centred:
                products += [x, y]
            self._products = np.concatenate(products).T.copy()
        w = c[:, self.iu] * c[:, self.ju]
        p = w @ self._products
        ends = np.cumsum([s * m, len(tri[0]), m, s])
        xy = p[:, : ends[0]].reshape(len(c), s, m)
        xx = np.empty((len(c), s, s))
        xx[:, tri[0], tri[1]] = xx[:, tri[1], tri[0]] = p[:, ends[0] : ends[1]]
        yy = p[:, ends[1] : ends[2]]
        means = None
        if self.comparison.centred:
            total = w.sum(axis=1)[:, None]
            sx, sy = p[:, ends[2] : ends[3]], p[:, ends[3] :]
            with np.errstate(invalid="ignore", divide="ignore"):
                mx, my = sx / total, sy / total
            xy = xy - sx[:, :, None] * my[:, None]
            xx = xx - sx[:, :, None] * mx[:, None]
            yy = yy - sy * my
            means = np.concatenate([mx, my], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = 1 / np.sqrt(np.einsum("bii->bi", xx))
        if self.comparison.whitened:
            xy, xx, yy = self._whiten(c, xy, xx, yy, means)
        return PairMoments(np.ascontiguousarray(xy), xx, np.ascontiguousarray(yy), scale)

    def _whiten(
        self,
        c: np.ndarray,
        xy: np.ndarray,
        xx: np.ndarray,
        yy: np.ndarray,
        means: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inner products in the whitened metric, by Sherman-Morrison."""
        s, k, n = self.s, self.s + self.m, self.n
        if self._squares is None:
            square = np.zeros((k, n, n))
            square[:, self.iu, self.ju] = square[:, self.ju, self.iu] = self.z
            self._squares = square.reshape(k * n, n).T.copy()
        g = (c @ self._squares).reshape(len(c), k, n)
        total = c.sum(axis=1)[:, None]
        if means is not None:
            g = g - means[:, :, None] * (total - c)[:, None]
        d = total / 2 - c + 1
        share = c / d
        t = np.matmul(g, share[:, :, None])[:, :, 0]
        bend = 2 * (1 + share.sum(axis=1) / 2)
        alpha = (g - (t / bend[:, None])[:, :, None]) * share[:, None]
        cross = np.matmul(alpha[:, :s], g.transpose(0, 2, 1))
        own = np.einsum("bmn,bmn->bm", alpha[:, s:], g[:, s:])
        return 2 * xy - cross[:, :, s:], 2 * xx - cross[:, :, :s], 2 * yy - own

    def _ranks(self, c: np.ndarray) -> PairMoments:
        """Sums of mid-ranks among the drawn pairs, each as often as it is drawn."""
        b, s = len(c), self.s
        products, own = np.empty((b, s, s + self.m)), np.empty((b, self.m))
        total = np.empty(b)
        for row, (weight, ranks) in enumerate(self.ranks.each(c)):
            np.matmul(ranks[:s] * weight, ranks.T, out=products[row])
            np.matmul(np.square(ranks[s:]), weight, out=own[row])
            total[row] = weight.sum()
        if not self.comparison.normalised:
            with np.errstate(invalid="ignore", divide="ignore"):
                factor = 12 / (total**3 - total)
            products *= factor[:, None, None]
            own *= factor[:, None]
        return PairMoments(
            np.ascontiguousarray(products[:, :, s:]),
            np.ascontiguousarray(products[:, :, :s]),
            own,
            np.ones((b, s)),
            self.comparison.normalised,
        )


def gram_ceilings(moments: PairMoments, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Noise ceilings of every subject from inner products of the subjects' RDMs.

    Parameters
    ----------
    moments : PairMoments
        ``b`` replicates, or one that serves all rows of ``subjects``.
    subjects : array, ``[b, S]``
        Weight of each subject in the pool.

    Returns
    -------
    lower, upper : numpy.ndarray, ``[b, S]``
        Similarity of the subject's RDM with the pool of the others (all copies of the subject left out)
        and with the pool of all (Nili et al. 2014); NaN for subjects with weight 0, and lower where
        nobody else is there.
    """
    k = moments.xx
    u = subjects * moments.scale
    ku = u @ k[0] if len(k) == 1 else np.matmul(k, u[:, :, None])[:, :, 0]
    own = np.einsum("bii->bi", k)
    present = subjects > 0
    if not moments.normalised:
        total = subjects.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            upper, lower = ku / total, (ku - own * u) / (total - subjects)
        return np.where(present, lower, np.nan), np.where(present, upper, np.nan)
    uku = (u * ku).sum(axis=1, keepdims=True)
    rest = uku - 2 * u * ku + u * u * own
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = ku / np.sqrt(own * uku)
        lower = (ku - own * u) / np.sqrt(own * np.where(rest > 1e-12 * uku, rest, np.nan))
    return np.where(present, lower, np.nan), np.where(present, upper, np.nan)
