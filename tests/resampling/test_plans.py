from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from apastats.errors import InputError
from apastats.resampling.plans import (
    BLOCK,
    composition_counts,
    counts_of_index,
    plan_of_counts,
    subject_counts,
    subject_weights,
)
from apastats.resampling.relabel import (
    group_signs,
    orderings,
    permutation_p,
    sign_flips,
)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_enumeration_is_every_ordered_draw_once(n: int) -> None:
    counts, weights = composition_counts(n)
    expected: dict[tuple[int, ...], int] = {}
    for draw in itertools.product(range(n), repeat=n):
        key = tuple(np.bincount(draw, minlength=n))
        expected[key] = expected.get(key, 0) + 1
    assert len(counts) == len(expected)
    for row, w in zip(counts, weights, strict=True):
        assert w == pytest.approx(expected[tuple(row)] / n**n, rel=1e-15)


def test_ten_subjects_have_92378_resamples() -> None:
    plan = subject_counts(10)
    assert (plan.exact, plan.n_resamples, plan.seed) == (True, 92_378, "")
    assert plan.weights.sum() == pytest.approx(1, abs=1e-13)
    assert (plan.counts.sum(axis=1) == 10).all()


def test_twelve_on_request_eleven_sampled_by_default() -> None:
    assert subject_counts(12, "exact").n_resamples == math.comb(23, 11)
    plan = subject_counts(11, rng=1)
    assert (plan.exact, plan.n_resamples) == (False, 19_999)


def test_a_number_samples_also_where_enumeration_is_possible() -> None:
    plan = subject_counts(4, 50, rng=1)
    assert (plan.exact, plan.counts.shape) == (False, (50, 4))


def test_first_rows_do_not_depend_on_how_many_are_drawn() -> None:
    short, long = subject_counts(13, 700, rng=5), subject_counts(13, 3 * BLOCK, rng=5)
    np.testing.assert_array_equal(short.counts, long.counts[:700])
    np.testing.assert_array_equal(long.block(2), long.counts[2 * BLOCK :])


def test_dirichlet_weights_sum_to_n() -> None:
    plan = subject_weights(7, 2000, rng=3)
    np.testing.assert_allclose(plan.counts.sum(axis=1), 7, rtol=1e-14)
    # variance of one Dirichlet(1, .., 1) weight times n: (n - 1) / (n + 1)
    assert plan.counts[:, 0].var() == pytest.approx(6 / 8, rel=0.15)


def test_sign_flips_are_all_patterns_with_identity_first() -> None:
    plan = sign_flips(5)
    assert plan.exact
    assert len({tuple(r) for r in plan.signs}) == 32
    np.testing.assert_array_equal(plan.signs[0], 1)
    np.testing.assert_array_equal(plan.weights, 1 / 32)


def test_sign_flips_are_enumerated_up_to_twenty() -> None:
    plan = sign_flips(20)
    assert (plan.exact, plan.n_resamples) == (True, 2**20)
    assert plan.block(1023).shape == (BLOCK, 20)
    np.testing.assert_array_equal(plan.block(1023)[-1], -1)
    assert sign_flips(21, rng=1).n_resamples == 19_999


def test_orderings_and_relabellings_are_complete() -> None:
    assert len({tuple(r) for r in orderings(5).matrix}) == 120
    assert not orderings(10, rng=0).exact
    assert set(map(tuple, np.sort(orderings(10, 20, rng=0).matrix, axis=1))) == {
        tuple(map(float, range(10)))
    }
    plan = group_signs(3, 4)
    assert len({tuple(r) for r in plan.signs}) == math.comb(7, 3)
    np.testing.assert_array_equal(plan.signs[0], [1, 1, 1, -1, -1, -1, -1])
    np.testing.assert_array_equal(group_signs(3, 4, 30, rng=0).signs.sum(axis=1), -1)


def test_permutation_p_is_never_zero() -> None:
    statistics = np.array([3.0, 1.0, -1.0, -3.0])
    assert permutation_p(statistics, 3.0, exact=True) == 0.5
    assert permutation_p(statistics, 3.0, exact=True, alternative="greater") == 0.25
    assert permutation_p(statistics, 9.0, exact=False) == 0.2
    assert permutation_p(statistics, -9.0, exact=False, alternative="less") == 0.2


def test_replayed_tables() -> None:
    counts = counts_of_index(np.array([[0, 0, 2], [1, 2, 2]]), 3)
    np.testing.assert_array_equal(counts, [[2, 0, 1], [0, 1, 2]])
    plan = plan_of_counts(counts, np.array([1.0, 3.0]))
    np.testing.assert_array_equal(plan.weights, [0.25, 0.75])
    np.testing.assert_array_equal(plan.counts, counts)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: subject_counts(1), r"n: got 1; allowed: a whole number from 2"),
        (lambda: subject_counts(13, "exact"), r"n_resamples: got 'exact'.*ends at 12 units"),
        (lambda: subject_counts(5, "all"), r"n_resamples: got 'all'; allowed: 'auto'"),
        (lambda: subject_counts(5, 0), r"n_resamples: got 0"),
        (lambda: subject_counts(5, 10.5), r"n_resamples: got 10.5"),
        (lambda: subject_counts(5, True), r"n_resamples: got True"),
        (lambda: subject_counts(5, 10, rng=-1), r"rng: got -1"),
        (lambda: subject_weights(5, "exact"), r"Dirichlet weights are continuous"),
        (lambda: subject_weights(1), r"n: got 1"),
        (lambda: sign_flips(0), r"n: got 0"),
        (lambda: sign_flips(21, "exact"), r"sign patterns, more than 2\^20"),
        (lambda: orderings(0), r"n: got 0"),
        (lambda: orderings(10, "exact"), r"permutations, more than 2\^20"),
        (lambda: group_signs(0, 3), r"one unit or more in each group"),
        (lambda: permutation_p(np.ones(3), 1.0, exact=True, alternative="x"), r"alternative: got"),
        (lambda: plan_of_counts(np.ones(3)), r"counts: got 'shape \(3,\)'"),
        (lambda: plan_of_counts(-np.ones((2, 2))), r"finite numbers >= 0"),
        (lambda: plan_of_counts(np.ones((2, 2)), np.ones(3)), r"weights: got"),
        (lambda: counts_of_index(np.ones((2, 2)), 2), r"whole numbers"),
        (lambda: counts_of_index(np.array([[0, 3]]), 3), r"row numbers from 0 to 2"),
    ],
)
def test_bad_input(call, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()
