"""Levels that results state, and letters of models that are not told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa


def table(means: list[float], n: int = 10) -> apa.ScoreTable:
    g = np.random.default_rng(0)
    rows = [
        (f"s{i}", f"m{j}", "V1", mean + 0.1 * g.normal())
        for i in range(n)
        for j, mean in enumerate(means)
    ]
    return apa.ScoreTable(pd.DataFrame(rows, columns=["subject", "model", "roi", "score"]))


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_intervals_of_a_margin_have_one_less_two_alpha(alpha: float) -> None:
    x = np.random.default_rng(1).normal(size=12)
    paired = apa.tost(x, x + 0.01 * x**2, bounds=0.5, alpha=alpha)
    pairs = apa.equivalence("score ~ model | roi", table([0, 0.1, 0.5]), bounds=0.3, alpha=alpha)
    for found in (paired, pairs):
        assert found.info.conf_level == pytest.approx(1 - 2 * alpha)
        assert (found.tidy()["conf_level"] - (1 - 2 * alpha)).abs().max() < 1e-12


def test_the_first_letter_is_that_of_the_highest_mean() -> None:
    letters = apa.compare("score ~ model | roi", table([0.0, 3.0, 1.0])).letters()
    assert letters == {"m1": "a", "m2": "b", "m0": "c"}
