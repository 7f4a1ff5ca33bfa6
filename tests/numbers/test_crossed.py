"""Crossed tables against dense linear algebra, closed forms and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest

from apastats.numbers.crossed import components, fit_crossed, from_repeats, residual_covariance
from apastats.numbers.fixed_point import accelerated
from apastats.numbers.item_response import fit_responses
from apastats.numbers.items import correlations, effective_number, missing_shift, ranks_of, tipping


def holes(
    n_model: int, n_item: int, share: float, seed: int, errors: np.ndarray | None = None
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    s = np.ones(n_item) if errors is None else errors
    y = (
        rng.normal(size=(n_model, 1))
        + rng.normal(size=n_item)
        + s * rng.normal(size=(n_model, n_item))
    )
    y[rng.random(y.shape) < share] = np.nan
    return y


def dense(
    y: np.ndarray, variance: np.ndarray, between: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Generalised least squares with the whole covariance: models at the average item, covariance, REML."""
    n_model, n_item = y.shape
    i, j = np.nonzero(np.isfinite(y))
    x, z = np.eye(n_model)[i], np.eye(n_item)[j]
    v = np.diag(variance[j])
    if np.isinf(between):
        sums = np.vstack([np.eye(n_item - 1), -np.ones(n_item - 1)])
        x = np.hstack([x, z @ sums])
    else:
        v = v + between * z @ z.T
    inverse = np.linalg.inv(v)
    covariance = np.linalg.inv(x.T @ inverse @ x)
    beta = covariance @ x.T @ inverse @ y[i, j]
    r = y[i, j] - x @ beta
    reml = -0.5 * (np.linalg.slogdet(v)[1] - np.linalg.slogdet(covariance)[1] + r @ inverse @ r)
    return beta[:n_model], covariance[:n_model, :n_model], float(reml)


@pytest.mark.parametrize("random", [True, False])
def test_complete_tables_are_anova(random: bool) -> None:
    y = holes(7, 5, 0.0, 1) + np.arange(5.0)
    fit = fit_crossed(y, random=random, by_item=False)
    np.testing.assert_allclose(fit.mean, y.mean(axis=1), atol=1e-10)
    r = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    np.testing.assert_allclose(fit.variance, (r**2).sum() / 24, rtol=1e-8)
    np.testing.assert_array_equal(fit.inflation, 1)
    if random:
        square = 7 * ((y.mean(axis=0) - y.mean()) ** 2).sum() / 4
        np.testing.assert_allclose(fit.between, (square - fit.variance[0]) / 7, rtol=1e-6)
    else:
        np.testing.assert_allclose(fit.item, y.mean(axis=0) - y.mean(), atol=1e-10)
        np.testing.assert_allclose(fit.df, 24, rtol=1e-6)


@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("by_item", [True, False])
def test_as_dense_least_squares(random: bool, by_item: bool) -> None:
    y = holes(30, 8, 0.4, 2, np.linspace(0.4, 1.5, 8))
    fit = fit_crossed(y, random=random, by_item=by_item)
    assert fit.converged
    assert not fit.held.any()
    mean, covariance, best = dense(y, fit.variance, fit.between)
    np.testing.assert_allclose(fit.mean, mean, atol=1e-10)
    ours = np.diag(fit.own) + fit.shared @ fit.shared.T
    np.testing.assert_allclose(ours, covariance, atol=1e-9)
    # no step away from the variances found has a higher restricted likelihood
    for k in range(8 if by_item else 1):
        for factor in (0.97, 1.03):
            other = fit.variance.copy()
            other[k if by_item else slice(None)] *= factor
            assert dense(y, other, fit.between)[2] < best
    if random:
        for factor in (0.97, 1.03):
            assert dense(y, fit.variance, fit.between * factor)[2] < best


def test_holes_do_not_bias() -> None:
    rng = np.random.default_rng(3)
    truth, easy = np.zeros(60), np.linspace(-2, 2, 20)
    errors, naive = [], []
    for _ in range(40):
        y = truth[:, None] + easy + 0.5 * rng.normal(size=(60, 20))
        # the first half of the models is rarely run on easy items
        chance = np.where(np.arange(60)[:, None] < 30, 0.2 + 0.6 * (easy > 0), 0.3)
        y[rng.random(y.shape) < chance] = np.nan
        fit = fit_crossed(y, random=False)
        errors.append(fit.mean[:30].mean() - fit.mean[30:].mean())
        means = np.nanmean(y, axis=1)
        naive.append(means[:30].mean() - means[30:].mean())
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(40) + 1e-3
    assert np.mean(naive) < -0.5


