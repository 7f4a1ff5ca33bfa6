"""Sets of best models, limits, powers and small helpers against their definitions, one model or pair at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from apastats.numbers.against_all import AgainstAll, Field, Shrinkage
from apastats.numbers.best import Moments, confidence_set, moments, with_the_best
from apastats.numbers.crossed import fit_crossed
from apastats.numbers.explained import commonalities
from apastats.numbers.fisher import difference_limits, difference_root
from apastats.numbers.noncentral import tost_power
from apastats.numbers.relative import independent_rows
from apastats.numbers.shared_correlations import (
    constrained,
    correlations_of,
    null_draws,
    null_p,
)
from apastats.numbers.simultaneous import _structured_tail, best_critical, range_sf
from apastats.numbers.spread import model_spread
from apastats.numbers.standardised import standardised_difference
from apastats.numbers.student import one_sample


def scores(n: int = 9, k: int = 5, seed: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, k)) + np.linspace(0, 1.2, k)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("lead", [0.0, 6.0])
def test_intervals_about_the_best_of_the_others(shared: bool, lead: float) -> None:
    x = scores()
    x[:, 4] += lead
    m, k, alpha = moments(x), 5, 0.05
    if shared:
        one, two = (best_critical(1 - alpha, k, m.df, two_sided=t) for t in (False, True))
    else:
        one, two = (float(stats.t.ppf(1 - alpha / d, m.df)) for d in (k - 1, 2 * (k - 1)))
    assert one < two
    found = with_the_best(m, alpha, shared=shared)
    assert found.critical == pytest.approx(one)
    se, mean = np.sqrt(m.variance), m.mean
    others = [[j for j in range(k) if j != i] for i in range(k)]
    top = [min(mean[i] - mean[j] + one * se[i, j] for j in others[i]) for i in range(k)]
    reach = [min(mean[i] - mean[j] + two * se[i, j] for j in others[i]) for i in range(k)]
    for i in range(k):
        lows = [mean[i] - mean[j] - one * se[i, j] for j in others[i] if top[j] >= 0]
        ups = [mean[i] - mean[b] + two * se[i, b] for b in others[i] if reach[b] >= 0]
        free = min(mean[i] - mean[j] - two * se[i, j] for j in others[i])
        assert found.inside[i] == (top[i] >= 0)
        assert found.difference[i] == pytest.approx(min(mean[i] - mean[j] for j in others[i]))
        assert found.high[i] == pytest.approx(max(top[i], 0), abs=1e-12)
        assert found.low[i] == pytest.approx(min([0.0, *lows]), abs=1e-12)
        assert found.free_low[i] == pytest.approx(free, abs=1e-12)
        assert found.free_high[i] == pytest.approx(max(ups, default=reach[i]), abs=1e-12)


def test_models_leave_a_step_down_set_one_by_one() -> None:
    x = scores() + np.array([0, 0.5, 0, 0, 0.9])
    m = moments(x)
    unit = math.sqrt(m.variance.max() / 2)
    left, p, running = list(range(5)), np.ones(5), 0.0
    while len(left) > 1:
        low = min(left, key=lambda i: m.mean[i])
        q = (m.mean.max() - m.mean[low]) / unit
        running = max(running, float(range_sf(q, len(left), m.df)))
        p[low] = running
        left.remove(low)
    inside, found, _ = confidence_set(m, 0.05, step_down=True)
    np.testing.assert_allclose(found, p, rtol=1e-10)
    np.testing.assert_array_equal(inside, p > 0.05)
    single = confidence_set(m, 0.05)[1]
    wanted = [1.0 if g == 0 else float(range_sf(g / unit, 5, m.df)) for g in m.mean.max() - m.mean]
    np.testing.assert_allclose(single, wanted, rtol=1e-10)


def test_p_values_of_a_step_down_set_do_not_fall_again() -> None:
    # the range of fewer models is less, so a model just above the lowest can have the smaller p on its own
    m = Moments(np.array([0.0, 0.02, 3.0]), 0.8 * (1 - np.eye(3)), 20.0)
    p = confidence_set(m, 0.05, step_down=True)[1]
    alone = [float(range_sf((3.0 - v) / math.sqrt(0.4), k, 20.0)) for v, k in ((0, 3), (0.02, 2))]
    assert alone[1] < alone[0]
    np.testing.assert_allclose(p[:2], alone[0], rtol=1e-10)


@pytest.mark.parametrize("step_down", [False, True])
def test_sets_whose_pairs_have_variances_of_their_own(step_down: bool) -> None:
    mean, df = np.array([0.0, 0.3, 1.0, 0.5]), 7.0
    variance = np.array([[0, 2, 4, 1], [2, 0, 3, 9], [4, 3, 0, 0], [1, 9, 0, 0]]) / 25.0
    # models 2 and 3 differ by the same in every subject
    inside, p, half = confidence_set(
        Moments(mean, variance, df), 0.05, step_down=step_down, shared=False
    )

    def t(i: int, j: int) -> float:
        gap, se = mean[j] - mean[i], math.sqrt(variance[i, j])
        return gap / se if se > 0 else math.inf if gap > 0 else 0.0

    wanted, left, running = np.ones(4), [0, 1, 2, 3], 0.0
    for i in range(4):
        worst = max(t(i, j) for j in range(4))
        wanted[i] = min(1.0, 12 * stats.t.sf(worst, df))
    if step_down:
        wanted[:] = 1
        while len(left) > 1:
            worst, out = max((max(t(i, j) for j in left), -i) for i in left)
            pairs = len(left) * (len(left) - 1)
            running = max(running, min(1.0, pairs * stats.t.sf(worst, df)))
            wanted[-out] = running
            left.remove(-out)
    np.testing.assert_allclose(p, wanted, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(inside, wanted > 0.05)
    assert p[3] == 0
    np.testing.assert_allclose(
        half, stats.t.ppf(1 - 0.05 / 12, df) * np.sqrt(variance.max(axis=1)), rtol=1e-10
    )


@pytest.mark.parametrize("k", [2, 5])
def test_each_model_against_all_others(k: int) -> None:
    x, margin = scores(k=k), 0.4
    claim = AgainstAll(Field(x, np.array([margin])), Shrinkage(0.0))
    near, behind, far = claim.tests()
    low, high = claim.limits(0.05, 0.1)
    for i in range(k):
        p, q, below, above = [], [], [], []
        for j in range(k):
            if j == i:
                continue
            d = x[:, i] - x[:, j]
            se, df = d.std(ddof=1) / math.sqrt(len(d)), len(d) - 1
            p.append(stats.t.sf((d.mean() + margin) / se, df))
            q.append((stats.t.cdf(d.mean() / se, df), stats.t.cdf((d.mean() + margin) / se, df)))
            below.append(d.mean() - stats.t.ppf(0.95, df) * se)
            above.append(d.mean() + stats.t.ppf(1 - 0.1 / (k - 1), df) * se)
        assert near[i] == pytest.approx(max(p), rel=1e-9)
        assert behind[i] == pytest.approx(min(1.0, (k - 1) * min(v for v, _ in q)), rel=1e-9)
        assert far[i] == pytest.approx(min(1.0, (k - 1) * min(v for _, v in q)), rel=1e-9)
        assert low[i] == pytest.approx(min(below), rel=1e-9)
        assert high[i] == pytest.approx(min(above), rel=1e-9)


def test_degrees_of_freedom_of_items_add_up() -> None:
    g = np.random.default_rng(3)
    y = g.normal(size=(40, 1)) + g.normal(size=6) + np.linspace(0.8, 2, 6) * g.normal(size=(40, 6))
    y[0, 1] = y[5, 2] = np.nan
    fit = fit_crossed(y, random=False)
    assert not fit.held.any()
    # scores less the parameters of models and items
    assert fit.part_df.sum() == pytest.approx(238 - 40 - 5, rel=1e-5)
    assert (fit.part_df > 1).all()
    for i in range(40):
        share = np.where(np.isfinite(y[i]), 1 / fit.variance, 0)
        share /= share.sum()
        np.testing.assert_allclose(fit.parts[i], share, rtol=1e-9)
        assert fit.df[i] == pytest.approx(1 / (share**2 / fit.part_df).sum(), rel=1e-9)
        inflation = 1 + 4 * (share * (1 - share) / fit.part_df).sum()
        assert fit.inflation[i] == pytest.approx(inflation, rel=1e-9)


@pytest.mark.parametrize(
    ("r1", "n1", "r2", "n2"),
    [(0.95, 2000, -0.9, 1500), (0.5, 4000, 0.1, 9000), (-0.3, 900, 0.8, 900)],
)
def test_limits_of_differences_of_many_items(r1: float, n1: int, r2: float, n2: int) -> None:
    low, high = difference_limits(r1, n1, r2, n2, 0.025)
    assert low < r1 - r2 < high
    q = stats.norm.ppf(0.975)
    assert difference_root(r1, n1, r2, n2, low) == pytest.approx(q, abs=1e-6)
    assert difference_root(r1, n1, r2, n2, high) == pytest.approx(-q, abs=1e-6)


def test_rows_are_told_apart_in_the_units_of_their_columns() -> None:
    assert len(independent_rows(np.array([[1.0, 0], [1.0, 1e-12]]), np.array([1.0, 1e12]))) == 2
    assert len(independent_rows(np.array([[1.0, 0], [1.0, 1e-3]]), np.array([1.0, 1e-12]))) == 1
    assert list(independent_rows(np.array([[0.0, 0], [2.0, 1]]), np.ones(2))) == [1]


def test_draws_level_with_the_data_count_on_both_sides() -> None:
    delta, n = 0.1, 12
    seen = tuple(np.array([v]) for v in (0.6, 0.4, 0.3))

    def error(a: np.ndarray, b: np.ndarray, c: np.ndarray, n: int) -> np.ndarray:
        return np.abs(a - b - delta)  # every statistic is 1 or -1

    above, below = null_p(seen, delta, n, error)
    a, b, _ = correlations_of(constrained(seen, delta), null_draws(n))
    more, size = int((a - b > delta).sum()), a.size
    assert 100 < more < size - 100
    assert above[0] == pytest.approx((more + 1) / (size + 1))
    assert below[0] == 1
    turned = (seen[1], seen[0], seen[2])

    def mirrored(a: np.ndarray, b: np.ndarray, c: np.ndarray, n: int) -> np.ndarray:
        return np.abs(np.abs(a - b) - delta) if a.size == 1 else np.abs(a - b - delta)

    up, down = null_p(turned, -delta, n, mirrored)
    assert (up[0], down[0]) == (below[0], above[0])


@pytest.mark.parametrize("delta", [-0.4, 0.0, 0.3])
def test_correlations_with_their_difference_held_are_the_likeliest(delta: float) -> None:
    g = np.random.default_rng(4)
    r = [np.corrcoef(g.normal(size=(3, 8)) + g.normal(size=8)) for _ in range(12)]
    seen = tuple(np.array([v[i, j] for v in r]) for i, j in ((0, 1), (0, 2), (1, 2)))
    a, b, c = constrained(seen, delta)
    np.testing.assert_allclose(a - b, delta, atol=1e-12)

    def deviance(k: int, a: float, b: float, c: float) -> float:
        truth = np.array([[1, a, b], [a, 1, c], [b, c, 1]])
        sign, log = np.linalg.slogdet(truth)
        return math.inf if sign <= 0 else float(log + np.trace(np.linalg.solve(truth, r[k])))

    for k in range(12):
        best = deviance(k, a[k], b[k], c[k])
        for h in (1e-3, -1e-3):
            assert deviance(k, a[k] + h, b[k] + h, c[k]) >= best - 1e-9
            assert deviance(k, a[k], b[k], c[k] + h) >= best - 1e-9
        # nor is there a better one far away
        for level, last in itertools.product(
            np.linspace(-0.75, 0.75, 7), np.linspace(-0.9, 0.9, 7)
        ):
            assert deviance(k, level + delta / 2, level - delta / 2, last) >= best - 1e-9


def test_probabilities_of_a_maximum_are_no_more_than_one() -> None:
    found = []
    for df, m, loading in itertools.product((3.0, 10.0, 57.0, 1e8), (2, 5), (0.0, 0.5, 0.9)):
        found.append(_structured_tail(-40.0, df, np.full(m, loading), False))
        found.append(_structured_tail(0.0, df, np.full(m, loading), True))
    np.testing.assert_allclose(found, 1, rtol=1e-4)
    assert max(found) <= 1


@pytest.mark.parametrize("k", [2, 4])
def test_variances_of_models(k: int) -> None:
    x = (
        np.random.default_rng(5).normal(size=(7, k, 3)) * np.linspace(0.5, 2, k)[:, None]
        + np.arange(k)[:, None]
    )
    seen = np.zeros(k)
    for c in range(3):
        for i in range(k):
            own = [x[s, i, c] - x[s, :, c].mean() for s in range(7)]
            seen[i] += np.var(own, ddof=1) / 3
    typical = seen.mean() * k / (k - 1)
    wanted = [
        max((v - typical / k) / (1 - 2 / k), 0.1 * typical) if k > 2 else typical for v in seen
    ]
    np.testing.assert_allclose(model_spread(x), wanted, rtol=1e-11)


def test_an_effect_without_variation_of_its_unit_is_missing() -> None:
    for r, sd in ((1.0, 0.0), (1.0, 0.5)):
        found = standardised_difference(
            1.2, 1.0, 10, 1.0, 1.5, 10, r=r, sd_diff=sd, denominator="rm"
        )
        assert np.isnan([found.estimate, found.conf_low, found.conf_high]).all()


@pytest.mark.parametrize("n", [2, 3, 6])
def test_t_tests_of_few(n: int) -> None:
    d = np.random.default_rng(n).normal(size=(n, 2)) + 0.4
    found = one_sample(d, np.asarray(-0.2), np.asarray(0.3), alpha=0.05)
    np.testing.assert_array_equal(found.df, n - 1)
    for c in range(2):
        theirs = stats.ttest_1samp(d[:, c], 0)
        assert found.p_value[c] == pytest.approx(theirs.pvalue)
        low, high = theirs.confidence_interval(0.9)
        assert (found.conf_low[c], found.conf_high[c]) == (pytest.approx(low), pytest.approx(high))
        for p, bound, side in ((found.p_low, -0.2, "greater"), (found.p_high, 0.3, "less")):
            wanted = stats.ttest_1samp(d[:, c], bound, alternative=side).pvalue
            assert p[c] == pytest.approx(wanted)
    assert np.isnan(one_sample(d[:1], np.asarray(-0.2), np.asarray(0.3), alpha=0.05).df).all()


@pytest.mark.parametrize("shape", [(8,), (2, 8), (2, 3, 8), (16,), (2,)])
def test_common_parts_by_inclusion_and_exclusion(shape: tuple[int, ...]) -> None:
    r2 = np.random.default_rng(7).random(shape)
    r2[..., 0] = 0
    found = commonalities(r2)
    size = shape[-1]
    assert found.shape == shape
    for part in range(size):
        inside = [t for t in range(size) if t & part == t]
        wanted = sum(
            (-1) ** (t.bit_count() + 1) * r2[..., t | ((size - 1) & ~part)] for t in inside
        )
        np.testing.assert_allclose(found[..., part], wanted, atol=1e-13)


def test_powers_of_one_sided_tests() -> None:
    se, df, difference, low, high, alpha = 0.2, 14.0, 0.05, -0.4, 0.3, 0.05
    c = stats.t.ppf(1 - alpha, df)
    found = {
        name: float(tost_power(se, df, difference, low, high, alpha, name))
        for name in ("noninferiority", "nonsuperiority", "superiority", "minimal_effect")
    }
    above, below = stats.nct(df, (difference - low) / se), stats.nct(df, (difference - high) / se)
    assert found["noninferiority"] == pytest.approx(above.sf(c), rel=1e-7)
    assert found["nonsuperiority"] == pytest.approx(below.cdf(-c), rel=1e-7)
    assert found["superiority"] == pytest.approx(below.sf(c), rel=1e-7)
    assert found["minimal_effect"] == pytest.approx(above.cdf(-c) + below.sf(c), rel=1e-6)
