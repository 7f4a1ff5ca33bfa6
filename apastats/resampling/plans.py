"""Resampling plans: who is drawn how often in each replicate, with what probability.

A plan is a matrix with one row per replicate and one column per unit. It is enumerated where the
number of distinct resamples allows (then ``weights`` are exact probabilities and there is no
Monte-Carlo error) and sampled otherwise, in blocks of ``BLOCK`` rows whose random numbers depend on
the index of the block alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, combinations
from typing import Literal, TypeAlias

import numpy as np

from apastats.arguments import whole
from apastats.errors import InputError
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence

__all__ = [
    "BLOCK",
    "DEFAULT_RESAMPLES",
    "MAX_EXACT_SUBJECTS",
    "Plan",
    "Resamples",
    "check_resamples",
    "composition_counts",
    "dirichlet",
    "plan_of_counts",
    "sampled_plan",
    "subject_counts",
    "subject_weights",
]

Resamples: TypeAlias = int | Literal["auto", "exact"]

BLOCK = 1024  # rows per block of random numbers; part of the definition of every sampled plan
DEFAULT_RESAMPLES = 19_999
AUTO_EXACT_SUBJECTS = 10  # 92,378 count vectors
MAX_EXACT_SUBJECTS = 12  # 1,352,078 count vectors


@dataclass(frozen=True, eq=False)
class Plan:
    """Resamples as a matrix, made block by block.

    Attributes
    ----------
    kind : str
        What is drawn, in a word (``"subject"``, ``"sign_flip"``, ...).
    n : int
        Units (columns).
    n_resamples : int
        Replicates (rows).
    exact : bool
        Whether every distinct resample is present once, with its probability.
    seed : str
        Entropy of a sampled plan, "" of an exact one.
    """

    kind: str
    n: int
    n_resamples: int
    exact: bool
    seed: str
    _draw: Callable[[int], np.ndarray] = field(repr=False)
    _weights: Callable[[], np.ndarray] | None = field(default=None, repr=False)

    @property
    def n_blocks(self) -> int:
        """Number of blocks of ``BLOCK`` rows, the last one possibly shorter."""
        return -(-self.n_resamples // BLOCK)

    def block(self, index: int) -> np.ndarray:
        """Rows ``index * BLOCK`` onwards, float64 ``[rows, n]``."""
        rows = min(BLOCK, self.n_resamples - index * BLOCK)
        return self._draw(index)[:rows]

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All blocks in order, each with the slice of its rows."""
        for index in range(self.n_blocks):
            start = index * BLOCK
            yield slice(start, min(start + BLOCK, self.n_resamples)), self.block(index)

    @property
    def matrix(self) -> np.ndarray:
        """The whole plan, ``[n_resamples, n]`` float64."""
        out = np.empty((self.n_resamples, self.n))
        for rows, part in self.blocks():
            out[rows] = part
        return out

    @property
    def counts(self) -> np.ndarray:
        """How often each unit is drawn: :attr:`matrix` by the name that fits a bootstrap."""
        return self.matrix

    @property
    def signs(self) -> np.ndarray:
        """+1 or -1 per unit: :attr:`matrix` by the name that fits a sign-flip plan."""
        return self.matrix

    @property
    def weights(self) -> np.ndarray:
        """Probability of each replicate, ``[n_resamples]``, sum 1."""
        if self._weights is None:
            return np.full(self.n_resamples, 1.0 / self.n_resamples)
        return self._weights()

    @property
    def uniform(self) -> bool:
        """Whether all replicates weigh the same."""
        return self._weights is None


def check_resamples(n_resamples: Resamples) -> Resamples:
    """Return ``n_resamples`` if it is "auto", "exact" or an int above 0; InputError otherwise."""
    allowed = "'auto', 'exact' or a whole number above 0"
    if isinstance(n_resamples, str):
        if n_resamples not in ("auto", "exact"):
            raise InputError("n_resamples", n_resamples, allowed)
        return n_resamples
    if isinstance(n_resamples, bool) or not isinstance(n_resamples, (int, np.integer)):
        raise InputError("n_resamples", n_resamples, allowed)
    if n_resamples < 1:
        raise InputError("n_resamples", n_resamples, allowed)
    return int(n_resamples)


def sampled_plan(
    kind: str,
    n: int,
    n_resamples: int,
    rng: RngLike,
    draw: Callable[[np.random.Generator, int], np.ndarray],
) -> Plan:
    """Plan whose block ``i`` is ``draw(generator of block i, BLOCK)``, float64 ``[BLOCK, n]``."""
    root = seed_sequence(rng)

    def block(index: int) -> np.ndarray:
        # always a full block: the first rows do not depend on how many are wanted
        return np.asarray(draw(block_generator(root, index), BLOCK), dtype=np.float64)

    return Plan(kind, n, n_resamples, False, recorded_seed(root), block)


def exact_plan(kind: str, rows: np.ndarray, weights: np.ndarray | None) -> Plan:
    """Plan of all rows of a matrix with their probabilities (None: all the same)."""

    def block(index: int) -> np.ndarray:
        return np.asarray(rows[index * BLOCK : (index + 1) * BLOCK], dtype=np.float64)

    source = None if weights is None else (lambda: weights)
    return Plan(kind, rows.shape[1], rows.shape[0], True, "", block, source)


