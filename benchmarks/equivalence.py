"""Tests with a margin: a whole study on one core, and peers that do one pair at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

import apastats as apa
from benchmarks.common import Row, best_time, difference, measure, peak_memory

LIMIT = 5.0
MANY_SECONDS, MANY_GB = 120, 3


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
    if only in "many models":
        yield from many_rows(quick)
    if only in "pingouin":
        yield from pingouin_rows(quick)


def many_rows(quick: bool) -> Iterator[Row]:
    """All pairs of thousands of models in one region: cost and memory by their number, and the same rows as in full."""
    few = study(60, 1, 10)
    verbs: dict[str, Callable[[apa.ScoreTable, int | str], apa.Result]] = {
        "compare": lambda t, top: apa.compare("score ~ model | roi", t, top=top),
        "equivalence": lambda t, top: apa.equivalence("score ~ model | roi", t, bounds=0.03, top=top),
        "nemenyi": lambda t, top: apa.nemenyi("score ~ model | roi", t, top=top),
        "equivalence to the best": lambda t, _: apa.equivalence(
            "score ~ model | roi", t, bounds=0.03, reference="best"
        ),
        "equivalence_set": lambda t, _: apa.equivalence_set("score ~ model | roi", t),
        "mean_ranks": lambda t, _: apa.mean_ranks("score ~ model | roi", t),
        "lmm, random models": lambda t, _: apa.lmm("score ~ 1 + (1 | model) + (1 | subject)", t),
        "discriminability": lambda t, _: apa.discriminability("score ~ model | roi", t, rng=1),
    }  # fmt: skip
    for name, run in verbs.items():
        apart = None
        if name in ("compare", "equivalence", "nemenyi"):
            some, whole = run(few, 100).table, run(few, "all").table
            both = some.merge(whole, on="contrast", suffixes=("", "_whole"))
            apart = max(difference(both[f"{c}_whole"], both[c]) for c in ("estimate", "p_value"))
        for k in (200, 500) if quick else (500, 2000, 5000):
            table = study(k, 1, 10)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seconds, found = best_time(lambda r=run, t=table: r(t, "auto"), 1)
            yield Row(
                f"many models, {name}: {k:,}",
                ours=seconds,
                difference=apart,
                note=f"{k * (k - 1) // 2:,} pairs, {len(found.table):,} rows shown; peak {peak_memory():.2f} GB "
                f"so far; asked: under {MANY_SECONDS} s of CPU and {MANY_GB} GB",
                met=seconds < MANY_SECONDS and peak_memory() < MANY_GB,
            )


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
