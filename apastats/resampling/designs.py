"""Plans and replicates of designs that are not one sample of units: dyads, nesting, strata, blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from apastats.errors import DesignError, InputError
from apastats.resampling.plans import (
    DEFAULT_RESAMPLES,
    Plan,
    Resamples,
    check_resamples,
    dirichlet,
    sampled_plan,
)
from apastats.seeds import RngLike

__all__ = [
    "DesignReplicates",
    "block_counts",
    "dyad_replicates",
    "nested_counts",
    "nested_replicates",
    "stratified_counts",
    "stratified_replicates",
]

# counts [b, columns of the plan] -> replicates [b, m], standard errors [b, m]
DesignReplicates: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _number(n_resamples: Resamples, what: str) -> int:
    """Number of resamples of a plan that is never enumerated."""
    n_resamples = check_resamples(n_resamples)
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", f"a number or 'auto': {what} are sampled")
    return DEFAULT_RESAMPLES if n_resamples == "auto" else int(n_resamples)


def _kind(name: str, bayesian: bool) -> str:
    """Name of a plan."""
    return f"bayesian {name}" if bayesian else name


def _codes(labels: np.ndarray) -> np.ndarray:
    """Integer codes of labels, in sorted order."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1)


def stratified_counts(
    strata: np.ndarray,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    *,
    bayesian: bool = False,
) -> Plan:
    """Draw with replacement within each stratum, as many as it has.

    Parameters
    ----------
    strata : array, ``[n]``
        Stratum of every unit.
    n_resamples, rng
        As in :func:`apastats.resampling.plans.subject_counts`; always sampled.
    bayesian : bool
        Dirichlet weights within each stratum, their sum its size, in place of counts.
    """
    codes = _codes(strata)
    sizes = np.bincount(codes)
    if (sizes < 2).any():
        raise DesignError(
            f"strata: {int((sizes < 2).sum())} strata have one unit only; 2 are needed"
        )
    members = [np.flatnonzero(codes == k) for k in range(len(sizes))]

    def draw(generator: np.random.Generator, rows: int) -> np.ndarray:
        out = np.zeros((rows, len(codes)))
        for units in members:
            k = len(units)
            out[:, units] = (
                dirichlet(generator, rows, k)
                if bayesian
                else generator.multinomial(k, np.full(k, 1 / k), rows)
            )
        return out

    kind = _kind("stratified", bayesian)
    return sampled_plan(kind, len(codes), _number(n_resamples, "strata"), rng, draw)


def block_counts(
    blocks: np.ndarray,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    *,
    bayesian: bool = False,
) -> Plan:
    """Draw whole blocks of units with replacement, as many blocks as there are.

    Parameters
    ----------
    blocks : array, ``[n]``
        Block of every unit.
    n_resamples, rng, bayesian
        As in :func:`stratified_counts`; with weights, all units of a block have one.
    """
    codes = _codes(blocks)
    k = int(codes.max()) + 1
    if k < 2:
        raise DesignError("blocks: there is one block only; 2 are needed")

    def draw(generator: np.random.Generator, rows: int) -> np.ndarray:
        if bayesian:
            return dirichlet(generator, rows, k)[:, codes]
        drawn = generator.multinomial(k, np.full(k, 1 / k), rows)
        return drawn[:, codes].astype(np.float64)

    return sampled_plan(
        _kind("block", bayesian), len(codes), _number(n_resamples, "blocks"), rng, draw
    )


def nested_counts(
    parents: np.ndarray,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    *,
    bayesian: bool = False,
) -> Plan:
    """Draw parents (subjects), then units (sessions) within every drawn copy of a parent.

    Parameters
    ----------
    parents : array, ``[n]``
        Parent of every unit.
    n_resamples, rng, bayesian
        As in :func:`stratified_counts`; with weights, a unit's is that of its parent times its own
        within the parent.

    Notes
    -----
    A parent drawn k times has k independent draws of its units: one multinomial draw of k times their
    number. Source: Davison and Hinkley (1997), section 3.8.
    """
    codes = _codes(parents)
    sizes = np.bincount(codes)
    k = len(sizes)
    if k < 2:
        raise DesignError("parents: there is one parent only; 2 are needed")
    members = [np.flatnonzero(codes == p) for p in range(k)]

    def draw(generator: np.random.Generator, rows: int) -> np.ndarray:
        if bayesian:
            upper = dirichlet(generator, rows, k)
            out = np.empty((rows, len(codes)))
            for p, units in enumerate(members):
                out[:, units] = upper[:, [p]] * dirichlet(generator, rows, len(units))
            return out
        drawn = generator.multinomial(k, np.full(k, 1 / k), rows)
        out = np.zeros((rows, len(codes)))
        for p, units in enumerate(members):
            share = np.full(len(units), 1 / len(units))
            out[:, units] = generator.multinomial(drawn[:, p] * len(units), share)
        return out

    kind = _kind("nested", bayesian)
    return sampled_plan(kind, len(codes), _number(n_resamples, "nested units"), rng, draw)


