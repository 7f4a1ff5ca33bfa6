"""A further person is rejected, and a model at the margin accepted, as rarely as said; the truth is accepted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.calibration.brain_people import STRUCTURES, simulate, simulate_agreement
from tests.calibration.test_interval_coverage import above, below

pytestmark = pytest.mark.calibration


@pytest.mark.parametrize("n", [8, 10])
@pytest.mark.parametrize("structure", list(STRUCTURES))
def test_score(structure: str, n: int, long: bool) -> None:
    sets = 1000 if long else 60
    found = {
        k: v.mean() for k, v in simulate(structure, n, sets, draws=499 if long else 199).items()
    }
    for side in ("less", "two-sided"):
        for what in ("region", "mean", "any", "profile"):
            assert not above(found[f"{what}_{side}"], 0.05, sets), (what, side, found)
    for name in ("margin_poor", "margin_all_poor", "margin_truth", "margin_all_truth"):
        # people who differ much in reliability: what the second order leaves
        most = 0.065 if structure == "hetero" else 0.05
        assert not above(found[name], most, sets), (name, found)
    assert not above(found["rank"], 1 / (n + 1), sets)
    assert not below(found["rank"], 1 / (n + 1), sets)
    # a geometry without noise: as good as a person in all data sets, and never below people
    assert found["good_truth"] > 0.99
    assert found["beyond_region_truth"] == 0
    if structure != "hetero":
        assert not below(found["beyond_profile_poor"], 0.65, sets)


@pytest.mark.parametrize("n", [8, 10])
@pytest.mark.parametrize("structure", list(STRUCTURES))
def test_agreement(structure: str, n: int, long: bool) -> None:
    sets = 400 if long else 25
    found = simulate_agreement(structure, n, sets, draws=499 if long else 199)
    for what in ("region_less", "any_less", "profile_less"):
        assert not above(found[what].mean(), 0.065, sets), (what, found[what].mean())
    bias = found["bias"]
    assert abs(bias.mean()) < 4 * bias.std() / np.sqrt(sets)
