"""The published pipeline, step by step as its code has it: layer choice, agreement, bootstrap, equivalence rule.

Everything is kept as published, its weak points included (percentile intervals, the marginal interval of the winner
as margin, references of unequal noise); ``claims.py`` puts other answers beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import apastats as apa
from apastats.patterns.alignment_patterns import AlignmentPatterns

N_RESAMPLES = 1000


def normalised(table: apa.ScoreTable) -> apa.ScoreTable:
    """Each score over the mean same-ROI score of single other subjects (a mean of ratios later)."""
    f = table.frame
    own = f[(f["kind"] == "subject_to_subject") & (f["layer"] == f["roi"])]
    keys = ["subject", "roi", "metric", "split"]
    ceiling = (
        own.groupby(keys, as_index=False)["score"].mean().rename(columns={"score": "_ceiling"})
    )
    merged = f.merge(ceiling, on=keys, how="left")
    return table.with_frame(
        merged.assign(score=merged["score"] / merged["_ceiling"]).drop(columns="_ceiling")
    )


def seeded_counts(n_subject: int, n_resamples: int = N_RESAMPLES) -> np.ndarray:
    """Counts of the published resamples: replicate b draws with seed b."""
    rows = [
        np.bincount(
            np.random.default_rng(seed=b).choice(n_subject, n_subject, replace=True),
            minlength=n_subject,
        )
        for b in range(n_resamples)
    ]
    return np.asarray(rows, dtype=np.float64)


def bootstrap_means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means of every resample ``[resample, ...]`` of ``[subject, ...]``, missing values left out."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = counts @ np.where(known, flat, 0.0) / (counts @ known)
    return means.reshape(len(counts), *values.shape[1:])


def published_rule(table: apa.ScoreTable, outcome: str, counts: np.ndarray) -> pd.DataFrame:
    """Means, percentile limits, the winner of each cell, and who reaches the winner's lower limit."""
    block = table.block(f"{outcome} ~ model | roi + metric")
    order = [list(block.clusters).index(s) for s in table.levels("subject")]
    values = block.values[order]
    mean = np.nanmean(values, axis=0)
    low, high = np.nanquantile(bootstrap_means(values, counts), [0.025, 0.975], axis=0)
    best = np.nanargmax(mean, axis=0)
    bar = low[best, np.arange(mean.shape[1])]
    n_model, n_cell = mean.shape
    return pd.DataFrame(
        {
            "model": np.repeat(block.groups["model"].to_numpy(dtype=str), n_cell),
            "roi": np.tile(block.cells["roi"].to_numpy(dtype=str), n_model),
            "metric": np.tile(block.cells["metric"].to_numpy(dtype=str), n_model),
            "mean": mean.ravel(),
            "conf_low": low.ravel(),
            "conf_high": high.ravel(),
            "best": (np.arange(n_model)[:, None] == best).ravel(),
            "equivalent": (mean >= bar).ravel(),
        }
    )


def published(
    table: apa.ScoreTable, *, outcome: str = "score", reference: str = "released"
) -> dict[str, apa.ScoreTable | AlignmentPatterns | pd.DataFrame]:
    """The whole published analysis of one outcome.

    ``outcome`` is "score" or "score_norm_lower"; ``reference`` "released" (the code) or "leave_one_out" (the
    older scripts).
    """
    scores = normalised(table) if outcome == "score_norm_lower" else table
    on = "train" if "train" in table.levels("split") else "cross_subject"
    best = apa.select_layer(scores, on=on)
    shown = scores.where(split=best.levels("split"))
    patterns = apa.alignment_patterns(shown)
    agreement = apa.selected_rows(apa.pattern_agreement(patterns, reference=reference), best)
    models = agreement.with_frame(agreement.frame[agreement.frame["kind"] == "model"])
    counts = seeded_counts(len(best.levels("subject")))
    by_score = published_rule(best, "score", counts)
    by_agreement = published_rule(models, "agreement", counts)
    both = by_score.merge(by_agreement, on=["model", "roi", "metric"], suffixes=("_score", "_aps"))
    both["aligned"] = both["equivalent_score"] & both["equivalent_aps"]
    return {"selected": best, "patterns": patterns, "agreement": agreement, "table": both}
