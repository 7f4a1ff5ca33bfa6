from __future__ import annotations

import itertools

import numpy as np
import pytest

from apastats.errors import DesignError, InputError
from apastats.resampling.designs import (
    block_counts,
    dyad_replicates,
    nested_counts,
    nested_replicates,
    stratified_counts,
    stratified_replicates,
)
from apastats.resampling.plans import subject_counts


def test_strata_keep_their_sizes() -> None:
    plan = stratified_counts(np.array(list("aabbbba")), 500, rng=0)
    assert (plan.counts[:, [0, 1, 6]].sum(axis=1) == 3).all()
    assert (plan.counts[:, 2:6].sum(axis=1) == 4).all()
    assert not plan.exact


def test_blocks_go_together() -> None:
    counts = block_counts(np.array([0, 0, 1, 1, 1, 2]), 400, rng=0).counts
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
    np.testing.assert_array_equal(counts[:, 2], counts[:, 4])
    assert (counts[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_nested_units_follow_their_parents() -> None:
    parents = np.array([0, 0, 0, 1, 1, 2])
    counts = nested_counts(parents, 3000, rng=0).counts
    copies = np.stack([counts[:, parents == p].sum(1) / (parents == p).sum() for p in range(3)], 1)
    np.testing.assert_array_equal(copies, np.rint(copies))
    assert (copies.sum(axis=1) == 3).all()
    # two stages: var of a unit's count is that of k copies of a draw of three, k itself drawn
    assert counts[:, 0].var() == pytest.approx(2 / 3 + 2 / 3, rel=0.1)


def test_nested_mean_weighs_parents_equally() -> None:
    values = np.array([[1.0], [2], [3], [10], [20], [7]])
    evaluate = nested_replicates(values, np.array([0, 0, 0, 1, 1, 2]))
    mean, error = evaluate(np.ones((1, 6)))
    parents = np.array([2.0, 15, 7])
    assert mean.item() == pytest.approx(parents.mean())
    assert error.item() == pytest.approx(parents.std(ddof=1) / np.sqrt(3))


def test_stratified_standard_error() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 5), rng.normal(9, 2, 7)])
    strata = np.repeat([0, 1], [5, 7])
    mean, error = stratified_replicates(x[:, None], strata)(np.ones((1, 12)))
    expected = np.sqrt(5 * x[:5].var(ddof=1) + 7 * x[5:].var(ddof=1)) / 12
    assert mean.item() == pytest.approx(x.mean())
    assert error.item() == pytest.approx(expected)


def test_strata_with_a_missing_value() -> None:
    x = np.array([[1.0], [np.nan], [3], [4], [5]])
    mean, _ = stratified_replicates(x, np.array([0, 0, 0, 1, 1]))(np.ones((1, 5)))
    assert mean.item() == pytest.approx(13 / 4)


def dyads(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    ends = np.array(list(itertools.combinations(range(n), 2)))
    rng = np.random.default_rng(seed)
    role = rng.normal(size=n)
    return (role[ends].sum(axis=1) + 0.5 * rng.normal(size=len(ends)))[:, None], ends


def test_dyad_replicates_are_literal_pairs_of_drawn_members() -> None:
    n = 6
    values, ends = dyads(n)
    square = np.full((n, n), np.nan)
    square[ends[:, 0], ends[:, 1]] = square[ends[:, 1], ends[:, 0]] = values[:, 0]
    counts = subject_counts(n, 30, rng=1).counts
    found, errors = dyad_replicates(values, ends, n)(counts)
    for row, value, error in zip(counts, found[:, 0], errors[:, 0], strict=True):
        drawn = np.repeat(np.arange(n), row.astype(int))
        pairs = [square[i, j] for i, j in itertools.combinations(drawn, 2) if i != j]
        assert value == pytest.approx(np.mean(pairs), rel=1e-12)
        without = []
        for k in range(n):
            rest = np.delete(drawn, k)
            without.append(
                np.mean([square[i, j] for i, j in itertools.combinations(rest, 2) if i != j])
            )
        spread = (n - 1) / n * ((without - np.mean(without)) ** 2).sum()
        assert error == pytest.approx(np.sqrt(spread), rel=1e-9)


def test_dyads_with_missing_pairs() -> None:
    values, ends = dyads(5)
    values = np.column_stack([values, values])
    values[2, 1] = np.nan
    found, _ = dyad_replicates(values, ends, 5)(np.ones((1, 5)))
    np.testing.assert_allclose(found[0], [values[:, 0].mean(), np.nanmean(values[:, 1])])


def test_all_copies_of_one_member_are_undefined() -> None:
    values, ends = dyads(4)
    found, _ = dyad_replicates(values, ends, 4)(np.array([[4.0, 0, 0, 0]]))
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: stratified_counts(np.array([0, 0, 1])),
            DesignError,
            "1 strata have one unit only",
        ),
        (lambda: block_counts(np.zeros(4)), DesignError, "one block only"),
        (lambda: nested_counts(np.zeros(4)), DesignError, "one parent only"),
        (lambda: block_counts(np.arange(4), "exact"), InputError, "blocks are sampled"),
        (lambda: nested_counts(np.arange(4), 0), InputError, "n_resamples: got 0"),
    ],
)
def test_bad_input(call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
