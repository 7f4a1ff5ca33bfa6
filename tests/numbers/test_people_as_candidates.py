"""People as candidates for one another: least squares with constraints written out, ranks counted, cones searched."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from apastats.numbers import one_more_person
from apastats.numbers.one_more_person import (
    Candidates,
    as_candidates,
    correlation_of,
    effects_of_people,
    is_symmetric,
    profile_distance,
    profile_null,
    profile_test,
    skewness_of,
)


def round_robin(n: int, cells: int, seed: int, symmetric: bool) -> np.ndarray:
    g = np.random.default_rng(seed)
    a, b = g.normal(size=(2, n, cells))
    e = 0.5 * g.normal(size=(n, n, cells))
    y = 0.4 + (b if symmetric else a)[:, None] + b[None] + e
    return (y + y.swapaxes(0, 1)) / 2 if symmetric else y


def least_squares(
    places: list[tuple[int, int]], n: int, symmetric: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Linear maps of the scores: level, effects of targets and of candidates (each sums to 0); parameters."""
    centre = np.vstack([np.eye(n - 1), -np.ones(n - 1)])
    target = np.array([centre[s] for s, _ in places])
    candidate = np.array([centre[p] for _, p in places])
    ones = np.ones((len(places), 1))
    x = np.hstack([ones, target + candidate] if symmetric else [ones, target, candidate])
    maps = np.linalg.inv(x.T @ x) @ x.T
    first = centre @ maps[1:n]
    return maps[0], first, first if symmetric else centre @ maps[n:], x.shape[1]


def there(y: np.ndarray, symmetric: bool) -> list[tuple[int, int]]:
    n = len(y)
    return [
        (s, p)
        for s, p in itertools.product(range(n), repeat=2)
        if s != p and np.isfinite(y[s, p]) and (s < p or not symmetric)
    ]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("missing", [0, 4])
def test_effects_and_spread_of_people(symmetric: bool, missing: int) -> None:
    n = 7
    pairs = round_robin(n, 3, 1, symmetric)
    for s, p in ((0, 3), (2, 5), (1, 6), (4, 0))[:missing]:
        pairs[s, p, 1] = np.nan
        if symmetric:
            pairs[p, s, 1] = np.nan
    pairs[:, :, 2] = np.nan  # nobody
    pairs[np.arange(n), np.arange(n)] = 99.0  # not read
    found = effects_of_people(pairs)
    assert found.symmetric is symmetric
    assert found.df == n - 1
    for c in (0, 1):
        places = there(pairs[:, :, c], symmetric)
        y = np.array([pairs[s, p, c] for s, p in places])
        level, target, effect, count = least_squares(places, n, symmetric)
        b, m = effect @ y, float(level @ y)
        np.testing.assert_allclose(found.effects[:, c], b, atol=1e-12)
        assert found.mean[c] == pytest.approx(m, rel=1e-11)
        fitted = [m + (target @ y)[s] + b[p] for s, p in places]
        pair = ((y - fitted) ** 2).sum() / (len(y) - count)
        between = (b**2).sum() / (n - 1) - (effect**2).sum() / (n - 1) * pair
        assert between > 0
        assert found.pair[c] == pytest.approx(pair, rel=1e-10)
        assert found.between[c] == pytest.approx(between, rel=1e-10)
        share = 1 / n + float(level @ level)
        if not missing:
            closed = (2 if symmetric else 1) / (n * (n - 1))
            assert share == pytest.approx(1 / n + closed, rel=1e-12)
        wanted = math.sqrt((1 + 1 / n) * between + share * pair)
        assert found.spread[c] == pytest.approx(wanted, rel=1e-10)
    assert np.isnan(found.spread[2])
    assert np.isnan(found.effects[:, 2]).all()


