"""What each of several models adds to the others in one ROI, on the data and under weights of stimuli.

Derivation. Least squares of a subject's RDM on the RDMs of K models needs only the correlations R among models and r
with the subject: ``R2 = r'R^-1 r``, semipartial correlations ``b_k / sqrt((R^-1)_kk)`` with ``b = R^-1 r``. Drawing
stimulus a c_a times weighs the pair (a, b) by ``c_a c_b``, so that R and r of all resamples and folds are one matrix
product (:class:`apastats.scoring.stimuli.pair_weights.PairKernel`), and what follows are small systems, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from apastats.numbers.explained import (
    commonalities,
    correlation_beyond,
    part_correlations,
    subset_r2,
    subset_weights,
)
from apastats.scoring.fitted.solve import nonnegative_weights
from apastats.scoring.methods import comparison
from apastats.scoring.pooling import mean_of, pool_others, scaled_for_pooling
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.scoring.stimuli.pair_weights import PairKernel

__all__ = ["Asked", "Correlations", "Question", "UniqueKernel", "weights"]

Measure = Literal["unique", "semipartial", "partial", "coefficient"]


class Correlations(NamedTuple):
    """Of b replicates, S subjects, K models.

    Attributes
    ----------
    among : array, ``[b, K, K]``
    toward : array, ``[b, S, K]``
        Models with each other, and subjects with models.
    pool : array, ``[b, S, 2]``
        Subjects with the pooled RDM of the others, and of all.
    pool_toward : array, ``[b, S, 2, K]``
        These pooled RDMs with the models.
    """

    among: np.ndarray
    toward: np.ndarray
    pool: np.ndarray
    pool_toward: np.ndarray


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of the models, and in which order the columns of the answer stand.

    Attributes
    ----------
    groups : tuple of array of int
        Models of every group.
    measure : {"unique", "semipartial", "partial", "coefficient"}
    parts : {"unique", "all", "ordered"}
        Of unique variance: every group beyond all others with what is shared; every set of groups; every group beyond
        those before it.
    nonnegative : bool
        Whether coefficients are 0 or more.
    folds : array of int, ``[n_cv, n_stimulus]``, optional
        Folds of the stimuli of every partition, where R2 is that of stimuli not fitted to.
    other_subjects : bool
        Whether a subject's coefficients are those of the other subjects.
    """

    groups: tuple[np.ndarray, ...]
    measure: Measure = "unique"
    parts: Literal["unique", "all", "ordered"] = "unique"
    nonnegative: bool = False
    folds: np.ndarray | None = None
    other_subjects: bool = False

    @property
    def held_out(self) -> bool:
        """Whether R2 is that of data not fitted to."""
        return self.folds is not None or self.other_subjects

    @property
    def masks(self) -> list[tuple[int, ...]]:
        """Subsets of groups whose R2 is needed."""
        g = len(self.groups)
        if self.parts == "ordered":
            return [tuple(range(n)) for n in range(g + 1)]
        if self.parts == "all":
            return [tuple(k for k in range(g) if m >> k & 1) for m in range(2**g)]
        return [tuple(range(g)), *(tuple(j for j in range(g) if j != k) for k in range(g))]

    @property
    def sets(self) -> list[tuple[str, tuple[int, ...]]]:
        """Parts in the order of the columns: kind, and groups."""
        g = len(self.groups)
        everyone = tuple(range(g))
        if self.measure != "unique":
            return [(self.measure, (k,)) for k in range(g)]
        if self.parts == "ordered":
            return [("added", (k,)) for k in range(g)] + [("total", everyone)]
        single: list[tuple[str, tuple[int, ...]]] = [("unique", (k,)) for k in range(g)]
        if self.parts == "all":
            order = sorted(range(1, 2**g), key=lambda m: (m.bit_count(), -_mirrored(m, g)))
            several = [tuple(k for k in range(g) if m >> k & 1) for m in order[g:]]
            return [*single, *(("shared", m) for m in several), ("total", everyone)]
        return [*single, ("shared", everyone), ("total", everyone)]

    @property
    def held(self) -> list[np.ndarray]:
        """Models held constant for the ceiling of every part that has one of its own (see :attr:`ceiling_of`)."""
        g = len(self.groups)
        before = [range(k) if self.parts == "ordered" else _without(g, k) for k in range(g)]
        some = [
            np.concatenate([self.groups[j] for j in b]) if len(b) else np.empty(0, np.intp)
            for b in before
        ]
        return [*some, np.empty(0, dtype=np.intp)]

    @property
    def ceiling_of(self) -> np.ndarray:
        """Which entry of :attr:`held` each part has: of one group beyond the others, else that of all models."""
        g = len(self.groups)
        return np.array([m[0] if len(m) == 1 and k != "total" else g for k, m in self.sets])

    def parts_of(self, r2: np.ndarray) -> np.ndarray:
        """Parts ``[..., n_part]`` of the R2 of :attr:`masks` ``[..., n_mask]``."""
        g = len(self.groups)
        if self.parts == "ordered":
            return np.concatenate([np.diff(r2, axis=-1), r2[..., -1:]], axis=-1)
        if self.parts == "all":
            found = commonalities(r2)
            place = [sum(1 << k for k in m) for kind, m in self.sets[:-1] if kind]
            return np.concatenate([found[..., place], r2[..., -1:]], axis=-1)
        own = r2[..., :1] - r2[..., 1:]
        shared = r2[..., :1] - own.sum(axis=-1, keepdims=True)
        return np.concatenate([own, shared, r2[..., :1]], axis=-1)[..., : g + 2]