def test_few_scores_of_an_item_and_a_boundary() -> None:
    y = holes(20, 6, 0.2, 4)
    y[2:, 5] = np.nan
    y[:2, 5] = [0.1, 0.3]
    fit = fit_crossed(y)
    np.testing.assert_allclose(fit.variance[5], fit.variance[:5].mean(), rtol=1e-6)
    # several such items share a variance
    y = holes(80, 6, 0.2, 4, np.array([1, 1, 1, 3.0, 3.0, 3.0]))
    y[20:, 3:] = np.nan
    y = y[np.isfinite(y).any(axis=1)]
    fit = fit_crossed(y, least=50)
    assert (fit.variance[3:] == fit.variance[3]).all()
    assert fit.variance[3] > 4 * fit.variance[:3].max()
    # an item that is the model effect itself
    y = holes(40, 3, 0.0, 5)
    y[:, 0] = y[:, 1:].mean(axis=1)
    fit = fit_crossed(y)
    assert fit.held[0]
    assert not fit.held[1:].any()


def test_parts_without_a_common_item() -> None:
    seen = np.zeros((5, 4), dtype=bool)
    seen[:3, :2] = seen[3:, 2:] = True
    assert len(set(components(seen))) == 2
    seen[0, 3] = True
    assert len(set(components(seen))) == 1


def test_repeats() -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(size=(30, 3, 4))
    fit = fit_crossed(y.mean(axis=1))
    mean, variance, df = from_repeats(y, fit)
    np.testing.assert_allclose(mean, y.mean(axis=(1, 2)))
    z = y.mean(axis=2)
    np.testing.assert_allclose(variance, ((z - z.mean(axis=1, keepdims=True)) ** 2).sum() / 60 / 3)
    assert df == 60
    y[0, :, 1] = np.nan
    mean, more, _ = from_repeats(y, fit)
    filled = np.array([y[0, :, 0].mean(), fit.mean[0] + fit.item[1], *y[0, :, 2:].mean(axis=0)])
    np.testing.assert_allclose(mean[0], filled.mean())
    assert more[0] > more[1]


def test_correlations_of_errors() -> None:
    rng = np.random.default_rng(7)
    e = rng.normal(size=(2000, 8))
    e[:, 1] = 0.8 * e[:, 0] + 0.6 * e[:, 1]
    y = rng.normal(size=(2000, 1)) + rng.normal(size=8) + e
    y[rng.random(y.shape) < 0.3] = np.nan
    y = y[np.isfinite(y).any(axis=1)]
    fit = fit_crossed(y, by_item=False)
    r, n = correlations(y, fit)
    assert 0.5 < r[0, 1] < 0.9
    off = r[np.triu_indices(8, 1)][1:]
    assert np.abs(off).max() < 0.2
    assert 5.5 < effective_number(r, n) < 8
    independent = holes(3000, 6, 0.3, 8)
    independent = independent[np.isfinite(independent).any(axis=1)]
    fit = fit_crossed(independent, by_item=False)
    covariance, _ = residual_covariance(independent, fit.item)
    np.testing.assert_allclose(covariance, np.eye(6) * fit.variance[0], atol=0.08)


def test_variances_of_three_complete_items_are_those_of_grubbs() -> None:
    rng = np.random.default_rng(12)
    y = rng.normal(size=(500, 1)) + rng.normal(size=(500, 3)) * np.array([0.5, 1.0, 2.0])
    covariance, _ = residual_covariance(y, y.mean(axis=0) - y.mean())
    between = np.cov(y.T)
    # a variance less the covariances that hold the model alone
    expected = [
        between[j, j] - between[j, k] - between[j, o] + between[k, o]
        for j, k, o in ((0, 1, 2), (1, 0, 2), (2, 0, 1))
    ]
    np.testing.assert_allclose(np.diag(covariance), expected, rtol=1e-8)