def nested_replicates(values: np.ndarray, parents: np.ndarray) -> DesignReplicates:
    """Mean over parents of the mean over their units, with the standard error over parents.

    Parameters
    ----------
    values : array, ``[n, m]``
        Units by cells, NaN where missing.
    parents : array, ``[n]``
        Parent of every unit.
    """
    codes = _codes(parents)
    sizes = np.bincount(codes).astype(np.float64)
    member = (codes[:, None] == np.arange(len(sizes))).astype(np.float64)
    centre = np.nanmean(values, axis=0)
    known = np.isfinite(values)
    shifted = np.where(known, values - centre, 0.0)

    def evaluate(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        copies = counts @ member / sizes  # how often each parent was drawn
        out = np.empty((2, len(counts), values.shape[1]))
        for j in range(values.shape[1]):
            total = counts @ (member * shifted[:, j : j + 1])
            size = counts @ (member * known[:, j : j + 1])
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(size > 0, total / size, 0.0)
                weight = np.where(size > 0, copies, 0.0)
                n = weight.sum(axis=1)
                grand = (weight * mean).sum(axis=1) / n
                spread = (weight * (mean - grand[:, None]) ** 2).sum(axis=1)
                out[0, :, j] = grand + centre[j]
                out[1, :, j] = np.sqrt(spread / (n - 1) / n)
        return out[0], out[1]

    return evaluate


def stratified_replicates(values: np.ndarray, strata: np.ndarray) -> DesignReplicates:
    """Mean over all units, with the standard error of a stratified sample.

    Parameters
    ----------
    values : array, ``[n, m]``
        Units by cells, NaN where missing.
    strata : array, ``[n]``
        Stratum of every unit.

    Notes
    -----
    ``SE^2 = sum_h n_h s_h^2 / n^2`` (Cochran 1977, eq. 5.6 with proportional weights).
    """
    codes = _codes(strata)
    member = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    centre = np.nanmean(values, axis=0)
    known = np.isfinite(values)
    shifted = np.where(known, values - centre, 0.0)

    def evaluate(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty((2, len(counts), values.shape[1]))
        for j in range(values.shape[1]):
            x = shifted[:, j : j + 1]
            size = counts @ (member * known[:, j : j + 1])
            total, square = counts @ (member * x), counts @ (member * x * x)
            with np.errstate(invalid="ignore", divide="ignore"):
                spread = np.where(size > 1, (square - total**2 / size) * size / (size - 1), 0.0)
                spread = np.where(spread <= 1e-13 * square * size, 0.0, spread)
                n = size.sum(axis=1)
                out[0, :, j] = total.sum(axis=1) / n + centre[j]
                out[1, :, j] = np.sqrt(spread.sum(axis=1)) / n
        return out[0], out[1]

    return evaluate


def dyad_replicates(values: np.ndarray, ends: np.ndarray, n: int) -> DesignReplicates:
    """Mean over dyads when their members are drawn in both roles.

    Parameters
    ----------
    values : array, ``[P, m]``
        One row per unordered pair of members, NaN where missing.
    ends : array of int, ``[P, 2]``
        The two members, different from each other.
    n : int
        Members.

    Notes
    -----
    A dyad (i, j) counts ``c_i c_j`` times; copies of one member make no dyad. The standard error is the
    jackknife over the n drawn members, ``SE^2 = (n - 1) / n sum_i c_i (theta_-i - theta_bar)^2`` where
    ``theta_-i`` lacks one copy of i (Snijders and Borgatti 1999, Connections 22:161).
    """
    m = values.shape[1]
    centre = np.nanmean(values, axis=0)
    known = np.isfinite(values)
    shifted = np.where(known, values - centre, 0.0)
    i, j = ends.T

    def evaluate(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty((2, len(counts), m))
        complete: np.ndarray | None = None
        for cell in range(m):
            total = np.zeros((n, n))
            total[i, j] = total[j, i] = shifted[:, cell]
            mine = counts @ total  # sum over the other member
            if complete is None or not known[:, cell].all():
                there = np.zeros((n, n))
                there[i, j] = there[j, i] = known[:, cell]
                size = counts @ there
                complete = size if known[:, cell].all() else None
            else:
                size = complete
            t, w = (counts * mine).sum(axis=1) / 2, (counts * size).sum(axis=1) / 2
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = t / w
                without = (t[:, None] - mine) / (w[:, None] - size)
                weight = np.where(np.isfinite(without), counts, 0.0)
                drawn = weight.sum(axis=1)
                middle = np.where(weight > 0, weight * without, 0.0).sum(axis=1) / drawn
                deviation = np.where(weight > 0, without - middle[:, None], 0.0)
                spread = (weight * deviation**2).sum(axis=1)
                out[0, :, cell] = mean + centre[cell]
                out[1, :, cell] = np.sqrt((drawn - 1) / drawn * spread)
        return out[0], out[1]

    return evaluate