def _mirrored(mask: int, g: int) -> int:
    """Bits the other way round: sets of one size in the order of their first groups."""
    return sum(1 << (g - 1 - k) for k in range(g) if mask >> k & 1)


def _without(g: int, k: int) -> list[int]:
    return [j for j in range(g) if j != k]


@dataclass(frozen=True, eq=False)
class Asked:
    """Makes the kernel of an ROI: ``(x, y)`` -> :class:`UniqueKernel`."""

    method: str
    question: Question
    tested: tuple[int, ...] = ()

    def __call__(self, x: np.ndarray, y: np.ndarray) -> UniqueKernel:
        """Kernel of the RDMs of an ROI and of the models."""
        return UniqueKernel(x, y, self.method, self.question, self.tested)


@dataclass(frozen=True, eq=False)
class UniqueKernel:
    """Answers to a question for ``S`` RDMs x and ``K`` model RDMs y under a bootstrap of stimuli.

    Attributes
    ----------
    x, y : array, ``[S, n_pair]`` and ``[K, n_pair]``
    method : str
        A method of :func:`apastats.rdm_similarity` that is a correlation.
    question : Question
    tested : tuple of int
        Groups of one model whose signed semipartial correlation is wanted too.
    """

    x: np.ndarray
    y: np.ndarray
    method: str
    question: Question
    tested: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of stimuli."""
        return round((1 + np.sqrt(1 + 8 * self.x.shape[1])) / 2)

    def values(self, counts: np.ndarray, *, ceiling: bool = False) -> np.ndarray:
        """Parts, signed semipartial correlations of the tested groups, lower and upper ceilings ``[b, S, n_column]``.

        Parameters
        ----------
        counts : array, ``[b, n]``
            How often each stimulus is drawn.
        ceiling : bool
            Not taken: ceilings are columns of their own.
        """
        q, found = self.question, self.correlations(counts)
        parts = self._held_out(counts, found) if q.held_out else self._fitted(found)
        columns = [parts]
        if self.tested:
            columns.append(np.stack([self._signed(found, g) for g in self.tested], axis=2))
        if q.measure != "coefficient":
            columns += [self._ceiling(found, bound) for bound in (0, 1)]
        return np.concatenate(columns, axis=2)

    def _signed(self, found: Correlations, group: int) -> np.ndarray:
        """Semipartial correlation ``[b, S]`` with the one model of a group, those before or beside it held constant."""
        k = int(self.question.groups[group][0])
        own = np.broadcast_to(found.among[:, None, k], found.toward.shape)
        direct, held = found.toward[:, :, k], self.question.held[group]
        return correlation_beyond(found.among, found.toward, direct, own, held, partial=False)

    def _fitted(self, found: Correlations) -> np.ndarray:
        """Parts of the data fitted to."""
        q = self.question
        if q.measure == "coefficient":
            members = np.concatenate(q.groups)
            return weights(found.among, found.toward, members, q.nonnegative)
        if q.measure != "unique":
            made = part_correlations(found.among, found.toward, partial=q.measure == "partial")
            return made[:, :, [int(g[0]) for g in q.groups]]
        if not q.nonnegative:
            return q.parts_of(subset_r2(found.among, found.toward, q.groups, q.masks))
        r2 = [self._r2(found, found, found.toward, mask) for mask in q.masks]
        return q.parts_of(np.stack(r2, axis=2))

    def _r2(
        self, train: Correlations, test: Correlations, toward: np.ndarray, mask: tuple[int, ...]
    ) -> np.ndarray:
        """R2 ``[b, S]`` of coefficients learned in ``train`` (from ``toward``) on ``test``."""
        if not mask:
            return np.zeros(test.toward.shape[:2])
        members = np.concatenate([self.question.groups[g] for g in mask])
        w = weights(train.among, toward, members, self.question.nonnegative)
        a = test.among[:, members[:, None], members]
        up = np.einsum("bsk,bsk->bs", w, test.toward[:, :, members])
        return np.asarray(2 * up - np.einsum("bsk,bkl,bsl->bs", w, a, w, optimize=True))

    def _held_out(self, counts: np.ndarray, whole: Correlations) -> np.ndarray:
        """Parts of data not fitted to, mean over folds and partitions."""
        q = self.question
        pairs = [(whole, whole)]
        if q.folds is not None:
            pairs = [
                (self.correlations(counts * (part != f)), self.correlations(counts * (part == f)))
                for part in q.folds
                for f in range(int(part.max()) + 1)
            ]
        total = np.zeros((*whole.toward.shape[:2], len(q.masks)))
        for train, test in pairs:
            toward = train.toward
            if q.other_subjects:  # least squares on the RDMs of the others, all z-scored
                toward = (toward.sum(axis=1, keepdims=True) - toward) / (toward.shape[1] - 1)
            total += np.stack([self._r2(train, test, toward, mask) for mask in q.masks], axis=2)
        return q.parts_of(total / len(pairs))

    def _ceiling(self, found: Correlations, bound: int) -> np.ndarray:
        """What the pooled RDM of the others (0) or of all (1) would add in a model's place, ``[b, S, n_held]``."""
        q = self.question
        made = [
            correlation_beyond(
                found.among,
                found.toward,
                found.pool[:, :, bound],
                found.pool_toward[:, :, bound],
                held,
                partial=q.measure == "partial",
            )
            for held in q.held
        ]
        out = np.stack(made, axis=2)
        # a share of variance, with the sign of the correlation: a pool that runs against a subject explains nothing
        return out * np.abs(out) if q.measure == "unique" else out

    # ------------------------------------------------------------------ correlations
    def correlations(self, counts: np.ndarray) -> Correlations:
        """Correlations of every replicate, ``counts [b, n]``."""
        if comparison(self.method).stimuli == "weights":
            return self._by_product(counts)
        return self._written_out(counts)

    def _by_product(self, counts: np.ndarray) -> Correlations:
        """From the inner products of all RDMs."""
        kernel = getattr(self, "_kernel", None)
        if kernel is None:
            z = np.concatenate([self.x, self.y])
            kernel = PairKernel(z, z[:0], self.method)
            object.__setattr__(self, "_kernel", kernel)
        s = len(self.x)
        k = kernel.moments(counts).xx
        size = np.sqrt(np.einsum("bii->bi", k))
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.where(size > 0, size, np.nan)
            r = k / size[:, :, None] / size[:, None]
            # pools are means of ranks, or of RDMs of length 1
            v = size[:, :s] if kernel.ranked else np.ones((len(k), s))
            xx, xy = r[:, :s, :s] * v[:, None], r[:, :s, s:] * v[:, :, None]
            all_x, all_y = xx.sum(axis=2), xy.sum(axis=1)
            whole = (v * all_x).sum(axis=1)[:, None]
            own = v**2
            rest = whole - 2 * v * all_x + own
            norms = np.sqrt(
                np.stack([np.maximum(rest, 0), np.broadcast_to(whole, v.shape)], axis=2)
            )
            norms = np.where(norms > 1e-9, norms, np.nan)
            pool = np.stack([all_x - v, all_x], axis=2) / norms
            up = np.stack([all_y[:, None] - xy, np.broadcast_to(all_y[:, None], xy.shape)], axis=2)
            return Correlations(r[:, s:, s:], r[:, :s, s:], pool, up / norms[..., None])

    def _written_out(self, counts: np.ndarray) -> Correlations:
        """Every replicate on the pairs of its drawn stimuli, for correlations that are no inner product."""
        b, s, m, n = len(counts), len(self.x), len(self.y), self.n
        iu, ju = np.triu_indices(n, 1)
        made = Correlations(
            *(np.full((b, *shape), np.nan) for shape in ((m, m), (s, m), (s, 2), (s, 2, m)))
        )
        for i, c in enumerate(np.asarray(counts)):
            if (c > 0).sum() < 3:
                continue
            pairs = np.repeat(np.arange(len(iu)), (c[iu] * c[ju]).astype(np.intp))
            x, y = self.x[:, pairs], self.y[:, pairs]
            scaled = scaled_for_pooling(x, self.method)
            # the pooled RDMs of the others, then that of all
            pools = np.concatenate([pool_others(scaled), mean_of(scaled)[None]])
            of_models, of_x = (
                similarity_counts(p, np.concatenate([y, x]), self.method)[0] for p in (pools, y)
            )
            made.among[i], made.toward[i] = of_x[:, :m], of_x[:, m:].T
            made.pool[i, :, 0] = np.diag(of_models[:s, m:])
            made.pool[i, :, 1] = of_models[s, m:]
            made.pool_toward[i, :, 0], made.pool_toward[i, :, 1] = (
                of_models[:s, :m],
                of_models[s, :m],
            )
        return made


def weights(
    among: np.ndarray, toward: np.ndarray, members: np.ndarray, nonnegative: bool
) -> np.ndarray:
    """Standardised coefficients ``[b, s, m]``, free or non-negative."""
    if not nonnegative:
        return subset_weights(among, toward, members)
    a, b = among[:, members[:, None], members], toward[:, :, members]
    n, s, m = b.shape
    flat = np.broadcast_to(a[:, None], (n, s, m, m)).reshape(n * s, m, m)
    right = b.reshape(n * s, m)
    out = np.full(right.shape, np.nan)
    good = np.isfinite(flat).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    out[good] = nonnegative_weights(flat[good], right[good])
    # that solver gives the best single model where the minimum is at 0; a coefficient is 0 there
    out[good & ~(right > 0).any(axis=1)] = 0.0
    return out.reshape(n, s, m)
