"""Intervals of variance partitioning where stimuli are drawn, in their short form."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from tests.calibration.partitions import DRAWN, coverage


@pytest.mark.calibration
@pytest.mark.parametrize("drawn", list(DRAWN))
def test_intervals_hold_the_mean_over_studies(drawn: str, long: bool) -> None:
    sets = 200 if long else 24
    found = coverage(8, 60, drawn, sets)
    # .92 to 1 were measured in 200 studies: a level of .90 is not rejected in any part
    least = binom.ppf(0.001, sets, 0.90)
    assert (found["coverage"] * sets >= least - 1e-9).all(), found
    # standard errors are those of the spread over studies, or larger: a band that adds nothing has a smaller spread
    inside = found[found["label"].isin(["unique one", "total all bands"])]
    assert (inside["se"] / inside["sd"]).between(0.6, 1.9).all(), found
