"""Posterior draws in, tables out: estimates behind gates, regions of practical equivalence, ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["RHAT_MAX", "ESS_MIN", "hdi", "posterior_ranks", "posterior_table", "rope_columns"]

RHAT_MAX = 1.01
ESS_MIN = 400.0


def hdi(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Shortest interval with ``level`` of the draws, per column of ``[n, k]``."""
    ordered = np.sort(values, axis=0)
    n = len(ordered)
    m = min(n - 1, int(np.ceil(level * n)) - 1)
    width = ordered[m:] - ordered[: n - m]
    at = width.argmin(axis=0)
    columns = np.arange(ordered.shape[1])
    return ordered[at, columns], ordered[at + m, columns]


def _diagnose(draws: np.ndarray) -> pd.DataFrame:
    """R-hat (rank-normalised), bulk and tail effective sample size, Monte-Carlo error of the mean."""
    import arviz_base
    import arviz_stats

    tree = arviz_base.from_dict({"posterior": {"q": draws}})

    def values(found: object) -> np.ndarray:
        dataset = getattr(found, "posterior", found)
        return np.asarray(dataset["q"].values, dtype=float)  # type: ignore[index]

    return pd.DataFrame(
        {
            "r_hat": values(arviz_stats.rhat(tree)),
            "ess_bulk": values(arviz_stats.ess(tree, method="bulk")),
            "ess_tail": values(arviz_stats.ess(tree, method="tail")),
            "mcse": values(arviz_stats.mcse(tree, method="mean")),
        }
    )


def posterior_table(
    draws: np.ndarray, labels: list[str], level: float, *, label: str, report_failed: bool
) -> pd.DataFrame:
    """Summary of quantities ``[chain, draw, k]``; those whose chains fail a gate are NaN unless asked for."""
    flat = draws.reshape(-1, draws.shape[-1])
    low, high = hdi(flat, level)
    table = pd.DataFrame(
        {
            label: labels,
            "estimate": flat.mean(axis=0),
            "std_error": flat.std(axis=0, ddof=1),
            "conf_low": low,
            "conf_high": high,
            "conf_level": level,
        }
    )
    table = pd.concat([table, _diagnose(draws)], axis=1)
    good = (
        (table["r_hat"] <= RHAT_MAX)
        & (table["ess_bulk"] >= ESS_MIN)
        & (table["ess_tail"] >= ESS_MIN)
    )
    constant = flat.std(axis=0) == 0
    table["passed"] = good.to_numpy() | constant
    if not report_failed:
        hidden = ~table["passed"].to_numpy()
        table.loc[hidden, ["estimate", "std_error", "conf_low", "conf_high", "mcse"]] = np.nan
    return table


def rope_columns(
    draws: np.ndarray, passed: np.ndarray, low: float, high: float, probability: float, level: float
) -> dict[str, np.ndarray]:
    """Probabilities inside, below and above the bounds, and two decisions.

    ``decision``: the probability inside (equivalent) or that on one side of the bounds (different) reaches
    ``probability``. ``decision_hdi``: the highest-density interval lies inside or outside the bounds (Kruschke 2018).
    """
    flat = draws.reshape(-1, draws.shape[-1])
    inside = ((flat > low) & (flat < high)).mean(axis=0)
    below, above = (flat <= low).mean(axis=0), (flat >= high).mean(axis=0)
    by_probability = np.where(
        inside >= probability,
        "equivalent",
        np.where(np.maximum(below, above) >= probability, "different", "undecided"),
    ).astype(object)
    ends = hdi(flat, level)
    by_hdi = np.where(
        (ends[0] > low) & (ends[1] < high),
        "equivalent",
        np.where((ends[1] <= low) | (ends[0] >= high), "different", "undecided"),
    ).astype(object)
    values = [np.where(passed, v, np.nan) for v in (inside, below, above)]
    by_probability[~passed] = by_hdi[~passed] = "chains failed"
    names = ("prob_inside", "prob_below", "prob_above")
    return {
        **dict(zip(names, values, strict=True)),
        "decision": by_probability,
        "decision_hdi": by_hdi,
    }


def posterior_ranks(draws: np.ndarray, labels: list[str], larger_is_better: bool) -> pd.DataFrame:
    """Rank of every mean (1 is best) over the draws: mean, interval, probability of every rank."""
    flat = draws.reshape(-1, draws.shape[-1])
    order = np.argsort(-flat if larger_is_better else flat, axis=1)
    ranks = np.argsort(order, axis=1) + 1
    k = ranks.shape[1]
    table = pd.DataFrame(
        {
            "term": labels,
            "rank_mean": ranks.mean(axis=0),
            "rank_low": np.quantile(ranks, 0.025, axis=0, method="inverted_cdf"),
            "rank_high": np.quantile(ranks, 0.975, axis=0, method="inverted_cdf"),
        }
    )
    share = pd.DataFrame({f"prob_rank_{r}": (ranks == r).mean(axis=0) for r in range(1, k + 1)})
    return pd.concat([table, share], axis=1)
