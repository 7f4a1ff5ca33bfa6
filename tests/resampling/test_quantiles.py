from __future__ import annotations

import numpy as np
import pytest

from apastats.errors import InputError
from apastats.resampling.quantiles import mass_below, quantiles

P = np.array([0.001, 0.025, 0.1, 0.5, 0.9, 0.975, 0.999])


def brute(row: np.ndarray, weights: np.ndarray, p: float) -> float:
    """Inverse distribution function, by its definition."""
    order = np.argsort(row)
    reached = np.cumsum(weights[order])
    at = int(np.argmax(reached >= p - 1e-12))
    value = row[order][at]
    if abs(reached[at] - p) <= 1e-12 and at + 1 < len(row):
        value = (value + row[order][at + 1]) / 2
    return value


@pytest.mark.parametrize("size", [3, 50, 20_000])
def test_weighted_quantiles_follow_their_definition(size: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, size)).round(2 if size == 50 else 12)
    weights = rng.exponential(size=size) ** 3
    weights /= weights.sum()
    found = quantiles(values, P, weights)
    for row, out in zip(values, found, strict=True):
        np.testing.assert_array_equal(out, [brute(row, weights, p) for p in P])


def test_weighted_quantiles_in_hostile_order() -> None:
    # sorted input with all the mass at one end defeats a probe that guesses
    row = np.arange(50_000.0)
    weights = np.full(50_000, 1e-12)
    weights[-3:] = 1 / 3
    weights /= weights.sum()
    np.testing.assert_array_equal(
        quantiles(row[None], P, weights)[0], [brute(row, weights, p) for p in P]
    )


def test_weighted_quantiles_mirror() -> None:
    rng = np.random.default_rng(1)
    values, weights = rng.normal(size=(3, 999)).round(1), rng.exponential(size=999)
    weights /= weights.sum()
    np.testing.assert_array_equal(
        quantiles(values, P, weights), -quantiles(-values, 1 - P, weights)
    )


def test_linear_is_numpys_default() -> None:
    values = np.random.default_rng(2).normal(size=(4, 333))
    np.testing.assert_allclose(
        quantiles(values, P), np.quantile(values, P, axis=1).T, rtol=1e-13, atol=1e-15
    )


def test_boot_rule_takes_order_statistics_where_they_are_whole() -> None:
    values = np.random.default_rng(3).permutation(999).astype(float)[None] + 1
    np.testing.assert_array_equal(
        quantiles(values, np.array([0.025, 0.05, 0.975, 1e-5, 1 - 1e-5]), rule="boot")[0],
        [25, 50, 975, 1, 999],
    )


def test_nan_is_left_out_and_infinity_kept() -> None:
    values = np.array([[np.nan, 1, 2, 3, np.inf], [np.nan] * 5])
    assert quantiles(values, np.array([1 / 3, 1.0]))[0].tolist() == [2, np.inf]
    assert np.isnan(quantiles(values, np.array([0.5]))[1]).all()
    weights = np.full(5, 0.2)
    assert quantiles(values, np.array([0.4, 0.9]), weights)[0].tolist() == [2, np.inf]
    assert np.isnan(quantiles(values, np.array([0.5]), weights)[1]).all()
    assert np.isnan(quantiles(values, np.array([np.nan]))).all()


def test_mass_below_counts_half_of_ties() -> None:
    values = np.array([[1.0, 2, 2, 3]])
    at = np.array([2.0])
    assert mass_below(values, at).item() == 0.5
    assert mass_below(values, at, ties=0).item() == 0.25
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    assert mass_below(values, at, weights).item() == pytest.approx(0.35)
    assert mass_below(np.array([[np.nan, 1.0]]), at).item() == 1


def test_unknown_rule() -> None:
    with pytest.raises(
        InputError, match=r"quantile_rule: got 'median'; allowed: one of \['linear', 'boot'\]"
    ):
        quantiles(np.ones((1, 3)), P, rule="median")
