"""Unique variances of ten models under resamples of stimuli against least squares, a fit per subset and subject."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from apastats.scoring.unique_kernel import Question, UniqueKernel
from benchmarks.common import Row, measure
from benchmarks.scoring import data

S, N, K = 10, 92, 10


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Pearson and Spearman, ten models, ten subjects, 92 stimuli."""
    for method in ("corr", "spearman"):
        task = f"unique variances of {K} models, {S} subjects, {N} stimuli ({method})"
        if only in task:
            yield one(task, method, 64 if quick else 256)


def one(task: str, method: str, ours_n: int) -> Row:
    """Per resample: one product and small systems against least squares on the drawn pairs."""
    x, y = data(S, N, K, seed=1)
    left, right = np.triu_indices(N, 1)
    question = Question(tuple(np.array([k]) for k in range(K)))
    kernel = UniqueKernel(x, y, method, question)
    counts = np.random.default_rng(0).multinomial(N, np.ones(N) / N, size=ours_n)

    def theirs() -> np.ndarray:
        pairs = np.repeat(np.arange(len(left)), counts[0][left] * counts[0][right])
        a, b = x[:, pairs], y[:, pairs]
        if method == "spearman":
            a, b = (np.apply_along_axis(rankdata, 1, v) for v in (a, b))
        a, b = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
        total = (a**2).sum(axis=1)

        def r2(members: list[int]) -> np.ndarray:
            design = b[members].T
            out = np.empty(S)
            for i, row in enumerate(a):  # one fit for each subject, as a script would
                rest = row - design @ np.linalg.lstsq(design, row, rcond=None)[0]
                out[i] = 1 - rest @ rest / total[i]
            return out

        full = r2(list(range(K)))
        return np.stack([full - r2([j for j in range(K) if j != k]) for k in range(K)], axis=1)

    def ours() -> np.ndarray:
        return kernel.values(counts)[0, :, :K]

    return measure(
        task, theirs, ours, repeat=(1, 2), scale=(1.0, 1.0 / ours_n), tolerance=1e-8,
        note="per resample; ours with the noise ceilings of every part",
    )  # fmt: skip
