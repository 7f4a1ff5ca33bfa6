"""Held-out parts: what is too small for a score."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apastats as apa
from apastats.errors import SmallSampleWarning


@pytest.mark.parametrize(("n", "few"), [(12, True), (19, True), (20, False)])
def test_parts_too_small_for_a_score_are_told(n: int, few: bool) -> None:
    rng = np.random.default_rng(0)
    brain = {("s1", "V1"): rng.normal(size=(n, 4)), ("s2", "V1"): rng.normal(size=(n, 4))}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = apa.linear_predictivity(brain, {("m", "l"): rng.normal(size=(n, 3))})
    told = [w for w in caught if issubclass(w.category, SmallSampleWarning)]
    assert bool(told) == few
    assert any("R2 has no mean there" in line for line in found.log) == few
