"""Leaderboards: estimates, decisions on all pairs and intervals of ranks of thousands of models, and their memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from apastats.numbers.crossed import fit_crossed
from apastats.numbers.rank_intervals import draw_largest, rank_bounds
from benchmarks.common import Row

SECONDS, GIGABYTES = 60, 4

CHILD = """
import resource, sys, time
sys.path.insert(0, {root!r})
from benchmarks.leaderboard import table
import apastats as apa
t = table({n_model}, {n_item})
start = time.process_time()
board = apa.leaderboard(t, item="benchmark", errors={errors!r})
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
      int(board.counts()["n_ordered"].iloc[0]))
"""


def scores(n_model: int, n_item: int, seed: int = 0) -> np.ndarray:
    """Models by items, half of them holes."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 0.1, (n_model, 1)) + rng.normal(0, 0.1, n_item)
    y = y + rng.normal(size=(n_model, n_item)) * np.exp(rng.normal(-2.3, 0.4, n_item))
    y[rng.random(y.shape) < 0.5] = np.nan
    return np.asarray(y)


def table(n_model: int, n_item: int) -> object:
    """The same as a ScoreTable."""
    import pandas as pd

    import apastats as apa

    y = scores(n_model, n_item)
    i, j = np.nonzero(np.isfinite(y))
    frame = pd.DataFrame(
        {"model": np.char.mod("m%04d", i), "benchmark": np.char.mod("b%03d", j), "score": y[i, j]}
    )
    return apa.ScoreTable(frame.assign(subject="all", roi="all"))


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every task in turn."""
    if only in "dense":
        yield against_dense(30 if quick else 120)
    sizes = ((500, 50),) if quick else ((500, 100), (5000, 100))
    for n_model, n_item in sizes:
        for errors in ("pooled", "item"):
            name = f"leaderboard, {n_model:,} x {n_item}, 50 % holes, errors {errors}"
            if only in name:
                yield whole(name, n_model, n_item, errors)


def whole(name: str, n_model: int, n_item: int, errors: str) -> Row:
    """CPU time of one call, and the memory of a process that makes it."""
    root = str(Path(__file__).resolve().parents[1])
    code = CHILD.format(root=root, n_model=n_model, n_item=n_item, errors=errors)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, memory, ordered = map(float, done.stdout.split())
    met = seconds < SECONDS and memory < GIGABYTES
    note = f"{memory:.2f} GB, {ordered:,.0f} pairs ordered; asked: under {SECONDS} s and {GIGABYTES} GB"
    return Row(name, None, seconds, note=note, met=met)


def against_dense(n_model: int) -> Row:
    """Blocks against matrices of all pairs, the same draws."""
    y = scores(n_model, 20, 1)
    y = y[np.isfinite(y).any(axis=1)]
    fit = fit_crossed(y)
    n, n_draw = len(y), 499
    start = time.process_time()
    largest = draw_largest(
        fit.own, fit.shared, fit.parts, fit.part_df, n_draw, np.random.default_rng(1)
    )
    ours_found = rank_bounds(fit.mean, fit.own, fit.shared, largest, 0.05, stepwise=False)
    ours = time.process_time() - start
    start = time.process_time()
    rng = np.random.default_rng(1)
    shared = fit.shared - fit.shared.mean(axis=0)
    z = rng.standard_normal((n_draw, n)) * np.sqrt(fit.own)
    z += rng.standard_normal((n_draw, shared.shape[1])) @ shared.T
    variances = rng.chisquare(fit.part_df, (n_draw, len(fit.part_df))) / fit.part_df
    z /= np.sqrt(variances @ fit.parts.T)
    covariance = np.diag(fit.own) + shared @ shared.T
    d = np.diag(covariance)
    se = np.sqrt(d[:, None] + d[None, :] - 2 * covariance)
    np.fill_diagonal(se, np.inf)
    joint = np.sort(np.abs((z[:, :, None] - z[:, None, :]) / se).max(axis=(1, 2)))
    critical = joint[int(np.ceil(0.95 * (n_draw + 1))) - 1]
    theirs = time.process_time() - start
    return Row(
        f"critical value of {n} models, dense", theirs, ours, abs(critical - ours_found.critical)
    )
