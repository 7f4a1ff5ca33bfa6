"""Laws that every interval and plan obeys, whatever the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apastats.resampling.intervals import INTERVALS
from apastats.resampling.means import mean_replicates, summarise_means
from apastats.resampling.plans import composition_counts, plan_of_counts, subject_counts
from apastats.resampling.quantiles import quantiles
from apastats.resampling.ratios import fieller
from apastats.resampling.relabel import permutation_p, sign_flips
from apastats.scoring.stimuli.pair_weights import PairKernel
from apastats.scoring.stimuli.two_factor import dual_variance

LAWS = settings(max_examples=40, deadline=None)

# differences from data on a coarse grid are exact ties or clearly apart
numbers = st.integers(-40, 40).map(lambda k: k / 8)
samples = st.integers(4, 7).flatmap(
    lambda n: arrays(np.float64, (n, 2), elements=numbers).filter(
        lambda x: bool((x.std(axis=0) > 0.2).all())
    )
)


def limits(x: np.ndarray, **options: object) -> dict[str, np.ndarray]:
    found = summarise_means(x, subject_counts(len(x)), INTERVALS, **options)
    return {k: np.array(v[:2]) for k, v in found.limits.items()}


@LAWS
@given(samples, st.floats(0.5, 4), st.integers(-16, 16))
def test_intervals_follow_shift_and_scale(x: np.ndarray, scale: float, shift: int) -> None:
    before, after = limits(x), limits(scale * x + shift)
    for k in INTERVALS:
        np.testing.assert_allclose(after[k], scale * before[k] + shift, rtol=1e-8, atol=1e-8)


@LAWS
@given(samples)
def test_intervals_of_negated_data_are_mirrored(x: np.ndarray) -> None:
    before, after = limits(x), limits(-x)
    for k in INTERVALS:
        np.testing.assert_allclose(after[k], -before[k][::-1], rtol=1e-9, atol=1e-9)


@LAWS
@given(samples, st.randoms())
def test_order_of_subjects_does_not_matter(x: np.ndarray, random) -> None:
    order = list(range(len(x)))
    random.shuffle(order)
    before, after = limits(x), limits(x[order])
    for k in INTERVALS:
        np.testing.assert_allclose(after[k], before[k], rtol=1e-9, atol=1e-9)


@LAWS
@given(samples)
def test_wider_level_holds_narrower(x: np.ndarray) -> None:
    narrow, wide = limits(x, conf_level=0.5), limits(x, conf_level=0.95)
    for k in INTERVALS:
        assert (wide[k][0] <= narrow[k][0] + 1e-12).all(), k
        assert (wide[k][1] >= narrow[k][1] - 1e-12).all(), k


@LAWS
@given(samples)
def test_replicates_have_the_moments_of_the_sample(x: np.ndarray) -> None:
    plan = subject_counts(len(x))
    replicates, w = mean_replicates(x, plan), plan.weights
    np.testing.assert_allclose(w @ replicates, x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        w @ (replicates - x.mean(axis=0)) ** 2, x.var(axis=0) / len(x), atol=1e-12
    )


@LAWS
@given(st.integers(2, 8))
def test_enumeration_is_closed_under_relabelling(n: int) -> None:
    counts, weights = composition_counts(n)
    swapped = counts[:, ::-1]
    table = {tuple(r): w for r, w in zip(counts, weights, strict=True)}
    assert all(table[tuple(r)] == w for r, w in zip(swapped, weights, strict=True))
    assert weights.sum() == pytest.approx(1, abs=1e-12)


@LAWS
@given(
    arrays(np.float64, 30, elements=numbers),
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5),
)
def test_quantiles_are_monotone_and_inside(x: np.ndarray, p: list[float]) -> None:
    p = sorted(p)
    for rule in ("linear", "boot"):
        q = quantiles(x[None], np.array(p), rule=rule)[0]
        assert (np.diff(q) >= -1e-12).all()
        assert x.min() <= q[0]
        assert q[-1] <= x.max()
    weights = np.arange(1.0, 31) / 465
    q = quantiles(x[None], np.array(p), weights)[0]
    assert (np.diff(q) >= 0).all()
    assert set(q) <= set(x) | {(a + b) / 2 for a in x for b in x}


@LAWS
@given(arrays(np.float64, (4, 66), elements=st.integers(0, 30).map(float)), st.integers(0, 10**6))
def test_stimulus_weights_are_copies(z: np.ndarray, seed: int) -> None:
    """Doubling every stimulus changes no cosine: all pairs of different stimuli count four times."""
    z = z + np.arange(66) / 7
    rng = np.random.default_rng(seed)
    c = rng.multinomial(12, np.full(12, 1 / 12), 3).astype(float)
    c[:, :4] += 1
    for method in ("cosine", "corr", "spearman"):
        kernel = PairKernel(z[:2], z[2:], method)
        np.testing.assert_allclose(
            kernel.moments(2 * c).scores(), kernel.moments(c).scores(), atol=1e-9
        )


@LAWS
@given(arrays(np.float64, 6, elements=numbers))
def test_sign_flip_p_is_a_share_of_all_patterns(x: np.ndarray) -> None:
    sums = sign_flips(6).signs @ x
    p = float(permutation_p(sums, x.sum(), exact=True))
    assert 1 / 64 <= p <= 1
    assert p * 64 == pytest.approx(round(p * 64))
    assert p == float(permutation_p(-sums, -x.sum(), exact=True))


@LAWS
@given(*(st.floats(0, 4) for _ in range(3)), st.integers(2, 20), st.integers(2, 50))
def test_dual_variance_is_never_below_one_factor(
    both: float, subjects: float, stimuli: float, s: int, n: int
) -> None:
    v = float(dual_variance(np.array(both), np.array(subjects), np.array(stimuli), s, n))
    assert v >= max(s / (s - 1) * subjects, n / (n - 1) * stimuli)


@LAWS
@given(samples, st.floats(0.5, 3))
def test_fieller_scales(x: np.ndarray, scale: float) -> None:
    a, b = x[:, :1], x[:, 1:] + 40
    np.testing.assert_allclose(
        np.array(fieller(scale * a, b)), scale * np.array(fieller(a, b)), rtol=1e-9, atol=1e-12
    )


@LAWS
@given(st.integers(3, 7), st.integers(0, 10**6))
def test_equal_weights_and_replays_agree(n: int, seed: int) -> None:
    """A plan replayed from its counts is the plan."""
    plan = subject_counts(n, 200, rng=seed)
    x = np.random.default_rng(seed).normal(size=(n, 3))
    np.testing.assert_array_equal(
        mean_replicates(x, plan), mean_replicates(x, plan_of_counts(plan.counts))
    )
