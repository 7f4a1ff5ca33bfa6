from __future__ import annotations

import numpy as np
import pytest

from apastats.arguments import COMMON, jobs
from apastats.errors import InputError
from apastats.resampling.intervals import (
    INTERVALS,
    Replicates,
    check_interval,
    confidence_interval,
)
from apastats.resampling.means import TILE, mean_replicates, summarise_means
from apastats.resampling.plans import composition_counts, plan_of_counts, subject_counts


def literal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, standard errors and probabilities of all resamples of x, drawn one by one."""
    counts, weights = composition_counts(len(x))
    means, errors = [], []
    for row in counts:
        drawn = np.repeat(x, row)
        drawn = drawn[np.isfinite(drawn)]
        means.append(drawn.mean() if len(drawn) else np.nan)
        errors.append(drawn.std(ddof=1) / np.sqrt(len(drawn)) if len(drawn) > 1 else np.nan)
    return np.array(means), np.array(errors), weights


def quantile(x: np.ndarray, w: np.ndarray, p: float) -> float:
    keep = ~np.isnan(x)
    x, w = x[keep], w[keep] / w[keep].sum()
    order = np.argsort(x)
    return x[order][np.argmax(np.cumsum(w[order]) >= p)]


@pytest.mark.parametrize("missing", [(), (1,), (0, 3)])
def test_exact_intervals_follow_their_definition(missing: tuple[int, ...]) -> None:
    x = np.array([0.11, 0.3, 0.17, 0.52, 0.24, 0.19])
    x[list(missing)] = np.nan
    means, errors, w = literal(x)
    mean = np.nanmean(x)
    n = np.isfinite(x).sum()
    se = np.nanstd(x, ddof=1) / np.sqrt(n)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (means - mean) / np.where(errors < 1e-15, 0, errors)
    found = summarise_means(x[:, None], subject_counts(6), INTERVALS, conf_level=0.9)
    assert found.estimate[0] == pytest.approx(mean, rel=1e-14)
    assert found.std_error[0] == pytest.approx(se, rel=1e-14)
    limits = {k: np.array(v).ravel() for k, v in found.limits.items()}
    low, high = quantile(means, w, 0.05), quantile(means, w, 0.95)
    np.testing.assert_allclose(limits["percentile"], [low, high, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(limits["basic"], [2 * mean - high, 2 * mean - low, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(
        limits["studentized"],
        [mean - se * quantile(t, w, 0.95), mean - se * quantile(t, w, 0.05), 0, 0],
        rtol=1e-10,
    )
    half = se * {4: 2.3533634348, 5: 2.1318467863, 6: 2.0150483733}[int(n)]
    np.testing.assert_allclose(limits["t"], [mean - half, mean + half, 0, 0], rtol=1e-9)


def test_tiles_do_not_show() -> None:
    x = np.random.default_rng(0).normal(size=(7, 3 * TILE + 5))
    x[2, ::4] = np.nan
    plan = subject_counts(7)
    whole = summarise_means(x, plan, INTERVALS)
    for batch in (1, TILE, 40, 10_000):
        part = summarise_means(x, plan, INTERVALS, batch=batch)
        for k in INTERVALS:
            np.testing.assert_array_equal(whole.limits[k], part.limits[k])
    alone = summarise_means(x[:, 20:21], plan, ["bca"])
    np.testing.assert_array_equal(
        np.array(alone.limits["bca"])[:, 0], np.array(whole.limits["bca"])[:, 20]
    )


def test_processes_give_the_same_bits() -> None:
    x = np.random.default_rng(1).normal(size=(6, 2 * TILE + 1))
    plan = subject_counts(6, 300, rng=4)
    one = summarise_means(x, plan, ["studentized", "bca"])
    two = summarise_means(x, plan, ["studentized", "bca"], n_jobs=2, batch=TILE)
    for k in one.limits:
        np.testing.assert_array_equal(one.limits[k], two.limits[k])


def test_replicates_of_sampled_plan_are_means_of_the_draws() -> None:
    rng = np.random.default_rng(2)
    x, index = rng.normal(size=(8, 3)), rng.integers(0, 8, (40, 8))
    counts = np.stack([np.bincount(i, minlength=8) for i in index])
    np.testing.assert_allclose(
        mean_replicates(x, plan_of_counts(counts)), x[index].mean(axis=1), rtol=1e-13
    )


def test_one_sided_limits_are_two_sided_ones_of_the_double_tail() -> None:
    x = np.random.default_rng(3).normal(size=(8, 2))
    plan = subject_counts(8)
    two = summarise_means(x, plan, INTERVALS, conf_level=0.9)
    low = summarise_means(x, plan, INTERVALS, conf_level=0.95, alternative="greater")
    high = summarise_means(x, plan, INTERVALS, conf_level=0.95, alternative="less")
    for k in INTERVALS:
        np.testing.assert_allclose(low.limits[k][0], two.limits[k][0], rtol=1e-12)
        np.testing.assert_allclose(high.limits[k][1], two.limits[k][1], rtol=1e-12)
        assert np.isposinf(low.limits[k][1]).all()
        assert np.isneginf(high.limits[k][0]).all()


def test_constant_values_have_an_interval_of_no_width() -> None:
    found = summarise_means(np.full((5, 1), 0.3), subject_counts(5), INTERVALS)
    for k in INTERVALS:
        low, high = found.limits[k][:2]
        assert low[0] == high[0] == pytest.approx(0.3), k


def test_sampled_limits_approach_the_exact_ones_within_their_error() -> None:
    x = np.random.default_rng(4).normal(size=(8, 20))
    exact = summarise_means(x, subject_counts(8), INTERVALS)
    sampled = summarise_means(x, subject_counts(8, 20_000, rng=1), INTERVALS)
    for k in ("normal", "basic", "percentile", "bca", "studentized"):
        for side in (0, 1):
            error = np.abs(exact.limits[k][side] - sampled.limits[k][side])
            # 20 cells: five errors are far beyond what chance allows
            assert (error < 5 * sampled.limits[k][2 + side]).all(), k
        assert (exact.limits[k][2:] == 0).all()
        assert (sampled.limits[k][2:] > 0).all()


@pytest.mark.parametrize("interval", ["normal", "basic", "percentile", "bca", "studentized"])
def test_monte_carlo_error_is_the_spread_over_seeds(interval: str) -> None:
    x = np.exp(np.random.default_rng(4).normal(size=(9, 8)))
    found = np.array(
        [
            summarise_means(x, subject_counts(9, 2_000, rng=k), [interval]).limits[interval]
            for k in range(100)
        ]
    )
    spread = found[:, :2].std(axis=0, ddof=1)
    said = np.sqrt((found[:, 2:] ** 2).mean(axis=0))
    # an SD from 100 seeds is within a quarter of the truth; 8 cells share the seeds
    assert np.exp(np.log(said / spread).mean()) == pytest.approx(1, abs=0.12)
    np.testing.assert_allclose(said, spread, rtol=0.5)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: check_interval("wald", 0.9, "two-sided"), "interval: got 'wald'"),
        (lambda: check_interval("t", 1.5, "two-sided"), "conf_level: got 1.5"),
        (lambda: check_interval("t", "x", "two-sided"), "conf_level: got 'x'"),
        (lambda: check_interval("t", 0.9, "both"), "alternative: got 'both'"),
        (lambda: jobs("n_jobs", 0), "n_jobs: got 0"),
        (lambda: COMMON["batch"]("batch", 0), "batch: got 0"),
        (lambda: jobs("n_jobs", 1.5), "n_jobs: got 1.5"),
    ],
)
def test_bad_input(call, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()


@pytest.mark.parametrize("interval", ["t", "studentized", "bca"])
def test_intervals_say_what_they_lack(interval: str) -> None:
    bare = Replicates(np.zeros(1), np.zeros((1, 9)))
    with pytest.raises(InputError, match=f"interval: got '{interval}'; allowed: an interval that"):
        confidence_interval(bare, interval)
