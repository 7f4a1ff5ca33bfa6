"""Kendall's tau by blocks against a count over all pairs, at the lengths where blocks, halves and groups change."""

from __future__ import annotations

import numpy as np
import pytest

from apastats.numbers import kendall
from apastats.numbers.kendall import kendall_similarity


def tau(x: np.ndarray, y: np.ndarray, variant: str) -> float:
    """Concordant less discordant pairs, over all pairs or those untied in x and in y."""
    agree = in_x = in_y = 0
    for k in range(len(x) - 1):
        a, b = np.sign(x[k + 1 :] - x[k]), np.sign(y[k + 1 :] - y[k])
        agree += int((a * b).sum())
        in_x, in_y = in_x + int(np.abs(a).sum()), in_y + int(np.abs(b).sum())
    if variant == "tau-a":
        return agree / (len(x) * (len(x) - 1) / 2)
    return agree / np.sqrt(in_x * in_y) if in_x * in_y else np.nan


@pytest.mark.parametrize("variant", ["tau-a", "tau-b"])
@pytest.mark.parametrize("n", [2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 129, 257, 300])
def test_tau_with_and_without_ties(n: int, variant: str) -> None:
    g = np.random.default_rng(n)
    free = g.normal(size=(2, n))
    tied = g.integers(0, max(2, n // 3), size=(2, n)).astype(float)
    one = np.full((1, n), 3.0)
    for x, y in (
        (free, np.vstack([free[:1], tied])),  # ties on one side, in some rows
        (np.vstack([free[:1], tied]), free),
        (np.vstack([tied, free]), np.vstack([tied[:1], free[1:], one])),
    ):
        found = kendall_similarity(x, y, variant=variant)
        wanted = [[tau(a, b, variant) for b in y] for a in x]
        np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(kendall_similarity(x, y, variant=variant, batch=1), found)


@pytest.mark.parametrize("n", [511, 512, 513, 530, 700, 1024, 1025, 1100, 1537, 2100])
def test_tau_over_several_blocks(n: int) -> None:
    g = np.random.default_rng(n)
    x, y = g.normal(size=(2, n)), g.normal(size=(3, n))
    y[0] += x[0]
    y[1] = np.round(y[1], 1)
    x[1] = np.sort(x[1])[::-1]
    y[2] = np.sort(y[2])
    wanted = [[tau(a, b, "tau-a") for b in y] for a in x]
    np.testing.assert_allclose(kendall_similarity(x, y), wanted, rtol=1e-12)


def test_tau_over_more_blocks_than_are_counted_at_once() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5700))  # 12 blocks
    x[1:] += 0.5 * x[0]
    found = kendall_similarity(x[:1], x)[0]
    assert found[0] == 1
    for k in (1, 2):
        assert found[k] == pytest.approx(tau(x[0], x[k], "tau-a"), rel=1e-12)


def test_tau_of_more_rows_than_are_taken_together() -> None:
    x = np.random.default_rng(1).normal(size=(18, 600))
    square = kendall_similarity(x, x)
    np.testing.assert_array_equal(square, square.T)
    np.testing.assert_array_equal(np.diag(square), 1)
    for i, j in ((17, 16), (17, 0), (3, 2)):
        assert square[i, j] == pytest.approx(tau(x[i], x[j], "tau-a"), rel=1e-12)


@pytest.mark.parametrize("n", [64, 65, 200, 1000])
def test_inversions_of_permutations_split_by_their_leading_digit(n: int) -> None:
    rank = np.random.default_rng(n).permutation(n)
    scratch = kendall._Scratch(64)
    wanted = sum(int((rank[k + 1 :] < rank[k]).sum()) for k in range(n))
    assert kendall._split(rank.astype(np.int32), scratch) == wanted
    digit = (rank % 64).astype(np.uint8)
    pairs = sum(int((digit[k + 1 :] < digit[k]).sum()) for k in range(n))
    assert kendall._leading(digit, scratch) == pairs


def test_vectors_longer_than_16_bits() -> None:
    n = kendall.LONGEST + 1
    x = np.arange(n, dtype=float)
    swapped = x.copy()
    swapped[[0, -1]] = swapped[[-1, 0]]  # 2 n - 3 pairs turned round
    y = np.vstack([-x, swapped])
    found = kendall_similarity(x[None], y)[0]
    np.testing.assert_allclose(found, [-1, 1 - 2 * (2 * n - 3) / (n * (n - 1) / 2)], rtol=1e-14)


def test_positions_are_cut_into_blocks_that_hold_all_of_them() -> None:
    for n in (*range(2, 1700, 7), 512, 1024, 4096, 31744):
        cut = kendall._cut(n)
        assert n <= cut.padded <= n + max(kendall.PART, n // 8)
        assert cut.block <= kendall.BLOCK
        assert cut.part <= kendall.PART
        assert cut.number == -(-n // kendall.BLOCK)
        assert cut.padded < 2**15
