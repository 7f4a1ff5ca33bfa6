"""Memory grows with the table, or with the pairs of models where these are what a verb compares; never faster."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa

F = "score ~ model | roi"
SLACK = 1.35  # what is taken once, and blocks that end unevenly
Verb = Callable[[apa.ScoreTable], Any]
OF_ROWS: dict[str, Verb] = {
    "check": lambda t: apa.check(t),
    "bootstrap": lambda t: apa.bootstrap(F, t, n_resamples=200, rng=1),
    "compare with a reference": lambda t: apa.compare(F, t, reference="m00000"),
    "equivalence to a reference": lambda t: apa.equivalence(F, t, bounds=0.5, reference="m00000"),
    "friedman": lambda t: apa.friedman(F, t),
    "quade": lambda t: apa.quade(F, t),
}
OF_PAIRS: dict[str, Verb] = {
    "compare": lambda t: apa.compare(F, t),
    "equivalence": lambda t: apa.equivalence(F, t, bounds=0.5),
    "equivalence to the best": lambda t: apa.equivalence(F, t, bounds=0.5, reference="best"),
    "equivalence_set": lambda t: apa.equivalence_set(F, t),
    "mean_ranks": lambda t: apa.mean_ranks(F, t),
    "nemenyi": lambda t: apa.nemenyi(F, t),
    "discriminability": lambda t: apa.discriminability(F, t, rng=1),
    "lmm": lambda t: apa.lmm("score ~ model + (1 | subject)", t),  # covariance of the model means
    "models.scores": lambda t: apa.models.scores(t),
}


def table(n_model: int) -> apa.ScoreTable:
    g = np.random.default_rng(0)
    names = [
        (f"s{s}", f"r{r}", f"m{m:05d}") for s in range(8) for r in range(2) for m in range(n_model)
    ]
    frame = pd.DataFrame(names, columns=["subject", "roi", "model"])
    return apa.read(frame.assign(score=g.normal(size=len(frame))))


def peak(verb: Verb, n_model: int) -> int:
    """Bytes taken at most at one time, beside the table."""
    data = table(n_model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", apa.errors.ApaWarning)
        verb(table(10))  # imports, and what is kept
        tracemalloc.start()
        try:
            verb(data)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("name", OF_ROWS)
def test_memory_grows_with_the_rows(name: str) -> None:
    few, many = (peak(OF_ROWS[name], n) for n in (500, 1500))
    assert many < 3 * SLACK * few


@pytest.mark.parametrize("name", OF_PAIRS)
def test_memory_grows_with_the_pairs_of_models(name: str) -> None:
    few, many = (peak(OF_PAIRS[name], n) for n in (120, 240))
    assert many < 4 * SLACK * few
