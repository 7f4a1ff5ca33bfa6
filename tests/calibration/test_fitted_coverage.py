"""Intervals of fitted models hold what they say: scores and weights, subjects drawn alone and with stimuli."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calibration.fitted_models import DRAWN, coverage, weights_coverage
from tests.calibration.test_interval_coverage import below

pytestmark = pytest.mark.calibration


@pytest.mark.parametrize("cluster", ["subject", ("subject", "stimulus")])
def test_intervals_of_scores_and_weights_cover(cluster: Any, long: bool) -> None:
    sets = 300 if long else 30
    found = coverage(cluster, n_study=sets, n_resamples=399 if long else 199)
    assert not below(found.score, 0.93, sets)
    # two weights of each study; they are nonlinear, and percentiles of few subjects fall short a little
    assert not below(found.weight, 0.9, 2 * sets)
    assert not below(found.zero, 0.93, sets)


@pytest.mark.parametrize("drawn", list(DRAWN))
@pytest.mark.parametrize("n", [10, 20])
def test_intervals_of_weights_cover(drawn: str, n: int, long: bool) -> None:
    sets = 400 if long else 40
    found = weights_coverage(DRAWN[drawn], n, sets, n_resamples=399 if long else 199)
    for member in ("first", "second", "none"):
        # .94 to 1 were measured in 400 studies
        assert not below(found[member], 0.93, sets), found
