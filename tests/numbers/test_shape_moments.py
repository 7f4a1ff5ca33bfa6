"""Moments of cross-covariances against loops over cycles of stimuli, and sums of singular values against a root."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import brentq

from apastats.numbers.shape_moments import halves, moment_fidelity, spread_sum, unbiased_moments


def cycles(k: np.ndarray, m: np.ndarray, orders: np.ndarray) -> tuple[float, float]:
    half = len(k) // 2
    two, four = [], []
    for order in orders:
        turn = np.zeros((half, len(k)))
        for p in range(half):
            turn[p, order[p]], turn[p, order[half + p]] = math.sqrt(0.5), -math.sqrt(0.5)
        a, b = turn @ k @ turn.T, turn @ m @ turn.T
        two += [a[p, q] * b[q, p] for p, q in itertools.permutations(range(half), 2)]
        for p, q, r, s in itertools.combinations(range(half), 4):
            four.append(a[p, q] * b[q, r] * a[r, s] * b[s, p])
            four.append(b[p, q] * a[q, r] * b[r, s] * a[s, p])
    return float(np.mean(two)), float(np.mean(four))


def law_sum(first: float, second: float, rank: int) -> float:
    if first <= 0:
        return 0.0
    ratio = min(max(second / first**2, 1 / rank), 1.0)
    i = np.arange(1.0, rank + 1)

    def off(b: float) -> float:
        return float((i ** (-2 * b)).sum() / (i**-b).sum() ** 2 - ratio)

    b = 0.0 if off(0.0) >= 0 else brentq(off, 0, 64, xtol=1e-15) if off(64.0) > 0 else 64.0
    return math.sqrt(first / (i**-b).sum()) * float((i ** (-b / 2)).sum())


@pytest.mark.parametrize("n", [8, 11, 12])
def test_moments_are_means_over_cycles(n: int) -> None:
    g = np.random.default_rng(n)
    x, y = g.normal(size=(2, n, 3))
    one, two = x @ g.normal(size=(3, 4)), g.normal(size=(n, 4))
    orders = np.array([g.permutation(n) for _ in range(3)])
    for k, m in ((x @ x.T, y @ y.T), (one @ two.T, one @ two.T)):  # the second is not symmetric
        np.testing.assert_allclose(unbiased_moments(k, m, orders), cycles(k, m, orders), rtol=1e-10)


def test_moments_do_not_see_the_mean_of_patterns() -> None:
    g = np.random.default_rng(1)
    x, orders = g.normal(size=(10, 3)), np.array([g.permutation(10)])
    np.testing.assert_allclose(
        unbiased_moments(x @ x.T, x @ x.T, orders),
        unbiased_moments((x + 5) @ (x + 5).T, x @ x.T, orders),
        rtol=1e-9,
    )


@pytest.mark.parametrize("rank", [2, 5, 40])
def test_sums_of_singular_values_of_a_power_law(rank: int) -> None:
    i = np.arange(1.0, rank + 1)
    for b in (0.0, 0.3, 1.0, 2.5):
        squares = 3.0 * i**-b
        found = spread_sum(squares.sum(), (squares**2).sum(), rank)
        assert found == pytest.approx(np.sqrt(squares).sum(), rel=1e-7)
    # moments that no spectrum of this rank has are those of the nearest one
    assert spread_sum(2.0, 9.0, rank) == pytest.approx(math.sqrt(2), rel=1e-6)
    assert spread_sum(2.0, 1e-9, rank) == pytest.approx(math.sqrt(2 * rank), rel=1e-12)
    assert spread_sum(0.0, 1.0, rank) == spread_sum(-1.0, 1.0, rank) == 0
    assert spread_sum(1e-3, 1e-6, rank) > 0


def test_halves_are_means_of_odd_and_even_repeats() -> None:
    g = np.random.default_rng(2)
    labels = np.array([2, 0, 1, 0, 2, 2, 0, 3, 2, 2])
    x = g.normal(size=(len(labels), 3))
    found = halves(x, labels)
    for stimulus in range(4):
        mine = [row for row, label in zip(x, labels, strict=True) if label == stimulus]
        for k in (0, 1):
            some = mine[k::2] if len(mine) > 1 else mine
            np.testing.assert_allclose(found[k][stimulus], np.mean(some, axis=0), rtol=1e-13)


@pytest.mark.parametrize(("n", "p", "q"), [(9, 3, 5), (9, 6, 4), (8, 12, 15)])
def test_fidelity_is_the_ratio_of_three_sums(n: int, p: int, q: int) -> None:
    g = np.random.default_rng(p)
    signal = g.normal(size=(n, p))
    x = signal, signal + 0.3 * g.normal(size=(n, p))
    y = tuple(signal @ np.ones((p, q)) + signal[:, :1] + g.normal(size=(n, q)) for _ in range(2))
    draw = np.random.default_rng(7)
    orders = np.array([draw.permutation(n) for _ in range(4)])
    rank = min(p, q, n - 1)
    own = []
    for one, two in (x, y):
        own.append(law_sum(*cycles(one @ two.T, one @ two.T, orders), rank))
    a, b = (x[0] + x[1]) / 2, (y[0] + y[1]) / 2
    both = law_sum(*cycles(a @ a.T, b @ b.T, orders), rank)
    found = moment_fidelity(x, y, n_order=4, seed=7)
    assert min(own) > 0
    assert found == pytest.approx(both / math.sqrt(own[0] * own[1]), rel=1e-6)
    small = tuple(1e-3 * v for v in x)
    assert moment_fidelity(small, y, n_order=4, seed=7) == pytest.approx(found, rel=1e-9)


def test_fidelity_without_signal_is_missing() -> None:
    x = np.random.default_rng(3).normal(size=(8, 3))
    opposite = x, -x  # first moments of the two halves are the square of one, whatever its sign
    flat = np.ones((8, 3)), np.ones((8, 3))
    assert np.isnan(moment_fidelity((x, x), flat, n_order=2, seed=0))
    assert np.isfinite(moment_fidelity((x, x), opposite, n_order=2, seed=0))
