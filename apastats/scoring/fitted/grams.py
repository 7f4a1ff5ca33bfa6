"""Inner products of RDMs under weights of stimuli, from the pairs of drawn stimuli alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apastats.errors import InputError
from apastats.scoring.methods import comparison
from apastats.scoring.stimuli.drawn_ranks import pairs_of
from apastats.scoring.stimuli.pair_weights import PairKernel

__all__ = ["PairGrams"]

_ROWS = (
    16  # Gram matrices per product: shapes of products, so part of the definition of the numbers
)
_NUMBERS = (
    1 << 20
)  # entries gathered at once: what bounds memory, for any number of stimuli and members


class PairGrams:
    """Inner products of K RDMs in the metric of a similarity, for any weights of their stimuli.

    Parameters
    ----------
    z : array, ``[K, n_pair]``
        RDMs, no NaN.
    method : str
        A method that takes weights of stimuli.
    variances : array, ``[n]``, optional
        Noise variance of each stimulus, for the whitened methods (their ``sigma_k``); equal ones by default.

    Attributes
    ----------
    size : array, ``[K]``
        What each RDM was divided by.

    Notes
    -----
    Stimulus a drawn c_a times gives the pair (a, b) the weight ``c_a c_b``. A fold of a resample holds few of all
    stimuli, so few pairs: those are gathered, times the root of their weight, and multiplied with themselves
    (``[K, pairs] x [pairs, K]``, many folds in one batched product). That is a tenth of the pairs for half of a
    bootstrap sample, and needs no products of RDMs in memory.

    Means (centred methods) come from a row of ones that stands beside the RDMs. Whitened methods: the covariance of
    the distances (a, b) is ``diag(2 s_a s_b) + M' diag(s^2) M`` with noise variances s and M the incidence of
    stimuli in pairs. With ``t = 1 / s``, ``u = c t``, ``g_a = sum_b u_b x_ab`` and ``d_a = sum(u) / 2 - u_a + t_a``
    the formula of Woodbury needs the inverse of a diagonal plus a matrix of rank one, by Sherman and Morrison:
    ``4 <x, y> = 2 sum_{a<b} u_a u_b x_ab y_ab - sum_a (g_x(a) - q_x) g_y(a) u_a / d_a`` with
    ``q_x = sum_a g_x(a) u_a / d_a / (2 + sum_a u_a / d_a)``. Equal variances make it the form that
    :class:`apastats.scoring.stimuli.pair_weights.PairKernel` has; that class makes the ranks.
    """

    quick = True

    def __init__(self, z: np.ndarray, method: str, variances: np.ndarray | None = None) -> None:
        z = np.asarray(z, dtype=np.float64)
        self.comparison, self.k = comparison(method), len(z)
        if variances is not None and not self.comparison.noise:
            raise InputError("sigma_k", "an array", f"None with method={method!r}")
        self.n = round((1 + np.sqrt(1 + 8 * z.shape[1])) / 2)
        if self.comparison.ranks:
            self.ranks = PairKernel(z, z[:0], method)
            self.size = np.ones(len(z))
            return
        # neither level nor size matters; without them sums lose no digits
        level = z.mean(axis=1, keepdims=True) if self.comparison.centred else np.zeros((len(z), 1))
        z = z - level
        self.size = np.sqrt(np.einsum("ij,ij->i", z, z) / z.shape[1])
        constant = self.size <= 1e-13 * np.abs(level[:, 0])  # what is left of it is rounding
        self.size[constant] = 0.0
        z = np.where(constant[:, None], 0.0, z) / np.where(self.size > 0, self.size, 1.0)[:, None]
        left, right = np.triu_indices(self.n, 1)
        self.t = np.ones(self.n) if variances is None else 1 / variances
        extra = [np.zeros(len(left))]  # see _summed
        if self.comparison.centred:
            # sums over pairs under the weights of the product and, where they differ, those of the mean
            extra.insert(0, np.ones(len(left)))
            if self.comparison.whitened:
                extra.insert(1, 1 / (self.t[left] * self.t[right]))
        self.z = np.ascontiguousarray(np.vstack([z, *extra]).T)  # a pair is one line of the cache
        self.place = np.zeros((self.n, self.n), dtype=np.intp)
        self.place[left, right] = self.place[right, left] = np.arange(len(left))
        self.place = self.place.ravel()
        # place of the pair (a, b), a < b, less b
        each = np.arange(self.n)
        self.before = each * (2 * self.n - each - 1) // 2 - each - 1

    def products(self, counts: np.ndarray) -> np.ndarray:
        """Inner products of all RDMs under each row of ``counts [b, n]``: ``[b, K, K]``; NaN under three stimuli."""
        counts = np.asarray(counts, dtype=np.float64)
        present = counts > 0
        if self.comparison.ranks:
            return self.ranks.moments(counts).xx
        make = self._whitened if self.comparison.whitened else self._plain
        out = np.empty((len(counts), self.k, self.k))
        sizes = present.sum(axis=1)
        # drawn stimuli first, in their order; rows of like size share a product
        order = np.argsort(~present, axis=1, kind="stable")
        times = counts.ravel().take(order + (np.arange(len(counts)) * self.n)[:, None])
        rows = np.argsort(sizes, kind="stable")
        together = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
        most = [max(int(sizes[some[-1]]), 1) for some in together]
        lines = [len(r) * self._step(len(r), m) for r, m in zip(together, most, strict=True)]
        room = np.empty(max(lines, default=0) * self.z.shape[1])
        for some, m in zip(together, most, strict=True):
            out[some] = make(order[some, :m], times[some, :m], room)
        out[sizes < 3] = np.nan
        return out

    def _step(self, b: int, m: int) -> int:
        """Pairs of m stimuli gathered at once for b rows; for whitened methods all of some stimuli."""
        unit, pairs = (m, m * m) if self.comparison.whitened else (1, m * (m - 1) // 2)
        return min(max(1, _NUMBERS // (b * self.z.shape[1] * unit)) * unit, max(pairs, 1))

    def _gathered(self, drawn: np.ndarray, c: np.ndarray, room: np.ndarray) -> Iterator[np.ndarray]:
        """Entries of drawn pairs times the root of their weight, ``[b, pairs, wide]``, as many as there is room for.

        For whitened methods every pair both ways, with zeros on the diagonal; parts are whole rows of stimuli.
        """
        b, m = drawn.shape
        wide = self.z.shape[1]
        root, both = np.sqrt(c), self.comparison.whitened
        left, right = _both_ways(m) if both else pairs_of(m)
        step = self._step(b, m)
        for start in range(0, len(left), step):
            i, j = left[start : start + step], right[start : start + step]
            # drawn stimuli stand in their order; places of those not drawn are nonsense of weight 0
            index = (drawn * self.n if both else self.before.take(drawn)).take(i, axis=1)
            index += drawn.take(j, axis=1)
            if both:
                index = self.place.take(index)
            weight = root.take(i, axis=1)
            weight *= root.take(j, axis=1)
            if both:
                weight *= i != j
            part = room[: index.size * wide].reshape(*index.shape, wide)
            self.z.take(index, axis=0, out=part, mode="clip")  # mode: no copy of the room
            part *= weight[..., None]
            yield part

    def _summed(self, part: np.ndarray) -> np.ndarray:
        """Inner products ``[b, wide, wide - 1]``: not symmetric in shape, for which BLAS is slower at this size."""
        return np.matmul(part.transpose(0, 2, 1), part[:, :, :-1])

    def _plain(self, drawn: np.ndarray, c: np.ndarray, room: np.ndarray) -> np.ndarray:
        total: np.ndarray | None = None
        for part in self._gathered(drawn, c, room):
            total = self._summed(part) if total is None else total + self._summed(part)
        if total is None:  # a single stimulus has no pairs
            return np.zeros((len(drawn), self.k, self.k))
        k = self.k
        if not self.comparison.centred:
            return total[:, :k]
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = total[:, :k, k]
            return total[:, :k, :k] - sums[:, :, None] * (sums / total[:, k, k, None])[:, None]

    def _whitened(self, drawn: np.ndarray, c: np.ndarray, room: np.ndarray) -> np.ndarray:
        k, wide, t = self.k, self.z.shape[1], self.t[drawn]
        u = c * t
        root = np.sqrt(u)
        total, g = np.zeros((len(drawn), wide, wide - 1)), np.zeros((*drawn.shape, wide))
        done = 0
        for part in self._gathered(drawn, u, room):
            total += self._summed(part) / 2
            lines = part.reshape(len(drawn), -1, drawn.shape[1], wide)
            found = np.matmul(root[:, None, None], lines)[:, :, 0]
            g[:, done : done + found.shape[1]] = found
            done += found.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            g = np.where(u[..., None] > 0, g / root[..., None], 0.0)
            product, g = total[:, :k, :k], g[..., : k + 1 if self.comparison.centred else k]
            if self.comparison.centred:
                mean = total[:, :k, k + 1] / total[:, k + 1, k, None]
                sums = total[:, :k, k]
                cross = sums[:, :, None] * mean[:, None]
                whole = total[:, k, k, None, None]
                product = (
                    product - cross - cross.transpose(0, 2, 1)
                    + mean[:, :, None] * mean[:, None] * whole
                )  # fmt: skip
                g = g[..., :k] - g[..., k:] * mean[:, None]
            d = u.sum(axis=1, keepdims=True) / 2 - u + t
            share = u / d
            q = np.einsum("bak,ba->bk", g, share) / (2 + share.sum(axis=1))[:, None]
            out: np.ndarray = 2 * product - np.matmul(
                ((g - q[:, None]) * share[..., None]).transpose(0, 2, 1), g
            )
        return out


def _both_ways(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of all pairs of m in both orders, and each with itself."""
    return np.repeat(np.arange(m), m), np.tile(np.arange(m), m)
