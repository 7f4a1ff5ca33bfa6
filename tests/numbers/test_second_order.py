"""The correction of jackknife t statistics for the second order of a mean over pairs."""

from __future__ import annotations

import numpy as np
import pytest

from apastats.numbers.jackknife import MOST, SecondOrder, second_order


@pytest.mark.parametrize("k", [-MOST, -0.07, 0.0, 0.1, MOST])
def test_the_limits_are_where_the_corrected_statistic_is_at_its_quantile(k: float) -> None:
    law = SecondOrder(np.array([k]))
    t = np.linspace(-8, 8, 401)
    there = np.array([law.corrected(np.array([v]))[0] for v in t])
    assert (np.diff(there) > 0).all()
    back = np.array([law.statistic_at(v)[0] for v in there])
    np.testing.assert_allclose(back, t, atol=1e-9)


def test_people_that_add_up_have_no_second_order() -> None:
    g = np.random.default_rng(1)
    a = g.standard_normal(7)
    shares = g.standard_normal((7, 2, 1))
    assert np.abs(second_order(shares, (a[:, None] + a)[..., None]).k).max() < 1e-12


def test_products_of_people_have_the_kappa_of_their_formula() -> None:
    """Pairs ``a_i a_j`` and a model ``b a_i``: ``kappa = -c^2 s^4 / |c s|^3`` with ``c = (b - 2 mean) / 2``."""
    g = np.random.default_rng(2)
    n, b = 4000, 0.4
    a = 0.6 + 0.1 * g.standard_normal(n)
    pairs = a[:, None] * a
    total = pairs.sum(axis=1) - a**2
    share = b * a - 2 * total / (n - 1)
    c = (b - 1.2) / 2
    expected = -(c**2) * 0.1**4 / np.abs(c * 0.1) ** 3
    k = second_order(share[:, None, None], pairs[..., None]).k
    assert k.item() * 2 * np.sqrt(n) == pytest.approx(expected, rel=0.15)


def test_missing_pairs_leave_the_statistic_as_it_is() -> None:
    g = np.random.default_rng(3)
    pairs = g.standard_normal((6, 6, 2))
    pairs[1, 2, 0] = np.nan
    k = second_order(g.standard_normal((6, 1, 2)), pairs).k
    assert k[0, 0] == 0
    assert k[0, 1] != 0
