"""Tests of unique variance keep their level with few subjects, where a test of the share itself does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from tests.calibration.unique_variances import both_rates, rates

pytestmark = pytest.mark.calibration


def above(share: float, bound: float, sets: int) -> bool:
    """Whether so high a share contradicts a rate of ``bound`` (binomial, one in a thousand)."""
    return bool(binom.sf(round(share * sets) - 1, sets, bound) < 1e-3)


def below(share: float, bound: float, sets: int) -> bool:
    return bool(binom.cdf(round(share * sets), sets, bound) < 1e-3)


@pytest.mark.parametrize("n", [8, 10])
@pytest.mark.parametrize("design", ["absent", "absent, people differ", "weak"])
def test_signed_tests_keep_their_level(design: str, n: int, long: bool) -> None:
    sets = 2_000 if long else 100
    found = rates(design, "in sample", n, sets, seed=7)
    if design != "weak":
        assert not above(found["against 0"], 0.055, sets), found
    for claim in ("less", "more"):
        if np.isfinite(found[claim]):
            assert not above(found[claim], 0.06, sets), found


def test_a_test_of_the_share_itself_does_not(long: bool) -> None:
    sets = 2_000 if long else 200
    found = rates("absent", "in sample", 8, sets, seed=8)
    assert below(1 - found["t test of the share, less"], 0.93, sets), found
    assert below(found["coverage, t"], 0.93, sets), found


def test_held_out_shares_of_nothing_are_not_above_0(long: bool) -> None:
    sets = 2_000 if long else 100
    found = rates("absent", "held-out subjects", 8, sets, seed=9)
    assert not above(found["against 0"], 0.05, sets), found


@pytest.mark.parametrize("absent", [True, False])
def test_new_stimuli_and_subjects(absent: bool, long: bool) -> None:
    sets = 500 if long else 20
    found = both_rates(8, sets, absent, seed=3)
    assert not below(found["coverage, t"], 0.93, sets), found
    if absent:
        assert not above(found["against 0"], 0.06, sets), found
