"""Hsu's multiple comparisons with the best for means of any precision and correlation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apastats.errors import DesignError
from apastats.mixed.engine.inference import Inference
from apastats.numbers.simultaneous import max_t_critical

__all__ = ["best_table"]


def best_table(
    inference: Inference, L: np.ndarray, shift: np.ndarray, level: float, larger_is_better: bool
) -> pd.DataFrame:
    """Constrained intervals of the means ``L @ beta + shift``; those not estimable (NaN in L) are no rivals."""
    known = ~np.isnan(L).any(axis=1)
    if known.sum() < 2:
        raise DesignError(f"compare_best: {int(known.sum())} means are estimable; 2 are needed")
    found = _best_of(inference, L[known], shift[known], level, larger_is_better)
    found.index = pd.Index(np.flatnonzero(known))
    # a mean that is not known has no interval, and is not shown to be below the best
    return found.reindex(range(len(L))).assign(
        can_be_best=[bool(found["can_be_best"].get(i, True)) for i in range(len(L))],
        conf_level=level,
    )


def _best_of(
    inference: Inference, L: np.ndarray, shift: np.ndarray, level: float, larger_is_better: bool
) -> pd.DataFrame:
    """Constrained intervals of every mean minus the best of the others.

    For mean i as control, d_i is the one-sided critical value of its k - 1 differences. The upper end is
    max(0, min_j (m_i - m_j + d_i se_ij)); with G the means whose upper end is positive, the lower end is 0
    if G = {i}, else
    min(0, min over j in G of (m_i - m_j - d_j se_ij)) (Hsu 1996, Multiple Comparisons, chapter 4).
    """
    sign = 1.0 if larger_is_better else -1.0
    k = len(L)
    m = sign * (inference.estimates(L) + shift)
    critical, se, df_used = np.zeros(k), np.zeros((k, k)), np.zeros(k)
    for i in range(k):
        others = [j for j in range(k) if j != i]
        D = L[i] - L[others]
        V = D @ inference.vcov @ D.T
        sd = np.sqrt(np.diag(V))
        se[i, others] = sd
        dfs = inference.dfs(D)
        # one common scale is assumed by the distribution; differing df enter by the smallest, which is cautious
        df_used[i] = float(dfs.min())
        critical[i] = float(
            max_t_critical(level, V / np.outer(sd, sd), df_used[i], two_sided=False)
        )
    gaps = m[:, None] - m
    off = ~np.eye(k, dtype=bool)
    upper_all = np.where(off, gaps + critical[:, None] * se, np.inf).min(axis=1)
    upper = np.maximum(0.0, upper_all)
    group = upper > 0
    lower = np.zeros(k)
    for i in range(k):
        rivals = group & off[i]
        if rivals.any():
            lower[i] = min(0.0, float((gaps[i] - critical * se[:, i])[rivals].min()))
    minus = np.where(off, gaps, np.inf).min(axis=1)
    low, high = (lower, upper) if larger_is_better else (-upper, -lower)
    return pd.DataFrame(
        {
            "estimate": sign * m,
            "minus_best": sign * minus,
            "conf_low": low,
            "conf_high": high,
            "can_be_best": group,
            "critical": critical,
            "df": df_used,
            "conf_level": level,
        }
    )
