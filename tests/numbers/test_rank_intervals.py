"""Rank intervals against everything done densely."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from apastats.numbers.rank_intervals import (
    draw_largest,
    pair_errors,
    rank_bounds,
    tiers,
    upper_quantile,
)
from apastats.numbers.simultaneous import range_critical


def problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) * 2, rng.uniform(0.05, 0.4, n), rng.normal(size=(n, 3)) * 0.3


@pytest.mark.parametrize("stepwise", [True, False])
def test_as_dense(stepwise: bool) -> None:
    n, n_draw, alpha = 12, 499, 0.1
    mean, own, shared = problem(n, 1)
    parts, df = np.ones((n, 1)), np.array([9.0])
    largest = draw_largest(own, shared, parts, df, n_draw, np.random.default_rng(5))
    found = rank_bounds(mean, own, shared, largest, alpha, stepwise=stepwise)
    # the same draws, every ordered pair
    rng = np.random.default_rng(5)
    centred = shared - shared.mean(axis=0)
    z = rng.standard_normal((n_draw, n)) * np.sqrt(own)
    z += rng.standard_normal((n_draw, 3)) @ centred.T
    z /= np.sqrt(scipy.stats.chi2.ppf(rng.random((n_draw, 1)), df) / df)
    covariance = np.diag(own) + shared @ shared.T
    d = np.diag(covariance)
    se = np.sqrt(d[:, None] + d[None, :] - 2 * covariance)
    np.fill_diagonal(se, np.inf)
    t_draw = (z[:, :, None] - z[:, None, :]) / se
    t = (mean[:, None] - mean[None, :]) / se

    def quantile(v: np.ndarray) -> np.ndarray:
        k = int(np.ceil((1 - alpha) * (n_draw + 1)))
        return np.asarray(np.sort(v, axis=0)[k - 1])

    family = ~np.eye(n, dtype=bool)
    critical = float(quantile(t_draw[:, family].max(axis=1)))
    while stepwise:
        left = family & ~(t > critical)
        new = float(quantile(t_draw[:, left].max(axis=1)))
        if not new < critical:
            break
        critical = new
    assert found.critical == pytest.approx(critical, rel=1e-9)
    np.testing.assert_array_equal(found.low, 1 + (t < -critical).sum(axis=1))
    np.testing.assert_array_equal(found.high, n - (t > critical).sum(axis=1))
    own_critical = quantile(np.abs(t_draw).max(axis=2))
    np.testing.assert_allclose(found.critical_marginal, own_critical, rtol=1e-9)
    np.testing.assert_array_equal(found.low_marginal, 1 + (t < -own_critical[:, None]).sum(axis=1))
    np.testing.assert_array_equal(found.high_marginal, n - (t > own_critical[:, None]).sum(axis=1))
    one_sided = quantile(-t_draw.min(axis=2))
    np.testing.assert_array_equal(found.best, ~(t < -one_sided[:, None]).any(axis=1))
    assert (found.steps > 1) == stepwise


def test_single_precision_of_large_tables_changes_no_place() -> None:
    import apastats.numbers.rank_intervals as module

    mean, own, shared = problem(300, 2)
    parts, df = np.ones((300, 1)), np.array([200.0])
    exact = draw_largest(own, shared, parts, df, 199, np.random.default_rng(1))
    assert exact.one.dtype == np.float64
    n_draw = 11_200  # 300 * 300 * 11,200 > 1e9
    single = draw_largest(own, shared, parts, df, n_draw, np.random.default_rng(1))
    assert single.one.dtype == np.float32
    a, b = (rank_bounds(mean, own, shared, v, 0.05) for v in (exact, single))
    assert abs(a.critical - b.critical) < 0.4
    assert module.ROWS < 300  # more than one block


def test_equal_variances_are_the_studentised_range() -> None:
    own = np.full(6, 0.3)
    largest = draw_largest(
        own, np.zeros((6, 1)), np.ones((6, 1)), np.array([15.0]), 40_000, np.random.default_rng(3)
    )
    expected = range_critical(0.95, 6, 15.0) / np.sqrt(2)
    assert float(upper_quantile(largest.joint, 0.05)) == pytest.approx(expected, rel=0.01)


def test_errors_of_pairs() -> None:
    _, own, shared = problem(9, 4)
    covariance = np.diag(own) + shared @ shared.T
    d = np.diag(covariance)
    dense = np.sqrt(d[:, None] + d[None, :] - 2 * covariance)
    off = ~np.eye(9, dtype=bool)
    np.testing.assert_allclose(pair_errors(own, shared, slice(0, 9))[off], dense[off])


def test_tiers() -> None:
    mean = np.array([0.0, 5.0, 4.9, 2.0, 1.9])
    own = np.full(5, 0.01)
    np.testing.assert_array_equal(tiers(mean, own, np.zeros((5, 1)), 3.0), [3, 1, 1, 2, 2])


def test_the_unit_of_the_scores_moves_no_critical_value() -> None:
    mean, own, shared = problem(8, 4)
    parts = np.ones((8, 1))
    found = []
    for u in (1.0, 1e-9, 3e8):
        # degrees of freedom come from a fit, equal up to rounding
        df = np.array([9.0 + 1e-12 * np.log(u)])
        largest = draw_largest(own * u**2, shared * u, parts, df, 999, np.random.default_rng(5))
        found.append(rank_bounds(mean * u, own * u**2, shared * u, largest, 0.05).critical)
    np.testing.assert_allclose(found, found[0], rtol=1e-9)
