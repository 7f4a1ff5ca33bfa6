"""Permutation and sign-flip statistics of agreement, on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.errors import DesignError
from apastats.patterns.pattern_similarity import (
    SIMILARITIES,
    Prepared,
    prepare,
    similarity_of_products,
)
from apastats.patterns.permutations import contract
from apastats.resampling.plans import BLOCK, Plan
from apastats.resampling.relabel import permutation_p

__all__ = [
    "inflation_by_shared_geometry",
    "Crossed",
    "Permutations",
    "cross_patterns",
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


@dataclass(frozen=True, eq=False)
class Crossed:
    """Candidates and references of one ROI, ready for permutation of the candidates' entries.

    Attributes
    ----------
    x : Prepared, shape (n_subject, n_pair, n_test)
    y : Prepared, shape (n_subject, n_pair)
        Pairs of a candidate and a reference; one of the two may be the same in all pairs.
    weight : numpy.ndarray, shape (n_subject, n_pair, n_test)
        Share of the pair in the mean over pairs and subjects; 0 where there is none.
    keep : numpy.ndarray of int
        Entries that all subjects and tests share.
    n_subject : numpy.ndarray of int, shape (n_test,)
    similarity : str
    """

    x: Prepared
    y: Prepared
    weight: np.ndarray
    keep: np.ndarray
    n_subject: np.ndarray
    similarity: str


def cross_patterns(candidates: np.ndarray, references: np.ndarray, similarity: str) -> Crossed:
    """Pair candidates with the references of one ROI.

    Parameters
    ----------
    candidates : numpy.ndarray, shape (n_subject, n_candidate, n_test, n_entry)
    references : numpy.ndarray, shape (n_subject, n_candidate or 1, n_entry) or (n_subject, n_reference, n_entry)
        With as many references as candidates (or one) they are matched; with one candidate, averaged.
    similarity : str

    Raises
    ------
    DesignError
        If fewer than three entries are shared.
    """
    usable = np.isfinite(references).any(axis=-1)
    has = np.isfinite(candidates).any(axis=-1) & usable[:, :, None]
    n_pair = has.sum(axis=1)
    n_subject = (n_pair > 0).sum(axis=0)
    weight = has / (np.maximum(n_pair, 1)[:, None] * np.maximum(n_subject, 1))
    own = (has.any(axis=1, keepdims=True) if candidates.shape[1] == 1 else has)[..., None]
    used = (has.any(axis=1, keepdims=True) if references.shape[1] == 1 else has).any(axis=2)
    complete = np.where(own, np.isfinite(candidates), True).all(axis=(0, 1, 2))
    complete &= np.where(used[..., None], np.isfinite(references), True).all(axis=(0, 1))
    keep = np.flatnonzero(complete) if has.any() else np.empty(0, np.intp)
    if has.any() and len(keep) < 3:
        raise DesignError(
            f"agreement_test: {len(keep)} entries are shared by all subjects and predictors; at least 3 are needed"
        )
    # what has no weight is set to some pattern: it must not make a sum NaN
    ramp = np.arange(len(keep), dtype=np.float64)
    x = prepare(np.where(own, candidates[..., keep], ramp), similarity)
    y = prepare(np.where(used[..., None], references[..., keep], ramp), similarity)
    return Crossed(x, y, weight, keep, n_subject, similarity)


def permutation_statistics(crossed: Crossed, plan: Permutations) -> tuple[np.ndarray, np.ndarray]:
    """Observed agreement ``[n_test]`` and that of every permutation ``[n_resamples, n_test]``.

    Notes
    -----
    Of the quantities a similarity is made of, a permutation changes the inner product alone:
    ``sum_t x(pi(t)) y(t) = sum_t G[pi(t), t]`` with ``G`` the outer product. Where the similarity is linear in it
    (all but nrmse) the mean over subjects and references is taken once, of ``G``.
    """
    k = len(crossed.keep)
    blocks = [
        contract(plan.rows[i : i + BLOCK], crossed.keep) for i in range(0, len(plan.rows), BLOCK)
    ]
    places = np.arange(k)

    def traces(products: np.ndarray, positions: np.ndarray) -> np.ndarray:
        hot = np.zeros((len(positions), k * k))
        hot[np.arange(len(positions))[:, None], positions * k + places] = 1.0
        return np.asarray(hot @ products.reshape(-1, k * k).T)

    identity = places[None]
    if not SIMILARITIES[crossed.similarity].linear:
        parts = [_each_pair(crossed, s, traces) for s in range(len(crossed.weight))]
        seen, *drawn = (np.sum([p(b) for p in parts], axis=0) for b in (identity, *blocks))
        return seen[0], np.concatenate(drawn)
    # a similarity that is linear in the inner product is factor * <x, y>, the factor free of the permutation: mean
    # over people and references first, one product [entry, entry] per test is left, and a permutation adds up k of
    # its entries
    one = similarity_of_products(np.ones(()), crossed.x, crossed.y[..., None], crossed.similarity)
    factor = crossed.weight * np.where(crossed.weight > 0, one, 0.0)
    y = np.broadcast_to(crossed.y.rows, (*crossed.weight.shape[:2], k))
    if crossed.x.rows.shape[1] == 1:
        # one candidate against several references: its product with their weighted mean
        x, second = crossed.x.rows[:, 0], np.einsum("spj,spt->sjt", factor, y)
        products = np.einsum("sju,sjt->jut", x, second)
    else:
        products = np.einsum("spju,spt->jut", crossed.x.rows * factor[..., None], y)
    products[crossed.n_subject == 0] = np.nan
    return traces(products, identity)[0], np.concatenate(
        [traces(products, positions) for positions in blocks]
    )


def _each_pair(
    crossed: Crossed, s: int, traces: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """Weighted sum of one subject's similarities as a function of permutations, pair by pair."""
    weight = crossed.weight[s]
    n_pair, n_test = weight.shape
    x, y = crossed.x[s], crossed.y[s]
    rows_x = np.broadcast_to(x.rows, (n_pair, *x.rows.shape[1:]))
    rows_y = np.broadcast_to(y.rows, (n_pair, y.rows.shape[1]))
    products = np.einsum("pju,pt->pjut", rows_x, rows_y)

    def value(positions: np.ndarray) -> np.ndarray:
        inner = traces(products, positions).reshape(len(positions), n_pair, n_test)
        similar = similarity_of_products(inner, x, y[:, None], crossed.similarity)
        out = (np.where(weight > 0, similar, 0.0) * weight).sum(axis=1)
        return np.where(crossed.n_subject > 0, out, np.nan)

    return value


