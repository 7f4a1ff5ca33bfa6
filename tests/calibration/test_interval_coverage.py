"""The default interval holds what it says where ten subjects are the normal case."""

from __future__ import annotations

import inspect

import pytest
from scipy.stats import binom

import apastats as apa
from tests.calibration.interval_simulation import SIZES, coverage

pytestmark = pytest.mark.calibration


def default_interval() -> str:
    return inspect.signature(apa.bootstrap).parameters["interval"].default


def below(share: float, bound: float, sets: int) -> bool:
    """Whether so low a share contradicts a coverage of ``bound`` (binomial, one in a thousand)."""
    return binom.cdf(round(share * sets), sets, bound) < 1e-3


def above(share: float, bound: float, sets: int) -> bool:
    return binom.sf(round(share * sets) - 1, sets, bound) < 1e-3


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", ["normal", "lognormal", "t3"])
def test_default_interval_covers(n: int, name: str, long: bool) -> None:
    sets = 10_000 if long else 500
    share = coverage(n, name, sets, seed=11)[default_interval()]
    if name == "normal":
        assert not below(share, 0.935, sets), share
        assert not above(share, 0.965, sets), share
    else:
        assert not below(share, 0.91, sets), share


def test_percentile_interval_is_known_to_fall_short(long: bool) -> None:
    sets = 10_000 if long else 1_000
    assert below(coverage(10, "normal", sets, seed=12)["percentile"], 0.94, sets)
