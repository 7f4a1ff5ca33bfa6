"""Plans for permutation tests: sign flips, permutations of an order, relabellings of two groups."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np

from apastats.arguments import whole
from apastats.errors import InputError
from apastats.resampling.plans import (
    BLOCK,
    DEFAULT_RESAMPLES,
    Plan,
    Resamples,
    check_resamples,
    exact_plan,
    sampled_plan,
)
from apastats.seeds import RngLike

__all__ = [
    "MAX_EXACT",
    "group_signs",
    "orderings",
    "permutation_p",
    "sign_flips",
]

MAX_EXACT = 2**20


def _resolve(n_resamples: Resamples, total: int, what: str) -> int | None:
    """Number to sample, or None to enumerate ``total``."""
    n_resamples = check_resamples(n_resamples)
    if n_resamples == "auto":
        return None if total <= MAX_EXACT else DEFAULT_RESAMPLES
    if n_resamples == "exact":
        if total > MAX_EXACT:
            raise InputError(
                "n_resamples", "exact", f"a number: there are {total:.3g} {what}, more than 2^20"
            )
        return None
    return int(n_resamples)


def sign_flips(n: int, n_resamples: Resamples = "auto", rng: RngLike = None) -> Plan:
    """Sign flips of ``n`` units: all ``2^n`` where there are at most 2^20, sampled otherwise.

    Parameters
    ----------
    n : int
        Units.
    n_resamples : "auto", "exact" or int
        ``"auto"`` enumerates up to n = 20 and samples 19,999 above; a number samples that many.
    rng : int, Generator, SeedSequence or None
        Used by sampled plans only.

    Returns
    -------
    Plan
        Rows of +1 and -1, made block by block. The first row of an enumerated plan is the identity; a
        sampled plan does not contain it, see :func:`permutation_p`.

    Examples
    --------
    >>> sign_flips(2).signs
    array([[ 1.,  1.],
           [-1.,  1.],
           [ 1., -1.],
           [-1., -1.]])
    """
    whole("n", n, least=1)
    rows = _resolve(n_resamples, 2**n, "sign patterns")
    if rows is not None:
        return sampled_plan(
            "sign_flip", n, rows, rng, lambda g, size: 1.0 - 2.0 * g.integers(0, 2, (size, n))
        )
    bits = np.arange(n, dtype=np.int64)

    def block(index: int) -> np.ndarray:
        codes = np.arange(index * BLOCK, (index + 1) * BLOCK, dtype=np.int64)
        out: np.ndarray = 1.0 - 2.0 * ((codes[:, None] >> bits) & 1)
        return out

    return Plan("sign_flip", n, 2**n, True, "", block)


def orderings(n: int, n_resamples: Resamples = "auto", rng: RngLike = None) -> Plan:
    """Permutations of ``n`` positions: all ``n!`` where at most 2^20 (n <= 9), sampled otherwise.

    Returns
    -------
    Plan
        Rows hold position numbers (as float64; use ``.astype(int)`` to index). The first row of an
        enumerated plan is the identity.
    """
    whole("n", n, least=1)
    rows = _resolve(n_resamples, math.factorial(n), "permutations")
    if rows is None:
        table = np.array(list(permutations(range(n))), dtype=np.uint8)
        return exact_plan("permutation", table, None)
    return sampled_plan(
        "permutation",
        n,
        rows,
        rng,
        lambda g, size: g.permuted(np.tile(np.arange(n), (size, 1)), axis=1),
    )


def group_signs(
    n_first: int, n_second: int, n_resamples: Resamples = "auto", rng: RngLike = None
) -> Plan:
    """Relabellings of two groups: +1 for members of the first, -1 for the second.

    Parameters
    ----------
    n_first, n_second : int
        Sizes of the groups; columns are the units of the first group, then of the second.
    n_resamples, rng
        As in :func:`sign_flips`; the number of relabellings is ``C(n_first + n_second, n_first)``.

    Returns
    -------
    Plan
        The first row of an enumerated plan is the identity.
    """
    if n_first < 1 or n_second < 1:
        raise InputError("n_first, n_second", (n_first, n_second), "one unit or more in each group")
    n = n_first + n_second
    rows = _resolve(n_resamples, math.comb(n, n_first), "relabellings")
    start = np.repeat([1.0, -1.0], [n_first, n_second])
    if rows is None:
        chosen = np.array(list(combinations(range(n), n_first)), dtype=np.intp)
        table = np.full((len(chosen), n), -1, dtype=np.int8)
        np.put_along_axis(table, chosen, 1, axis=1)
        return exact_plan("relabelling", table, None)
    return sampled_plan(
        "relabelling", n, rows, rng, lambda g, size: g.permuted(np.tile(start, (size, 1)), axis=1)
    )


def permutation_p(
    statistics: np.ndarray,
    observed: np.ndarray | float,
    *,
    exact: bool,
    alternative: str = "two-sided",
) -> np.ndarray:
    """P-values from a permutation distribution; never 0.

    Parameters
    ----------
    statistics : array, ``[n_resamples, ...]``
        Statistic of each permutation.
    observed : array or float
        Statistic of the data.
    exact : bool
        Whether all permutations (the identity among them) are there: then p is their share, and
        ``(k + 1) / (B + 1)`` otherwise (Phipson and Smyth 2010).
    alternative : {"two-sided", "greater", "less"}
        ``two-sided`` compares absolute values.

    Returns
    -------
    numpy.ndarray

    Notes
    -----
    Statistics equal to the observed one up to rounding count as at least as extreme.
    """
    values, seen = np.asarray(statistics, dtype=float), np.asarray(observed, dtype=float)
    if alternative == "two-sided":
        values, seen = np.abs(values), np.abs(seen)
    elif alternative == "less":
        values, seen = -values, -seen
    elif alternative != "greater":
        raise InputError("alternative", alternative, "'two-sided', 'greater' or 'less'")
    slack = 1e-11 * np.maximum(np.abs(seen), np.max(np.abs(values), axis=0) * 1e-3)
    count = (values >= seen - slack).sum(axis=0)
    out: np.ndarray = count / len(values) if exact else (count + 1) / (len(values) + 1)
    return out
