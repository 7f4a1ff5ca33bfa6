"""Simultaneous distributions against closed forms, scipy, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from apastats.errors import InputError
from apastats.numbers.simultaneous import (
    best_critical,
    dunnett_mixture_critical,
    dunnett_mixture_sf,
    max_t_critical,
    max_t_sf,
    range_critical,
    range_sf,
)


@pytest.mark.parametrize(("q", "k", "df"), [(3.5, 3, 10), (6.0, 6, 45), (2.0, 20, 5), (9.0, 4, 12)])
def test_studentized_range(q: float, k: int, df: float) -> None:
    assert float(range_sf(q, k, df)) == pytest.approx(
        stats.studentized_range.sf(q, k, df), rel=1e-6
    )
    assert float(range_critical(0.95, k, df)) == pytest.approx(
        stats.studentized_range.ppf(0.95, k, df), rel=1e-7
    )


def test_range_of_two_is_a_t_test() -> None:
    t = np.array([0.1, 1.0, 2.5, 8.0])
    for df in (3.0, 20.0, np.inf):
        two = 2 * stats.t.sf(t, df)
        np.testing.assert_allclose(range_sf(np.sqrt(2) * t, 2, df), two, rtol=1e-9, atol=1e-14)


def test_many_df_are_interpolated_to_all_digits() -> None:
    df = np.linspace(40, 400, 60)
    one_by_one = [float(range_critical(0.95, 6, d)) for d in df[::13]]
    np.testing.assert_allclose(range_critical(0.95, 6, df)[::13], one_by_one, rtol=1e-9)


def test_independent_t_with_infinite_df_is_sidak() -> None:
    p = 2 * stats.norm.sf(2.2)
    assert float(max_t_sf(2.2, np.eye(5), np.inf)) == pytest.approx(1 - (1 - p) ** 5, rel=1e-9)


def test_dunnett_against_scipy_samples() -> None:
    rng = np.random.default_rng(0)
    control, groups = rng.normal(size=9), [rng.normal(0.8, 1, size=9) for _ in range(3)]
    theirs = stats.dunnett(*groups, control=control, rng=np.random.default_rng(1))
    df = 4 * 9 - 4
    R = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    ours = max_t_sf(np.abs(theirs.statistic), R, df)
    np.testing.assert_allclose(ours, theirs.pvalue, atol=2e-4)


def test_general_correlation_agrees_with_the_exact_cases() -> None:
    k, df = 5, 30
    i, j = np.triu_indices(k, 1)
    L = np.eye(k)[i] - np.eye(k)[j]
    v = np.array([1.0, 1.0 + 1e-7, 1.0, 1.0, 1.0])  # not quite equal, so the general way is taken
    C = L @ np.diag(v) @ L.T
    sd = np.sqrt(np.diag(C))
    for t in (1.0, 2.5, 4.0):
        general = float(max_t_sf(t, C / np.outer(sd, sd), df))
        assert general == pytest.approx(float(range_sf(np.sqrt(2) * t, k, df)), abs=1e-4)


def test_general_correlation_against_simulation() -> None:
    rng = np.random.default_rng(3)
    A = rng.normal(size=(6, 4))
    C = A @ A.T
    sd = np.sqrt(np.diag(C))
    R = C / np.outer(sd, sd)
    z = rng.standard_normal((400_000, 4)) @ (A / sd[:, None]).T
    s = np.sqrt(rng.chisquare(15, 400_000) / 15)
    for two_sided in (True, False):
        largest = (np.abs(z) if two_sided else z).max(axis=1) / s
        for t in (1.5, 2.5):
            found = float(max_t_sf(t, R, 15, two_sided=two_sided))
            assert found == pytest.approx((largest > t).mean(), abs=3e-3)


def test_critical_values_have_their_level() -> None:
    R = np.array([[1, 0.6, 0.2], [0.6, 1, 0.3], [0.2, 0.3, 1]])
    for two_sided in (True, False):
        c = float(max_t_critical(0.9, R, 12, two_sided=two_sided))
        assert float(max_t_sf(c, R, 12, two_sided=two_sided)) == pytest.approx(0.1, abs=1e-9)
    c = float(dunnett_mixture_critical(0.9, 4, 12))
    assert float(dunnett_mixture_sf(c, 4, 12)) == pytest.approx(0.1, abs=1e-9)


def test_best_of_two_is_a_one_sided_t_test() -> None:
    assert best_critical(0.95, 2, 10) == pytest.approx(stats.t.ppf(0.95, 10), rel=1e-9)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="k: got 0.5"):
        range_sf(1.0, 0.5, 3)
    with pytest.raises(InputError, match="k: got 1"):
        best_critical(0.95, 1, 3)
    with pytest.raises(InputError, match="correlation"):
        max_t_sf(1.0, np.ones((2, 3)), 3)


def test_one_sided_pairs() -> None:
    i, j = np.triu_indices(4, 1)
    L = np.eye(4)[i] - np.eye(4)[j]
    rng = np.random.default_rng(5)
    z = rng.standard_normal((300_000, 4)) @ L.T / np.sqrt(2)
    found = float(max_t_sf(2.0, L @ L.T / 2, np.inf, two_sided=False))
    assert found == pytest.approx((z.max(axis=1) > 2).mean(), abs=3e-3)


def test_one_sided_tails_below_zero() -> None:
    """Values of mvtnorm::pmvt (error 1e-7), and the orthant of three normals in closed form."""
    R = np.array([[1, 0.3, 0.7], [0.3, 1, -0.2], [0.7, -0.2, 1]])
    expected = [0.9819067, 0.8931851, 0.7274472, 0.3617272]
    found = max_t_sf([-1, -0.3, 0.2, 1], R, 10, two_sided=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    orthant = 1 / 8 + np.arcsin([0.3, 0.7, -0.2]).sum() / (4 * np.pi)
    assert float(max_t_sf(0.0, R, 10, two_sided=False)) == pytest.approx(1 - orthant, abs=1e-4)
    for level in (0.1, 0.5, 0.95):
        c = float(max_t_critical(level, R, 10, two_sided=False))
        assert float(max_t_sf(c, R, 10, two_sided=False)) == pytest.approx(1 - level, abs=1e-9)