def test_people_who_do_not_differ_have_no_variance_below_zero() -> None:
    g = np.random.default_rng(0)
    y = g.normal(size=(6, 6, 30))
    found = effects_of_people((y + y.swapaxes(0, 1)) / 2)
    assert (found.between >= 0).all()
    assert (found.between == 0).any()
    # as many pairs as parameters leave nothing to judge by
    three = g.normal(size=(3, 3, 1))
    assert np.isnan(effects_of_people(three + three.swapaxes(0, 1)).spread).all()
    four = round_robin(4, 1, 2, True)
    four[0, 1] = four[1, 0] = np.nan  # five pairs, four parameters
    assert np.isfinite(effects_of_people(four).spread).all()


def test_both_roles_are_one_where_a_table_is_its_mirror_image() -> None:
    y = round_robin(5, 2, 3, True)
    assert is_symmetric(y)
    assert is_symmetric(y + 1e-10 * np.triu(np.ones((5, 5)))[..., None])
    assert not is_symmetric(y + 1e-7 * np.triu(np.ones((5, 5)), 1)[..., None])
    assert not is_symmetric(round_robin(5, 2, 3, False))
    gap = y.copy()
    gap[0, 1, 0] = np.nan
    assert not is_symmetric(gap)
    gap[1, 0, 0] = np.nan
    assert is_symmetric(gap)


