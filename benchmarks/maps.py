"""Tests over maps of units: sign flips of 12 subjects, non-inferiority to another brain at every unit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import apastats as apa
from benchmarks.common import Row, peak_memory

N_SUBJECT, HEIGHT, WIDTH = 12, 100, 200
SECONDS, GIGABYTES = 60, 4
CONDITIONS = "CPU time of one process on one core."


def sheet(height: int, width: int) -> Any:
    """Neighbours on a triangulated sheet, six each, as on a cortical surface."""
    from scipy.sparse import coo_array

    place = np.arange(height * width).reshape(height, width)
    pairs = [
        (place[:, 1:], place[:, :-1]),
        (place[1:], place[:-1]),
        (place[1:, 1:], place[:-1, :-1]),
    ]
    i, j = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
    both = np.r_[i, j], np.r_[j, i]
    return coo_array((np.ones(2 * len(i)), both), shape=(place.size,) * 2).tocsr()


def smooth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Scores of subjects ``[subject, unit]`` whose noise is smooth over the sheet."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal((N_SUBJECT, height, width))
    noise = gaussian_filter(noise, (0, 2, 2))
    return (noise / noise.std()).reshape(N_SUBJECT, -1)


def maps(quick: bool) -> Iterator[Row]:
    """All exact flips of every method."""
    height, width = (20, 50) if quick else (HEIGHT, WIDTH)
    rng = np.random.default_rng(0)
    model, brain = (0.1 * smooth(rng, height, width) for _ in range(2))
    model[:, : height * width // 20] += 0.15
    for method in ("max-t", "cluster", "tfce"):
        adjacency = None if method == "max-t" else sheet(height, width)
        start = time.process_time()
        found = apa.map_test(model, brain, margin=0.02, method=method, adjacency=adjacency)
        seconds = time.process_time() - start
        shown = int((found.table["p_value"] <= 0.05).sum())
        peak = peak_memory()
        yield Row(
            f"non-inferiority, {method}: {height * width:,} units x {N_SUBJECT} subjects x "
            f"{found.info['n_resamples']:,} flips",
            ours=seconds,
            met=seconds < SECONDS and peak < GIGABYTES,
            note=f"{shown:,} units shown; peak {peak:.2f} GB; asked: {SECONDS} s and {GIGABYTES} GB",
        )


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """All rows whose task contains ``only``."""
    yield from (row for row in maps(quick) if only in row.task)
