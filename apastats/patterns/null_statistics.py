"""Permutation and sign-flip statistics of agreement, on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.errors import DesignError
from apastats.patterns.permutations import contract
from apastats.patterns.similarity import unit_patterns
from apastats.resampling.plans import BLOCK, Plan
from apastats.resampling.relabel import permutation_p

__all__ = [
    "Permutations",
    "cross_products",
    "flip_test",
    "one_roi",
    "permutation_frame",
    "permutation_statistics",
]


@dataclass(frozen=True, eq=False)
class Permutations:
    """Drawn or enumerated permutations: ``rows [n_resamples, n_roi]``, whether they are all, and their kind."""

    rows: np.ndarray
    exact: bool
    kind: str


def cross_products(
    candidates: np.ndarray, references: np.ndarray, similarity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean products of candidates and references of one ROI, from which any permutation follows.

    Parameters
    ----------
    candidates : numpy.ndarray, shape (n_subject, n_candidate, n_test, n_entry)
    references : numpy.ndarray, shape (n_subject, n_candidate or 1, n_entry) or (n_subject, n_reference, n_entry)
        With as many references as candidates (or one) they are matched; with one candidate, averaged.
    similarity : str

    Returns
    -------
    products : numpy.ndarray, shape (n_test, n_kept, n_kept)
        ``G[j, u, t] = mean_s mean_p x_sj(u) y_sp(t)`` of unit patterns; the agreement under permutation pi
        is ``sum_t G[j, pi(t), t]``.
    keep : numpy.ndarray of int
        Entries that all subjects and tests share.
    n_subject : numpy.ndarray of int, shape (n_test,)
    """
    usable = np.isfinite(references).any(axis=-1)
    has = np.isfinite(candidates).any(axis=-1) & usable.any(axis=1)[:, None, None]
    if candidates.shape[1] == references.shape[1] > 1:
        has &= usable[:, :, None]
    if not has.any():
        n_test = candidates.shape[2]
        return np.full((n_test, 0, 0), np.nan), np.empty(0, np.intp), np.zeros(n_test, int)
    complete = np.where(has[..., None], np.isfinite(candidates), True).all(axis=(0, 1, 2))
    complete &= np.where(usable[..., None], np.isfinite(references), True).all(axis=(0, 1))
    keep = np.flatnonzero(complete)
    if len(keep) < 3:
        raise DesignError(
            f"agreement_test: {len(keep)} entries are shared by all subjects and predictors; at least 3 are needed"
        )
    x = np.where(has[..., None], unit_patterns(candidates[..., keep], similarity), 0.0)
    y = np.where(usable[..., None], unit_patterns(references[..., keep], similarity), 0.0)
    if candidates.shape[1] == 1:
        # one candidate against several references: the mean similarity is that with their mean
        y = y.sum(axis=1, keepdims=True) / np.maximum(usable.sum(axis=1), 1)[:, None, None]
    y = np.broadcast_to(y, (x.shape[0], x.shape[1], len(keep)))
    n_candidate = has.sum(axis=1)
    x = x / np.maximum(n_candidate, 1)[:, None, :, None]
    n_subject = (n_candidate > 0).sum(axis=0)
    products = np.einsum("sqju,sqt->jut", x, y) / np.maximum(n_subject, 1)[:, None, None]
    products[n_subject == 0] = np.nan
    return products, keep, n_subject


def permutation_statistics(
    products: np.ndarray, keep: np.ndarray, plan: Permutations
) -> tuple[np.ndarray, np.ndarray]:
    """Observed agreement ``[n_test]`` and that of every permutation ``[n_resamples, n_test]``."""
    n_test, k = products.shape[:2]
    flat = products.reshape(n_test, k * k).T
    observed = np.trace(products, axis1=1, axis2=2)
    out = np.empty((len(plan.rows), n_test))
    places = np.arange(k)
    for start in range(0, len(plan.rows), BLOCK):
        positions = contract(plan.rows[start : start + BLOCK], keep)
        hot = np.zeros((len(positions), k * k))
        hot[np.arange(len(positions))[:, None], positions * k + places] = 1.0
        out[start : start + BLOCK] = hot @ flat
    return observed, out


RoiStatistics = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def one_roi(
    x: np.ndarray, y: np.ndarray, similarity: str, plan: Permutations, roi: str
) -> RoiStatistics:
    """Statistics of one ROI: its name, observed ``[test]``, permuted ``[resample, test]``, subjects ``[test]``."""
    products, keep, n_subject = cross_products(x, y, similarity)
    if not len(keep):
        empty = np.full(len(n_subject), np.nan)
        return roi, empty, np.full((len(plan.rows), len(n_subject)), np.nan), n_subject
    observed, values = permutation_statistics(products, keep, plan)
    return roi, observed, values, n_subject