def candidates_by_hand(
    pairs: np.ndarray, scores: np.ndarray, symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    n, m = scores.shape
    effect, pool = np.empty(m), np.empty((m, n + 1))
    for j in range(m):
        places = there(pairs, symmetric)
        y = np.array([pairs[s, p] for s, p in places])
        level, target, _, _ = least_squares(places, n, symmetric)
        on = np.flatnonzero(np.isfinite(scores[:, j]))
        # an average person: the level, and the targets' own effects
        effect[j] = scores[on, j].mean() - (level @ y + (target @ y)[on].mean())
        grown = np.full((n + 1, n + 1), np.nan)
        grown[:n, :n], grown[:n, n] = pairs, scores[:, j]
        if symmetric:
            grown[n, :n] = scores[:, j]
        places = there(grown, symmetric)
        y = np.array([grown[s, p] for s, p in places])
        if symmetric:
            pool[j] = least_squares(places, n + 1, True)[2] @ y
            continue
        x = np.zeros((len(places), 2 * n + 1))  # n targets, n + 1 candidates, no level
        for row, (s, p) in enumerate(places):
            x[row, s] = x[row, n + p] = 1
        b = (np.linalg.pinv(x) @ y)[n:]
        pool[j] = b - b.mean()
    return effect, pool


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("alternative", ["less", "two-sided"])
def test_candidates_beside_people(symmetric: bool, alternative: str) -> None:
    n = 7
    pairs = round_robin(n, 2, 5, symmetric)
    pairs[np.arange(n), np.arange(n)] = np.nan
    g = np.random.default_rng(6)
    scores = pairs[:, 2:3].copy() * np.ones((1, 5, 1))
    scores = np.where(np.isfinite(scores), scores, 0.3) + np.linspace(-3, 3, 5)[None, :, None]
    scores += 0.1 * g.normal(size=scores.shape)
    scores[1, 3, 0] = np.nan
    scores[:, 4, 1] = np.nan
    people = effects_of_people(pairs)
    found = as_candidates(pairs, scores, people, alternative)
    for c in (0, 1):
        m = 5 if c == 0 else 4
        effect, pool = candidates_by_hand(pairs[:, :, c], scores[:, :m, c], symmetric)
        np.testing.assert_allclose(found.effect[:m, c], effect, atol=1e-11)
        np.testing.assert_allclose(found.pool[:m, :, c], pool, atol=1e-11)
        t = effect / people.spread[c]
        np.testing.assert_allclose(found.statistic[:m, c], t, rtol=1e-9)
        low, high = stats.t.cdf(t, n - 1), stats.t.sf(t, n - 1)
        p = low if alternative == "less" else 2 * np.minimum(low, high)
        np.testing.assert_allclose(found.p_value[:m, c], p, rtol=1e-8)
        for j in range(m):
            under = sum(bool(v <= pool[j, n]) for v in pool[j, :n])
            over = sum(bool(v >= pool[j, n]) for v in pool[j, :n])
            rank = (under + 1) / (n + 1)
            if alternative != "less":
                rank = min(1.0, 2 * min(rank, (over + 1) / (n + 1)))
            assert found.place[j, c] == under
            assert found.p_rank[j, c] == pytest.approx(rank)
    assert np.isnan([found.effect[4, 1], found.p_value[4, 1], found.p_rank[4, 1]]).all()


def test_a_candidate_level_with_a_person_is_placed_with_that_person() -> None:
    person = np.array([0.1, 0.3, 0.5, 0.9, 1.1])
    pairs = (person[:, None] + person)[..., None] + 0.1
    scores = (person + 0.5)[:, None, None] + 0.1
    people = effects_of_people(pairs)
    for shift, place, low, high in (
        (0, 3, 4, 4),
        (1e-14, 3, 4, 4),
        (-0.05, 2, 3, 4),
        (0.05, 3, 4, 3),
    ):
        less = as_candidates(pairs, scores + shift, people, "less")
        both = as_candidates(pairs, scores + shift, people, "two-sided")
        assert less.place[0, 0] == place
        assert less.p_rank[0, 0] == pytest.approx(low / 6)
        assert both.p_rank[0, 0] == pytest.approx(min(1.0, 2 * min(low, high) / 6))
    # level with the highest and with the lowest person
    for level, place in ((0.6, 5), (-0.4, 1)):
        for shift in (0.0, 1e-14, -1e-14):
            both = as_candidates(pairs, scores + level + shift, people, "two-sided")
            assert both.place[0, 0] == place
            assert both.p_rank[0, 0] == pytest.approx(2 * 2 / 6)


def nearest_above(t: np.ndarray, r: np.ndarray) -> float:
    """Smallest length of ``t - u`` over u >= 0: every set of entries of u that may be positive is tried."""
    inverse, best = np.linalg.inv(r), math.inf
    for size in range(len(t) + 1):
        for some in itertools.combinations(range(len(t)), size):
            u, at = np.zeros(len(t)), list(some)
            if at:
                u[at] = np.linalg.solve(inverse[np.ix_(at, at)], (inverse @ t)[at])
            if (u >= 0).all():
                best = min(best, float((t - u) @ inverse @ (t - u)))
    return math.sqrt(max(best, 0.0))


def test_lengths_of_profiles() -> None:
    g = np.random.default_rng(8)
    x = g.normal(size=(30, 3)) @ g.normal(size=(3, 3))
    r = np.corrcoef(x.T)
    t = g.normal(size=(4, 5, 3)) - 0.3
    many = np.broadcast_to(r, (4, 5, 3, 3))
    both, less = profile_distance(t, many, "two-sided"), profile_distance(t, many, "less")
    for at in np.ndindex(4, 5):
        wanted = math.sqrt(t[at] @ np.linalg.inv(r) @ t[at])
        assert both[at] == pytest.approx(wanted, rel=1e-11)
        assert less[at] == pytest.approx(nearest_above(t[at], r), rel=1e-9, abs=1e-12)
    assert profile_distance(np.ones((1, 3)), r[None], "less")[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("alternative", ["less", "two-sided"])
def test_draws_of_one_more_person(alternative: str) -> None:
    g = np.random.default_rng(9)
    effects = g.normal(size=(8, 3)) ** 2 @ g.normal(size=(3, 3))
    largest, distance = profile_null(effects, alternative, 25, np.random.default_rng(1))
    assert abs(skewness_of(effects)) > 0.05
    normal = np.random.default_rng(1).normal(size=(25, 9, 3))
    root = np.linalg.cholesky(correlation_of(effects))
    for k in range(25):
        z = np.array([root @ row for row in normal[k]])
        # Cornish and Fisher: skewness / 6 and excess / 24, an excess of .5
        x = z + skewness_of(effects) * (z**2 - 1) / 6 + 0.5 * (z**3 - 3 * z) / 24
        t = np.array(
            [
                (x[8, c] - np.mean(x[:8, c])) / (np.std(x[:8, c], ddof=1) * math.sqrt(9 / 8))
                for c in range(3)
            ]
        )
        r = correlation_of(x[:8])
        if alternative == "less":
            assert largest[k] == pytest.approx(max(-t), rel=1e-10)
            assert distance[k] == pytest.approx(nearest_above(t, r), rel=1e-8, abs=1e-10)
        else:
            assert largest[k] == pytest.approx(max(abs(t)), rel=1e-10)
            wanted = math.sqrt(t @ np.linalg.inv(r) @ t)
            assert distance[k] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("alternative", ["less", "two-sided"])
def test_the_whole_profile(alternative: str) -> None:
    n, q = 6, 2
    pairs = round_robin(n, q, 11, True)
    scores = np.random.default_rng(12).normal(size=(n, 3, q)) * 0.3 + np.array(
        [[-2.0], [0.4], [3.0]]
    )
    people = effects_of_people(pairs)
    found: Candidates = as_candidates(pairs, scores, people, alternative)
    profile = profile_test(
        people, found, alternative=alternative, n_resamples=60, rng=np.random.default_rng(2)
    )
    largest, distance = profile_null(people.effects, alternative, 60, np.random.default_rng(2))
    r = correlation_of(people.effects)

    def length(t: np.ndarray, r: np.ndarray) -> float:
        return nearest_above(t, r) if alternative == "less" else math.sqrt(t @ np.linalg.inv(r) @ t)

    def share(draws: np.ndarray, value: float) -> float:
        return (sum(bool(d >= value - 1e-12) for d in draws) + 1) / 61

    for j in range(3):
        t = found.statistic[j]
        each = -t if alternative == "less" else abs(t)
        assert profile.largest[j] == pytest.approx(max(each), rel=1e-12)
        assert profile.distance[j] == pytest.approx(length(t, r), rel=1e-8, abs=1e-10)
        assert profile.p_largest[j] == pytest.approx(share(largest, max(each)))
        assert profile.p_cells[j] == pytest.approx([share(largest, v) for v in each])
        assert profile.p_distance[j] == pytest.approx(share(distance, length(t, r)))
        far = []
        for c in range(n + 1):
            rest = np.delete(found.pool[j], c, axis=0)
            gap = found.pool[j, c] - rest.mean(axis=0)
            own = gap / (rest.std(axis=0, ddof=1) * math.sqrt(1 + 1 / n))
            far.append(length(own, correlation_of(rest)))
        wanted = sum(v >= far[-1] - 1e-9 * max(far) for v in far) / (n + 1)
        assert profile.p_rank[j] == pytest.approx(wanted)


def test_correlations_of_people_in_cells_that_do_not_vary() -> None:
    x = np.random.default_rng(13).normal(size=(2, 9, 3))
    x[:, :, 2] = 1.0
    found = one_more_person.correlation_of(x)
    np.testing.assert_array_equal(found[:, 2, :2], 0)
    np.testing.assert_array_equal(found[:, [0, 1, 2], [0, 1, 2]], 1)
    for one, both in zip(x, found, strict=True):
        np.testing.assert_allclose(one_more_person.correlation_of(one), both, rtol=1e-13)
    # one cell twice, by very many people: a hundredth goes, so that there is an inverse
    twice = np.random.default_rng(14).normal(size=(900, 1)) + np.array([0.0, 5.0])
    assert one_more_person.correlation_of(twice)[0, 1] == pytest.approx(0.99, rel=1e-12)
    assert (one_more_person.correlation_of(np.ones((5, 2))) == np.eye(2)).all()