RoiStatistics = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def one_roi(
    x: np.ndarray, y: np.ndarray, similarity: str, plan: Permutations, roi: str
) -> RoiStatistics:
    """Statistics of one ROI: its name, observed ``[test]``, permuted ``[resample, test]``, subjects ``[test]``."""
    crossed = cross_patterns(x, y, similarity)
    n_subject = crossed.n_subject
    if not len(crossed.keep):
        empty = np.full(len(n_subject), np.nan)
        return roi, empty, np.full((len(plan.rows), len(n_subject)), np.nan), n_subject
    observed, values = permutation_statistics(crossed, plan)
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
    # tests of different spread are put on one scale before the largest is taken; mean and SD are those of all
    # permutations, the same for every one of them, so that ranks stay exchangeable
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

    # a flip leaves the sum of squares as it is, so t depends on the sum alone: one product of signs with differences
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


def inflation_by_shared_geometry(patterns: np.ndarray) -> np.ndarray:
    """How much more an unrelated pattern's agreement varies than its permutations do, ``[n_roi]``.

    A model that has nothing to do with the brain still scores alike in regions whose geometries are alike. With S the
    similarity of the regions' geometries and y the centred pattern of a region, the covariance of an unrelated
    pattern x with y has variance ``y' S y``; if entries are exchanged freely it is ``y'y tr(HSH) / (n - 1)``, H the
    centring. The ratio is 1 where regions are independent. S is estimated from the mean brain patterns themselves,
    ``P_ij + P_ji`` over the ceilings ``2 sqrt(P_ii P_jj)``.

    Parameters
    ----------
    patterns : numpy.ndarray
        ``[n_roi, n_roi]`` mean brain patterns: predictor, target.
    """
    own = np.sqrt(np.maximum(np.diag(patterns), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        similar = (patterns + patterns.T) / (2 * np.outer(own, own))
    similar = np.clip(np.nan_to_num(similar), -1.0, 1.0)
    np.fill_diagonal(similar, 1.0)
    n = len(similar)
    centred = similar - similar.mean(axis=0) - similar.mean(axis=1, keepdims=True) + similar.mean()
    y = patterns - patterns.mean(axis=1, keepdims=True)
    # E (x'Py)^2 over all permutations P of centred y: y'y tr(HSH) / (n - 1), as the orbit of y is isotropic on the n
    # - 1 dimensions orthogonal to 1
    free = (y**2).sum(axis=1) * np.trace(centred) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.einsum("ij,jk,ik->i", y, similar, y) / free)
