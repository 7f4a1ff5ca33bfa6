"""Bures and Procrustes similarity from unbiased moments: known truths, and what the plain ones say of them."""

from __future__ import annotations

import numpy as np
import pytest

import apastats as apa
from apastats.errors import DesignError
from apastats.numbers.shape_moments import (
    halves,
    moment_fidelity,
    spread_sum,
    unbiased_moments,
)

REPEATS = 2


def shapes(
    seed: int, n: int, p: int, rho: float, slope: float, noise: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two sides whose Bures similarity is rho, each with noise in two repeats, and the stimulus of every row."""
    rng = np.random.default_rng(seed)
    size = np.arange(1, p + 1.0) ** (-slope / 2)
    z, w = rng.standard_normal((2, n, p))
    turn = [np.linalg.qr(rng.standard_normal((p, p)))[0] for _ in range(2)]
    x, y = 2 + (z * size) @ turn[0], ((rho * z + np.sqrt(1 - rho**2) * w) * size) @ turn[1]
    labels = np.repeat(np.arange(n), REPEATS)
    spread = np.sqrt(noise * (size**2).mean())
    x, y = (v[labels] + spread * rng.standard_normal((n * REPEATS, p)) for v in (x, y))
    return x, y, labels


def test_moments_have_no_bias() -> None:
    found = []
    for k in range(150):
        x, y, labels = shapes(k, 48, 4, 0.8, 0.5)
        (a, b), (_, d) = (halves(v, labels) for v in (x, y))
        rng = np.random.default_rng(k)
        orders = np.array([rng.permutation(48) for _ in range(8)])
        between = unbiased_moments(a @ a.T, d @ d.T, orders)
        found.append([*between, *unbiased_moments(a @ b.T, a @ b.T, orders)])
    signal = np.arange(1, 5.0) ** -0.5
    truth = np.array([*_moments(0.8 * signal), *_moments(signal)])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.5 * error).all()
    assert (error < 0.2 * truth).all()


def _moments(singular: np.ndarray) -> tuple[float, float]:
    return float((singular**2).sum()), float((singular**4).sum())


def test_halves_are_odd_and_even_repeats() -> None:
    labels = np.array([1, 0, 1, 0, 1, 2])
    odd, even = halves(np.arange(6.0)[:, None], labels)
    assert odd.ravel().tolist() == [1, 2, 5]
    assert even.ravel().tolist() == [3, 2, 5]


def test_signals_of_few_dimensions_in_many_units() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 5)) * np.arange(1, 6.0) ** -0.5
    x, y = (z @ np.linalg.qr(rng.standard_normal((40, 5)))[0].T for _ in range(2))
    found = moment_fidelity((x, x), (y, y), n_order=8, seed=1)
    assert found == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("exponent", [0.0, 0.7, 2.0])
def test_a_power_law_is_found_from_two_moments(exponent: float) -> None:
    squares = 3 * np.arange(1, 13.0) ** -exponent
    found = spread_sum(squares.sum(), (squares**2).sum(), 12)
    assert found == pytest.approx(np.sqrt(squares).sum(), rel=1e-8)
    assert spread_sum(-0.1, 1.0, 12) == 0
    assert spread_sum(4.0, 16.0, 12) == pytest.approx(2.0, rel=1e-3)  # a single one


@pytest.mark.parametrize(("rho", "slope"), [(0.5, 0.0), (0.5, 1.0), (0.9, 0.5)])
def test_the_corrected_similarity_is_near_the_truth(rho: float, slope: float) -> None:
    plain, corrected = [], []
    for k in range(16):
        x, y, labels = shapes(k, 120, 8, rho, slope)
        corrected.append(moment_fidelity(halves(x, labels), halves(y, labels), n_order=8, seed=1))
        mean = [v.reshape(120, REPEATS, 8).mean(axis=1) for v in (x, y)]
        mean = [v - v.mean(axis=0) for v in mean]
        nuclear = np.linalg.norm(mean[0].T @ mean[1], "nuc")
        plain.append(nuclear / np.linalg.norm(mean[0]) / np.linalg.norm(mean[1]))
    error = np.std(corrected, ddof=1) / 4
    assert abs(np.mean(corrected) - rho) < 3 * error + 0.03
    assert error < 0.04
    assert abs(np.mean(plain) - rho) > 0.08


def test_scores_of_rows_that_name_their_stimulus() -> None:
    x, y, labels = shapes(3, 60, 6, 0.7, 0.5)
    names = [f"image {i}" for i in labels]
    both = {("s", "r"): y}, {("m", "l"): x}

    def score(measure: object) -> float:
        table = apa.score_patterns(*both, measure=measure, references=None)  # type: ignore[arg-type]
        return float(table.frame["score"].item())

    found = score(apa.measure("bures-corrected", repeats=names))
    angle = score(apa.measure("procrustes-corrected", repeats=names))
    assert np.cos(np.pi / 2 * (1 - angle)) == pytest.approx(min(found, 1), abs=1e-12)
    assert found > score(apa.measure("bures-corrected", repeats=list(range(120)))) + 0.1
    with pytest.raises(DesignError, match="names 3 stimuli"):
        score(apa.measure("bures-corrected", repeats=["a", "b", "c"]))
    with pytest.raises(DesignError, match="at least 8"):
        score(apa.measure("bures-corrected", repeats=[i // 20 for i in range(120)]))
