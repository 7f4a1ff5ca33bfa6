"""Kernels, tuples of stimuli, correlations of people and small helpers against loops over their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import sparse, stats

from apastats.numbers import fisher, grams, one_more_person
from apastats.numbers.best import confidence_set, moments
from apastats.numbers.crossed import fit_crossed
from apastats.numbers.items import tipping
from apastats.numbers.maps import edges_of
from apastats.numbers.relative import independent_rows
from apastats.numbers.tuples import Alignment, biased_shares, unbiased_shares


def kernels(n: int = 7, m: int = 3, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(m, n, 4))
    return np.einsum("mip,mjp->mij", x, x)


def distances(k: np.ndarray) -> np.ndarray:
    own = np.einsum("mii->mi", k)
    return own[:, :, None] + own[:, None, :] - 2 * k


def tuple_mean(k: np.ndarray, other: np.ndarray, w: np.ndarray) -> float:
    """Mean of ``K_ij (L_ij + L_qr - 2 L_iq)`` over four distinct stimuli, by their weights (Song et al. 2012)."""
    total = weight = 0.0
    for i, j, q, r in itertools.permutations(range(len(k)), 4):
        share = w[i] * w[j] * w[q] * w[r]
        total += share * k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
        weight += share
    return total / weight


def plain(k: np.ndarray, other: np.ndarray) -> float:
    """HSIC of Gretton et al. (2005), without its scale."""
    n = len(k)
    centre = np.eye(n) - 1 / n
    return float(np.trace(k @ centre @ other @ centre))


def test_tuples_without_bias() -> None:
    k = kernels()
    found = Alignment(distances(k), np.array([0, 0, 1]), np.array([1, 2, 2]), unbiased_shares(7))
    weights = np.array([np.ones(7), [1, 2, 1, 1, 3, 1, 2], [2, 0, 1, 1, 0, 2, 1]], dtype=float)
    values = found.values(weights)
    for b, w in enumerate(weights):
        for at, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
            own = tuple_mean(k[i], k[i], w), tuple_mean(k[j], k[j], w)
            wanted = tuple_mean(k[i], k[j], w) / math.sqrt(own[0] * own[1])
            assert values[b, at] == pytest.approx(wanted, rel=1e-10)
    few = np.array([[1.0, 1, 1, 0, 0, 0, 0]])
    assert np.isnan(found.values(few)).all()


@pytest.mark.parametrize("n", [5, 8])
def test_tuples_of_the_plain_alignment(n: int) -> None:
    k = kernels(n)
    found = Alignment(distances(k), np.array([0, 1]), np.array([1, 2]), biased_shares(n))
    values = found.values(np.ones((1, n)))[0]
    for value, (i, j) in zip(values, ((0, 1), (1, 2)), strict=True):
        wanted = plain(k[i], k[j]) / math.sqrt(plain(k[i], k[i]) * plain(k[j], k[j]))
        assert value == pytest.approx(wanted, rel=1e-10)


def test_rows_without_bias_are_means_over_tuples() -> None:
    k = kernels()
    for w in (np.ones(7), np.array([1.0, 2, 1, 1, 3, 1, 2])):
        rows, metric = grams.debiased_rows(k, w), grams.debiased_metric(7, w)
        found = (rows * metric) @ rows.T
        wanted = [[tuple_mean(a, b, w) for b in k] for a in k]
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
    none = grams.debiased_metric(7, np.array([1.0, 1, 1, 0, 0, 0, 0]))
    assert none.shape == metric.shape
    assert np.isnan(none).all()


def test_rows_of_kernels_are_the_plain_alignment_of_stimuli_written_out() -> None:
    k = kernels()
    w = np.array([1, 2, 1, 0, 3, 1, 2])
    often = np.repeat(np.arange(7), w)
    rows = grams.kernel_rows(k, w.astype(float))
    wanted = [[plain(a[np.ix_(often, often)], b[np.ix_(often, often)]) for b in k] for a in k]
    np.testing.assert_allclose(rows @ rows.T, wanted, rtol=1e-10)
    plain_rows = grams.kernel_rows(k)
    np.testing.assert_allclose(
        plain_rows @ plain_rows.T, [[plain(a, b) for b in k] for a in k], rtol=1e-10
    )


def test_gram_matrices_of_squared_distances() -> None:
    k = kernels()
    d = distances(k)
    i, j = np.triu_indices(7, 1)
    centre = np.eye(7) - 1 / 7
    np.testing.assert_allclose(grams.squares(d[:, i, j]), centre @ k @ centre, atol=1e-12)
    np.testing.assert_allclose(grams.square_distances(k), d, atol=1e-12)


@pytest.mark.parametrize("n", [6, 7])
def test_gaussian_kernels_by_the_median_distance(n: int) -> None:
    k = kernels(n)
    found = grams.rbf(k, 0.7)
    for gram, kernel in zip(k, found, strict=True):
        d = np.sqrt(np.maximum(distances(gram[None])[0], 0))
        width = 0.7 * np.median(d[np.triu_indices(n, 1)])
        np.testing.assert_allclose(kernel, np.exp(-(d**2) / (2 * width**2)), rtol=1e-10)


@pytest.mark.parametrize("p", [3, 6, 20])
def test_roots_have_the_gram_matrix_and_no_more_columns_than_stimuli(p: int) -> None:
    x = np.random.default_rng(3).normal(size=(6, p))
    root = grams.roots(x)
    assert root.shape == (6, min(p, 6))
    about = x - x.mean(axis=0)
    gram = about @ about.T
    np.testing.assert_allclose(root @ root.T, gram / np.trace(gram), atol=1e-12)
    # of less rank than stimuli less one
    flat = np.repeat(x[:, :2], 5, axis=1)
    about = flat - flat.mean(axis=0)
    root, gram = grams.roots(flat), about @ about.T
    np.testing.assert_allclose(root @ root.T, gram / np.trace(gram), atol=1e-7)


def test_correlations_of_people_are_drawn_to_zero_by_their_uncertainty() -> None:
    g = np.random.default_rng(4)
    x = g.normal(size=(9, 4)) @ g.normal(size=(4, 4)) * [1.0, 10.0, 0.1, 3.0]
    n, q = x.shape
    z = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    r, variance = np.eye(q), np.zeros((q, q))
    for i, j in itertools.product(range(q), repeat=2):
        products = z[:, i] * z[:, j]
        r[i, j] = products.sum() / (n - 1)
        variance[i, j] = n / (n - 1) ** 3 * ((products - products.mean()) ** 2).sum()
    off = ~np.eye(q, dtype=bool)
    w = variance[off].sum() / (r[off] ** 2).sum()
    assert 0.01 < w < 1
    wanted = np.where(off, (1 - w) * r, 1.0)
    np.testing.assert_allclose(one_more_person.correlation_of(x), wanted, rtol=1e-10)


def test_skewness_of_people() -> None:
    x = np.random.default_rng(5).normal(size=(8, 3)) ** 2
    each = stats.skew(x, axis=0, bias=False)
    assert one_more_person.skewness_of(x) == pytest.approx(np.clip(each.mean(), -1, 1), rel=1e-12)
    small = x[:, :1] * 0.1 + np.linspace(0, 1, 8)[:, None]
    assert one_more_person.skewness_of(small) == pytest.approx(
        stats.skew(small[:, 0], bias=False), rel=1e-12
    )
    assert one_more_person.skewness_of(np.ones((8, 2))) == 0
    assert one_more_person.skewness_of(x[:2]) == 0


def test_shares_of_draws_count_the_study_itself() -> None:
    draws = np.array([0.3, 1.0, 2.0, 2.0])
    values = np.array([-1.0, 1.0, 1.5, 2.0, 9.0])
    wanted = [(sum(d >= v - 1e-12 for d in draws) + 1) / 5 for v in values]
    np.testing.assert_allclose(one_more_person._tail(draws, values), wanted)


def test_the_rank_of_a_person_counts_that_person() -> None:
    g = np.random.default_rng(6)
    people = g.normal(size=(8, 3))
    far = np.vstack([people, people.mean(axis=0) + 50.0])
    assert one_more_person._rank(far, "two-sided") == pytest.approx(1 / 9)
    twins = np.vstack([people, people[-1]])
    assert one_more_person._rank(twins, "two-sided") >= 2 / 9


@pytest.mark.parametrize("small_sample", [False, True])
def test_differences_of_z(small_sample: bool) -> None:
    r1, n1, r2, n2 = 0.7, 12, 0.2, 30
    d, se = fisher.z_difference(r1, n1, r2, n2, small_sample=small_sample)
    wanted = math.atanh(r1) - math.atanh(r2)
    if small_sample:
        wanted -= r1 / (2 * 11) - r2 / (2 * 29)
    assert d == pytest.approx(wanted, rel=1e-13)
    assert se == pytest.approx(math.sqrt(1 / 9 + 1 / 27), rel=1e-13)


def test_the_root_of_a_difference_is_the_least_over_a_grid() -> None:
    for r1, r2, delta in ((0.7, 0.2, 0.1), (-0.4, 0.3, 0.2), (0.9, 0.85, -0.3)):
        n1, n2 = 12, 20
        middle = np.linspace(-1 + abs(delta) / 2, 1 - abs(delta) / 2, 200_001)[1:-1]
        total = np.zeros_like(middle)
        for r, n, rho in ((r1, n1, middle + delta / 2), (r2, n2, middle - delta / 2)):
            total += (n - 3) * (math.atanh(r) - np.arctanh(rho) - rho / (2 * (n - 1))) ** 2
        found = fisher.difference_root(r1, n1, r2, n2, delta)
        assert abs(found) == pytest.approx(math.sqrt(total.min()), abs=2e-4)
        for alpha in (0.025, 0.05):
            low, high = fisher.difference_limits(r1, n1, r2, n2, alpha)
            q = stats.norm.ppf(1 - alpha)
            assert fisher.difference_root(r1, n1, r2, n2, low) == pytest.approx(q, abs=1e-6)
            assert fisher.difference_root(r1, n1, r2, n2, high) == pytest.approx(-q, abs=1e-6)


def test_the_shift_at_which_another_model_is_level() -> None:
    mean, shift = np.array([0.5, 0.4, 0.3, 0.5]), np.array([1.0, 2.0, 0.0, 1.0])
    # the last one is level already, to the last bit
    assert tipping(mean, shift) == (0.0, 3)
    at, k = tipping(mean[:3], shift[:3])
    assert (at, k) == (pytest.approx(0.1), 1)
    assert mean[0] + at * shift[0] == pytest.approx(mean[1] + at * shift[1])
    assert tipping(np.array([0.5, 0.4]), np.array([1.0, 1.0]))[0] == np.inf
    assert tipping(np.array([0.5, 0.4]), np.array([1.0, 1.0]), tie=0.1)[0] in (0.0, np.inf)


def test_edges_of_a_map_join_different_places_once() -> None:
    near = sparse.coo_matrix(np.ones((3, 3)))  # the diagonal too
    found = {tuple(e) for e in edges_of((3, 2), near).T}
    across = {
        (2 * a + c, 2 * b + c) for a, b in itertools.combinations(range(3), 2) for c in (0, 1)
    }
    along = {(2 * a, 2 * a + 1) for a in range(3)}
    assert found == across | along
    assert edges_of((3, 2), near).shape[1] == len(found)


def test_rows_are_independent_whatever_the_size_of_a_unit() -> None:
    triangle = np.array([[1.0, -1, 0], [0, 1, -1], [1, 0, -1]])
    for scale in (np.ones(3), np.array([1e-9, 1.0, 1e9])):
        assert len(independent_rows(triangle / scale, scale)) == 2
    both = np.array([[1.0, 1], [1, -1]])
    for scale in (np.array([1e-8, 1.0]), np.array([1.0, 1e8])):
        assert len(independent_rows(both / scale, scale)) == 2


def test_p_values_of_a_step_down_set_are_those_of_ranges_of_what_is_left() -> None:
    x = np.random.default_rng(8).normal(size=(9, 5)) + np.array([0, 0.2, 0.2, 0.9, 1.4])
    m = moments(x)
    inside, p, _ = confidence_set(m, 0.05, step_down=True)
    order = np.argsort(x.mean(axis=0))
    error = np.sqrt(m.variance.max() / 2)
    highest, worst = x.mean(axis=0).max(), 0.0
    for place, k in enumerate(order[:-1]):
        q = (highest - x[:, k].mean()) / error
        worst = max(worst, stats.studentized_range.sf(q, 5 - place, m.df))
        assert p[k] == pytest.approx(worst, abs=1e-6)
    assert p[order[-1]] == 1
    np.testing.assert_array_equal(inside, p > 0.05)


def test_copies_of_a_model_stay_in_the_set_together() -> None:
    x = np.random.default_rng(9).normal(size=(8, 1))
    for step_down in (False, True):
        inside, p, _ = confidence_set(
            moments(np.column_stack([x, x])), 0.05, step_down=step_down, shared=False
        )
        assert inside.all()
        np.testing.assert_array_equal(p, 1.0)
        # always lower by the same: no spread, and no doubt
        inside, p, _ = confidence_set(
            moments(np.column_stack([x, x - 0.25])), 0.05, step_down=step_down, shared=False
        )
        np.testing.assert_array_equal(inside, [True, False])


def test_weights_of_items_add_to_the_error_by_their_degrees_of_freedom() -> None:
    g = np.random.default_rng(10)
    y = g.normal(size=(60, 1)) + g.normal(size=(60, 6)) * np.linspace(0.5, 2, 6)
    found = fit_crossed(y, by_item=True)
    # of 59 contrasts of models an item keeps those that the others do not explain
    assert (found.part_df > 20).all()
    assert found.part_df.sum() == pytest.approx(59 * 5, rel=0.01)
    share = found.parts
    wanted = 1 + 4 * (share * (1 - share) / found.part_df).sum(axis=1)
    np.testing.assert_allclose(found.inflation, wanted, rtol=1e-12)