def permutation_frame(
    parts: list[RoiStatistics],
    kind: str,
    models: list[str],
    layers: list[str],
    label: tuple[str, str],
    plan: Permutations,
    alternative: str,
) -> pd.DataFrame:
    """Rows of all ROIs with p-values and single-step max-T over them."""
    observed = np.concatenate([p[1] for p in parts])
    values = np.concatenate([p[2] for p in parts], axis=1)
    mean = values.mean(axis=0)
    sd = values.std(axis=0)
    sd = np.where(sd > 1e-12, sd, np.nan)
    z, seen = (values - mean) / sd, (observed - mean) / sd
    known = np.isfinite(seen)
    p = np.full(len(observed), np.nan)
    adjusted = p.copy()
    if known.any():
        p[known] = permutation_p(
            z[:, known], seen[known], exact=plan.exact, alternative=alternative
        )
        extreme = {"greater": z, "less": -z}.get(alternative, np.abs(z))[:, known].max(axis=1)
        target = {"greater": seen, "less": -seen}.get(alternative, np.abs(seen))[known]
        adjusted[known] = permutation_p(
            extreme[:, None], target, exact=plan.exact, alternative="greater"
        )
    b = len(plan.rows)
    return pd.DataFrame(
        {
            "kind": kind,
            "model": models * len(parts),
            "layer": layers,
            "roi": np.repeat([q[0] for q in parts], len(models)),
            "metric": label[0],
            "split": label[1],
            "estimate": observed,
            "null_mean": mean,
            "difference": observed - mean,
            "null_sd": sd,
            "statistic": seen,
            "p_value": p,
            "p_value_adjusted": adjusted,
            "mcse": 0.0 if plan.exact else np.sqrt(p * (1 - p) / b),
            "n_subject": np.concatenate([q[3] for q in parts]),
            "method": plan.kind,
        }
    )


def flip_test(
    frame: pd.DataFrame, differences: np.ndarray, flips: Plan, alternative: str, conf_level: float
) -> pd.DataFrame:
    """Sign-flip test of the mean difference in standard errors, with max-T."""
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    filled = np.where(known, differences, 0.0)
    square = (filled**2).sum(axis=0)

    def t_of(total: np.ndarray) -> np.ndarray:
        mean = total / n
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.maximum(square / n - mean**2, 0.0) / (n - 1)
            out: np.ndarray = mean / np.sqrt(np.maximum(variance, 1e-30 * square))
        return out

    with np.errstate(invalid="ignore", divide="ignore"):
        seen = t_of(filled.sum(axis=0))
        mean = filled.sum(axis=0) / n
        error = np.sqrt(np.maximum(square / n - mean**2, 0.0) / (n - 1))
    usable = np.isfinite(seen) & (n > 1)
    p = np.full(len(n), np.nan)
    adjusted = p.copy()
    if usable.any():
        p[usable], adjusted[usable] = _flip_p(t_of, filled, seen, usable, flips, alternative)
    half = stdtrit(np.maximum(n - 1, 1), (1 + conf_level) / 2) * error
    return frame.assign(
        difference=mean,
        std_error=error,
        conf_low=mean - half,
        conf_high=mean + half,
        conf_level=conf_level,
        statistic=seen,
        p_value=p,
        p_value_adjusted=adjusted,
        mcse=0.0 if flips.exact else np.sqrt(p * (1 - p) / flips.n_resamples),
        n_subject=n,
        method="sign flips",
    )


def _flip_p(
    t_of: Callable[[np.ndarray], np.ndarray],
    filled: np.ndarray,
    seen: np.ndarray,
    usable: np.ndarray,
    flips: Plan,
    alternative: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of sign patterns at least as extreme, alone and by the maximum, block by block."""

    def extreme(t: np.ndarray) -> np.ndarray:
        turned = {"greater": t, "less": -t}.get(alternative)
        return np.asarray(np.abs(t) if turned is None else turned)

    target = extreme(seen)[usable]
    target = target - 1e-10 * np.maximum(np.abs(target), 1e-3)
    alone, largest = np.zeros(len(target)), np.zeros(len(target))
    for _, signs in flips.blocks():
        with np.errstate(invalid="ignore", divide="ignore"):
            values = extreme(t_of(signs @ filled))[:, usable]
        alone += (values >= target).sum(axis=0)
        largest += (values.max(axis=1)[:, None] >= target).sum(axis=0)
    if flips.exact:
        return alone / flips.n_resamples, largest / flips.n_resamples
    return (alone + 1) / (flips.n_resamples + 1), (largest + 1) / (flips.n_resamples + 1)
