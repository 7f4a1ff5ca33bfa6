"""Intervals of agreements hold what they say where references and pairs share people."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.calibration.agreements import covered, simulate
from tests.calibration.test_interval_coverage import above, below

pytestmark = pytest.mark.calibration


def test_shares_cover_and_a_further_brain_is_no_further_away(long: bool) -> None:
    sets = 600 if long else 80
    found = simulate(8, sets, seed=1)
    gap = (found["further_z"] - found["brain_z"]).mean(axis=(1, 2))
    assert abs(gap.mean()) < 3.3 * gap.std(ddof=1) / np.sqrt(sets)
    for name in ("brain", "model"):
        shares = found[f"{name}_a"]
        slope = 1 - shares.mean(axis=1) ** 2
        half = stats.t.ppf(0.975, 7) * shares.std(axis=1, ddof=1) / np.sqrt(8) / slope
        for share in (covered(found[f"{name}_z"]), covered(shares, half)):
            assert not below(share, 0.935, 2 * sets), (
                share
            )  # ROIs are alike: not eight times the sets
            assert not above(share, 0.985, 2 * sets), share
    assert covered(found["brain_plain"]) < 0.9
