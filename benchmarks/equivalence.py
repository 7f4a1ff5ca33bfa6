"""Tests with a margin: a whole study on one core, and peers that do one pair at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

import apastats as apa
from benchmarks.common import Row, best_time, measure

LIMIT = 5.0


def study(models: int = 50, rois: int = 39, subjects: int = 10) -> apa.ScoreTable:
    """Scores of one study, all in one table."""
    g = np.random.default_rng(0)
    values = 0.3 + g.normal(0, 0.1, (subjects, 1, 1)) + g.normal(0, 0.02, (subjects, models, rois))
    levels = [
        [f"s{i:02d}" for i in range(subjects)],
        [f"m{i:04d}" for i in range(models)],
        [f"r{i:02d}" for i in range(rois)],
    ]
    index = pd.MultiIndex.from_product(levels, names=["subject", "model", "roi"])
    return apa.ScoreTable(pd.DataFrame({"score": values.ravel()}, index=index).reset_index())


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every task in turn."""
    if only in "study":
        table = study(*((10, 5, 8) if quick else (50, 39, 10)))
        for adjust in ("holm", "max-t", "max-t-step-down"):
            seconds, found = best_time(
                lambda a=adjust: apa.equivalence(
                    "score ~ model | roi", table, bounds=0.03, adjust=a
                ),
                1,
            )
            yield Row(
                f"t TOST of all pairs, {adjust}",
                ours=seconds,
                note=f"{len(found.table)} contrasts; asked: under {LIMIT:g} s on one core",
                met=seconds < LIMIT,
            )
    if only in "pingouin":
        yield from pingouin_rows(quick)


def pingouin_rows(quick: bool) -> Iterator[Row]:
    """All pairs of one ROI against a loop over pingouin's function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin

    table = study(6 if quick else 20, 1, 10)
    block = table.block("score ~ model | roi")
    x = block.values[:, :, 0]
    a, b = np.triu_indices(x.shape[1], 1)

    def theirs() -> np.ndarray:
        return np.array(
            [
                pingouin.tost(x[:, i], x[:, j], bound=0.03, paired=True).iloc[0]["pval"]
                for i, j in zip(a, b, strict=True)
            ]
        )

    def ours() -> np.ndarray:
        found = apa.equivalence("score ~ model | roi", table, bounds=0.03, adjust="none")
        return found.table["p_value_equiv"].to_numpy()

    yield measure("paired TOST of all pairs, pingouin in a loop", theirs, ours, tolerance=1e-10)