def plan_of_counts(
    counts: np.ndarray, weights: np.ndarray | None = None, *, exact: bool = False
) -> Plan:
    """Plan from given rows, for resampling tables that are replayed.

    Parameters
    ----------
    counts : array, ``[n_resamples, n]``
        How often each unit is drawn; rows sum to anything positive.
    weights : array, ``[n_resamples]``, optional
        Probabilities of the rows; None for equal ones.
    exact : bool
        Whether the rows are all there are.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2 or 0 in counts.shape:
        raise InputError("counts", f"shape {counts.shape}", "a matrix [n_resamples, n]")
    if not np.isfinite(counts).all() or (counts < 0).any() or (counts.sum(1) <= 0).any():
        raise InputError("counts", "a matrix", "finite numbers >= 0, no row all 0")
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != counts.shape[:1] or (weights < 0).any() or not weights.sum() > 0:
            raise InputError("weights", f"shape {weights.shape}", "one number >= 0 per row")
        weights = weights / weights.sum()
    plan = exact_plan("given", counts, weights)
    return Plan("given", plan.n, plan.n_resamples, exact, "", plan._draw, plan._weights)


def counts_of_index(index: np.ndarray, n: int) -> np.ndarray:
    """Counts ``[R, n]`` of a table of drawn row numbers ``[R, k]``."""
    index = np.asarray(index)
    if index.ndim != 2 or not np.issubdtype(index.dtype, np.integer):
        raise InputError("index", f"{index.dtype} {index.shape}", "whole numbers [R, k]")
    if index.size == 0 or index.min() < 0 or index.max() >= n:
        raise InputError("index", "a table", f"row numbers from 0 to {n - 1}")
    flat = index + n * np.arange(index.shape[0])[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * index.shape[0])
    return counts.reshape(index.shape[0], n).astype(np.float64)


@lru_cache(maxsize=4)
def composition_counts(n: int) -> tuple[np.ndarray, np.ndarray]:
    """All ways to draw ``n`` out of ``n`` with replacement, and their probabilities.

    Parameters
    ----------
    n : int
        Units, at most 12.

    Returns
    -------
    counts : numpy.ndarray, uint8 ``[C(2n - 1, n - 1), n]``
    weights : numpy.ndarray, ``[C(2n - 1, n - 1)]``
        Multinomial probabilities ``n! / (prod c_i! n^n)``, sum 1.

    Notes
    -----
    Stars and bars: the positions of n - 1 bars among 2n - 1 places give the counts (Fisher and Hall
    1991, Journal of Statistical Planning and Inference 27:157).
    """
    rows = math.comb(2 * n - 1, n - 1)
    bars = np.fromiter(
        chain.from_iterable(combinations(range(2 * n - 1), n - 1)), np.int8, rows * (n - 1)
    ).reshape(rows, n - 1)
    edge = np.full((rows, 1), -1, np.int8)
    last = np.full((rows, 1), 2 * n - 1, np.int8)
    counts = (np.diff(np.hstack([edge, bars, last]), axis=1) - 1).astype(np.uint8)
    factorials = np.array([math.factorial(k) for k in range(n + 1)], dtype=np.float64)
    # products of factorials and n^n are whole numbers below 2^53 for n <= 12: one rounding only
    weights = math.factorial(n) / factorials[counts].prod(axis=1) / float(n**n)
    counts.flags.writeable = weights.flags.writeable = False
    return counts, weights


def subject_counts(n: int, n_resamples: Resamples = "auto", rng: RngLike = None) -> Plan:
    """Bootstrap of ``n`` independent units: draw n of n with replacement.

    Parameters
    ----------
    n : int
        Units.
    n_resamples : "auto", "exact" or int
        ``"exact"`` enumerates all ``C(2n - 1, n - 1)`` count vectors with their multinomial
        probabilities (n <= 12); ``"auto"`` does so up to n = 10 (92,378) and samples 19,999 above; a
        number samples that many.
    rng : int, Generator, SeedSequence or None
        Used by sampled plans only.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If n < 2, or exact enumeration is asked for n > 12.

    Examples
    --------
    >>> plan = subject_counts(10)
    >>> plan.exact, plan.n_resamples, round(float(plan.weights.sum()), 12)
    (True, 92378, 1.0)
    """
    n_resamples = check_resamples(n_resamples)
    whole("n", n, least=2)
    if n_resamples == "auto":
        n_resamples = "exact" if n <= AUTO_EXACT_SUBJECTS else DEFAULT_RESAMPLES
    if n_resamples == "exact":
        if n > MAX_EXACT_SUBJECTS:
            raise InputError(
                "n_resamples",
                "exact",
                f"a number: exact enumeration ends at {MAX_EXACT_SUBJECTS} units, here are {n}",
            )
        return exact_plan("subject", *composition_counts(n))
    p = np.full(n, 1.0 / n)
    return sampled_plan("subject", n, n_resamples, rng, lambda g, rows: g.multinomial(n, p, rows))


def subject_weights(n: int, n_resamples: Resamples = "auto", rng: RngLike = None) -> Plan:
    """Bayesian bootstrap: Dirichlet(1, ..., 1) weights in place of counts, rows sum to ``n``.

    Source: Rubin 1981, Annals of Statistics 9:130. ``"auto"`` draws 19,999; there is nothing to
    enumerate, so ``"exact"`` is refused.
    """
    n_resamples = check_resamples(n_resamples)
    whole("n", n, least=2)
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number: Dirichlet weights are continuous")
    rows = DEFAULT_RESAMPLES if n_resamples == "auto" else int(n_resamples)

    return sampled_plan("bayesian", n, rows, rng, lambda g, size: dirichlet(g, size, n))


def dirichlet(generator: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Dirichlet(1, ..., 1) weights ``[rows, n]``, rows sum to n."""
    raw = generator.standard_exponential((rows, n))
    out: np.ndarray = raw * (n / raw.sum(axis=1, keepdims=True))
    return out