def test_response_model_against_statsmodels() -> None:
    from statsmodels.multivariate.factor import Factor

    rng = np.random.default_rng(9)
    a, s = np.array([1.5, 1.0, 0.6, 0.9, 1.2, 0.5]), np.array([0.5, 0.7, 1.0, 0.6, 0.8, 1.1])
    y = rng.normal(size=(300, 1)) * a + np.arange(6.0) + s * rng.normal(size=(300, 6))
    found = fit_responses(y, tolerance=1e-10)
    fit = Factor(y, n_factor=1, method="ml").fit()
    loadings = np.abs(fit.loadings[:, 0]) * y.std(axis=0)
    np.testing.assert_allclose(found.discrimination, loadings, rtol=1e-3)
    np.testing.assert_allclose(found.error, fit.uniqueness * y.var(axis=0), rtol=2e-3)
    np.testing.assert_allclose(found.intercept, y.mean(axis=0))
    assert fit_responses(y, equal=True).loglik < found.loglik


def test_response_model_with_holes() -> None:
    rng = np.random.default_rng(10)
    a, s, b = np.array([1.5, 1.0, 0.6, 0.9, 1.2, 0.5]), np.full(6, 0.6), np.arange(6.0)
    theta = rng.normal(size=1500)
    y = theta[:, None] * a + b + s * rng.normal(size=(1500, 6))
    # the second item was run on models that did well on the first alone: missing at random, biased for plain means
    y[y[:, 0] < 0.5, 1] = np.nan
    y[rng.random(y.shape) < 0.2] = np.nan
    found = fit_responses(y)
    assert found.converged
    assert np.nanmean(y[:, 1]) > 1.4
    assert (np.abs(found.intercept - b) < 4 * found.intercept_se).all()
    assert (np.abs(found.discrimination - a) < 4 * found.discrimination_se).all()
    assert (found.discrimination_se < 0.07).all()
    inside = np.abs(found.ability - theta) < 1.96 * found.ability_sd
    assert 0.93 < inside.mean() < 0.97


def test_standard_errors_of_discriminations() -> None:
    rng = np.random.default_rng(11)
    a = np.array([1.0, 0.8, 0.6, 1.2])
    slopes, errors = [], []
    for _ in range(60):
        y = rng.normal(size=(200, 1)) * a + rng.normal(size=(200, 4)) * 0.7
        y[rng.random(y.shape) < 0.3] = np.nan
        found = fit_responses(y)
        slopes.append(found.discrimination)
        errors.append(found.discrimination_se)
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(slopes, axis=0), rtol=0.3)


def test_places_and_tipping() -> None:
    np.testing.assert_array_equal(ranks_of(np.array([3.0, 1.0, 3.0, 0.0])), [1, 3, 1, 4])
    np.testing.assert_array_equal(ranks_of(np.array([1.0, 1.0 - 1e-15]), 1e-12), [1, 1])
    seen = np.array([[True, True], [True, False], [False, True]])
    shift = missing_shift(seen, np.array([1.0, 3.0]))
    np.testing.assert_allclose(shift, [0, 1.5, 0.5])
    at, k = tipping(np.array([1.0, 0.7, 0.8]), shift)
    assert (round(at, 12), k) == (0.2, 1)
    assert tipping(np.array([1.0, 0.7]), np.zeros(2))[0] == np.inf


def test_fixed_point() -> None:
    matrix = np.array([[0.99, 0.005], [0.0, 0.9]])
    found, converged = accelerated(lambda x: matrix @ x + 1, np.zeros(2))
    assert converged
    np.testing.assert_allclose(found, np.linalg.solve(np.eye(2) - matrix, np.ones(2)), rtol=1e-7)
    assert not accelerated(lambda x: x + 1, np.zeros(1), most=20)[1]


def test_where_the_response_model_ends_does_not_depend_on_where_it_stopped() -> None:
    rng = np.random.default_rng(12)
    ability = rng.normal(size=(224, 1))
    y = ability + np.array([0.22, 0.08, 0.02]) * rng.normal(
        size=(224, 3)
    )  # an item almost without error: slow
    loose, tight = fit_responses(y, tolerance=1e-6), fit_responses(y, tolerance=1e-12)
    np.testing.assert_allclose(loose.error, tight.error, rtol=1e-9)
    turned = fit_responses(1.7 * y[::-1] + 3)
    np.testing.assert_allclose(turned.discrimination, 1.7 * loose.discrimination, rtol=1e-11)
