"""Laws of the tests with a margin and of the equivalence sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import apastats as apa
from apastats.numbers.adjust_p import ADJUSTMENTS
from apastats.numbers.closed import closed_p, hierarchical_p
from apastats.numbers.compact_letters import compact_letters

# sums of a grid keep differences away from rounding, so that a tie is a tie
GRID = st.integers(-40, 40).map(lambda v: v / 64)
LAW = settings(deadline=None, max_examples=40)
TESTS = ["t", "trimmed", "sign_flip", "wilcoxon"]
SMOOTH = ["t", "trimmed"]


def profiles(n: int = 7):
    return arrays(float, n, elements=GRID)


def varied(*samples: np.ndarray) -> bool:
    return all(len(np.unique(s)) > 3 for s in samples)


def tost_row(x, y, **options):
    return apa.tost(x, y, effect="none", **options).tidy().iloc[0]


def table_of(values: np.ndarray, names: list[str] | None = None) -> apa.ScoreTable:
    n, k = values.shape
    names = [f"m{j}" for j in range(k)] if names is None else names
    index = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(n)], names], names=["subject", "model"]
    )
    frame = pd.DataFrame({"score": values.ravel()}, index=index).reset_index().assign(roi="V1")
    return apa.ScoreTable(frame)


@LAW
@given(profiles(), profiles(), st.floats(0.02, 0.6), st.sampled_from(SMOOTH))
def test_equivalence_exactly_when_the_interval_is_inside(x, y, bound, test):
    assume(varied(x - y))
    row = tost_row(x, y, bounds=bound, test=test)
    inside = row["conf_low"] > -bound and row["conf_high"] < bound
    near = min(abs(row["conf_low"] + bound), abs(row["conf_high"] - bound)) < 1e-9
    assert near or inside == (row["p_value_equiv"] <= 0.05)


@LAW
@given(profiles(), profiles(), st.floats(0.1, 3.0))
def test_bounds_in_sd_units(x, y, share):
    assume(varied(x - y))
    row = tost_row(x, y, bounds=apa.margin(share, of="sd"))
    low, high = row["bound_low"], row["bound_high"]
    near = min(abs(row["conf_low"] - low), abs(row["conf_high"] - high)) < 1e-7
    inside = row["conf_low"] > low and row["conf_high"] < high
    assert near or inside == (row["p_value_equiv"] <= 0.05)
    # the unit moves with the scores
    scaled = tost_row(8 * x, 8 * y, bounds=apa.margin(share, of="sd"))
    assert scaled["p_value_equiv"] == pytest.approx(row["p_value_equiv"], abs=1e-9)


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")  # few draws on purpose
@LAW
@given(
    profiles(),
    profiles(),
    st.floats(0.02, 0.9),
    st.sampled_from(["studentized", "bca", "basic", "percentile", "normal"]),
    st.booleans(),
    st.sampled_from(["one", "two", "relabelled"]),
)
def test_intervals_of_resampling_tests_invert_them(x, y, bound, interval, small_sample, samples):
    assume(varied(x - y, x, y))
    size = 1999
    row = tost_row(
        x, y, bounds=bound, paired=samples == "one", n_resamples=size, rng=3,
        **({"test": "permutation"} if samples == "relabelled" else
           {"test": "bootstrap", "interval": interval, "small_sample": small_sample}),
    )  # fmt: skip
    # limits lie between replicates, p-values count them: near the level a few replicates decide
    if 0.035 < row["p_value_equiv"] < 0.065:
        return
    inside = row["conf_low"] > -bound and row["conf_high"] < bound
    assert inside == (row["p_value_equiv"] <= 0.05)


@LAW
@given(profiles(8), profiles(8), st.floats(0.02, 0.6))
def test_sign_flip_interval_inverts_the_test(x, y, bound):
    assume(varied(x - y))
    row = tost_row(x, y, bounds=bound, test="sign_flip")
    for end, p in (("conf_low", "p_value_noninf"), ("conf_high", "p_value_nonsup")):
        value = row[end]
        sign = -1 if end == "conf_low" else 1
        if abs(abs(value) - bound) < 1e-9:
            continue
        inside = value > -bound if sign < 0 else value < bound
        assert inside == (row[p] <= 0.05)


@LAW
@given(profiles(), profiles(), st.floats(0.02, 0.5), st.floats(0.02, 0.5), st.sampled_from(TESTS))
def test_swapping_mirrors(x, y, low, high, test):
    assume(varied(x - y))
    one = tost_row(x, y, bounds=(-low, high), test=test)
    two = tost_row(y, x, bounds=(-high, low), test=test)
    assert one["estimate"] == pytest.approx(-two["estimate"], abs=1e-12)
    assert one["conf_low"] == pytest.approx(-two["conf_high"], abs=1e-9)
    assert one["p_value"] == pytest.approx(two["p_value"], abs=1e-12)
    assert one["p_value_noninf"] == pytest.approx(two["p_value_nonsup"], abs=1e-12)
    assert one["p_value_equiv"] == pytest.approx(two["p_value_equiv"], abs=1e-12)


@LAW
@given(
    profiles(),
    profiles(),
    st.sampled_from([0.25, 2.0, 64.0]),
    st.floats(0.02, 0.5),
    st.sampled_from(TESTS),
)
def test_scaling_scores_and_margin_changes_nothing(x, y, scale, bound, test):
    assume(varied(x - y))
    one = tost_row(x, y, bounds=bound, test=test)
    two = tost_row(scale * x, scale * y, bounds=scale * bound, test=test)
    assert one["decision"] == two["decision"]
    assert one["p_value_equiv"] == pytest.approx(two["p_value_equiv"], abs=1e-12)


@LAW
@given(profiles(), profiles(), profiles(), st.sampled_from(TESTS))
def test_a_constant_per_subject_changes_no_paired_contrast(x, y, shift, test):
    assume(varied(x - y))
    one = tost_row(x, y, bounds=0.2, test=test)
    two = tost_row(x + shift, y + shift, bounds=0.2, test=test)
    assert one["p_value_equiv"] == pytest.approx(two["p_value_equiv"], abs=1e-12)
    assert one["estimate"] == pytest.approx(two["estimate"], abs=1e-12)


@LAW
@given(profiles(), profiles(), st.floats(0.02, 0.3), st.floats(1.0, 3.0), st.sampled_from(TESTS))
def test_a_wider_margin_is_easier(x, y, bound, factor, test):
    assume(varied(x - y))
    narrow = tost_row(x, y, bounds=bound, test=test)["p_value_equiv"]
    wide = tost_row(x, y, bounds=factor * bound, test=test)["p_value_equiv"]
    assert wide <= narrow + 1e-12


@LAW
@given(profiles(), profiles(), st.floats(0.02, 0.5))
def test_hypotheses_fit_together(x, y, bound):
    assume(varied(x - y))
    equivalence = tost_row(x, y, bounds=bound)
    minimal = tost_row(x, y, bounds=bound, hypothesis="minimal_effect")
    superior = tost_row(x, y, bounds=bound, hypothesis="superiority")
    assert minimal["p_value_claim"] == pytest.approx(
        min(1 - equivalence["p_value_noninf"], 1 - equivalence["p_value_nonsup"]), abs=1e-12
    )
    assert superior["p_value_claim"] == pytest.approx(1 - equivalence["p_value_nonsup"], abs=1e-12)
    assert not (equivalence["p_value_equiv"] <= 0.05 and minimal["p_value_claim"] <= 0.05)


@LAW
@given(
    arrays(float, (6, 4), elements=GRID),
    st.permutations(range(4)),
    st.sampled_from(["mcb", "mcs", "tost"]),
)
def test_relabelling_changes_only_the_order(values, order, method):
    assume(all(len(np.unique(values[:, i] - values[:, j])) > 3 for i in range(4) for j in range(i)))
    names = ["a", "b", "c", "d"]
    one = apa.equivalence_set(
        "score ~ model", table_of(values, names), bounds=0.3, method=method, variance="pooled"
    )
    permuted = table_of(values[:, list(order)], [names[i] for i in order])
    two = apa.equivalence_set(
        "score ~ model", permuted, bounds=0.3, method=method, variance="pooled"
    )
    first, second = (r.tidy().set_index("model")["decision"].sort_index() for r in (one, two))
    pd.testing.assert_series_equal(first, second)


@LAW
@given(arrays(float, (6, 4), elements=GRID), st.floats(0.05, 0.4), st.floats(1.0, 3.0))
def test_a_wider_margin_never_removes_a_model(values, bound, factor):
    assume(all(len(np.unique(values[:, i] - values[:, j])) > 3 for i in range(4) for j in range(i)))
    table = table_of(values)
    for method in ("mcb", "mcs", "tost"):
        narrow, wide = (
            apa.equivalence_set(
                "score ~ model", table, bounds=b, method=method, variance="pooled"
            ).tidy()["in_set"]
            for b in (bound, factor * bound)
        )
        assert (narrow <= wide).all()


@settings(LAW, max_examples=20)
@given(
    arrays(float, (3, 9), elements=GRID),
    st.floats(0.05, 0.8),
    st.sampled_from(["williams", "steiger"]),
    st.sampled_from(["pearson", "spearman"]),
)
def test_two_correlations_that_share_the_brain(rows, bound, test, method):
    assume(varied(*rows))
    assume(min(np.linalg.eigvalsh(np.corrcoef(rows))) > 0.02)
    x, y, brain = rows
    options = {"bounds": bound, "test": test, "method": method}
    try:
        one = apa.correlation_difference(x, y, brain, **options).tidy().iloc[0]
    except apa.errors.DesignError:
        assume(False)
    two = apa.correlation_difference(y, 3 * x + 1, brain, **options).tidy().iloc[0]
    assert one["p_value_noninf"] == pytest.approx(two["p_value_nonsup"], abs=2e-4)
    assert one["conf_low"] == pytest.approx(-two["conf_high"], abs=1e-4)
    inside = one["conf_low"] > -bound and one["conf_high"] < bound
    if not 0.049 < one["p_value_equiv"] < 0.051:
        assert inside == (one["p_value_equiv"] <= 0.05)
    assert 0 < one["p_value_equiv"] <= 1


@LAW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from(sorted(ADJUSTMENTS)))
def test_adjusted_p_values(p, adjust):
    adjusted = apa.adjust_p(p, adjust)
    assert ((adjusted >= np.asarray(p) - 1e-12) & (adjusted <= 1)).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-12).all()
    if adjust not in ("none", "bh", "by"):
        assert adjusted.min() <= min(1.0, len(p) * min(p)) + 1e-12


@LAW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_closure_gives_holm_and_hommel(p):
    np.testing.assert_allclose(closed_p(p, local="bonferroni"), apa.adjust_p(p, "holm"), atol=1e-12)
    np.testing.assert_allclose(closed_p(p, local="simes"), apa.adjust_p(p, "hommel"), atol=1e-12)


@LAW
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("xyz")), min_size=1, max_size=10))
def test_hierarchical_is_at_least_the_members_holm(pairs):
    p, groups = [v for v, _ in pairs], [g for _, g in pairs]
    adjusted = hierarchical_p(p, groups)
    assert (adjusted >= np.asarray(p) - 1e-12).all()


@st.composite
def separated(draw):
    k = draw(st.integers(2, 6))
    index = st.integers(0, k - 1)
    return k, draw(st.sets(st.tuples(index, index)))


@LAW
@given(separated())
def test_letters_say_exactly_what_was_separated(drawn):
    k, pairs = drawn
    names = [f"m{i}" for i in range(k)]
    different = {frozenset((names[i], names[j])) for i, j in pairs if i != j}
    letters = compact_letters(names, [tuple(sorted(d)) for d in different])
    for i in range(k):
        assert letters[names[i]]
        for j in range(i):
            shared = bool(set(letters[names[i]]) & set(letters[names[j]]))
            assert shared != (frozenset((names[i], names[j])) in different)


@LAW
@given(arrays(float, (6, 3), elements=GRID), st.sampled_from(["max-t", "max-t-step-down", "holm"]))
def test_families_of_one_cell(values, adjust):
    assume(all(len(np.unique(values[:, i] - values[:, j])) > 3 for i in range(3) for j in range(i)))
    found = apa.equivalence("score ~ model", table_of(values), bounds=0.3, adjust=adjust).tidy()
    if adjust != "holm":
        single = apa.equivalence(
            "score ~ model", table_of(values), bounds=0.3, adjust="max-t"
        ).tidy()
        # the step-down procedure never loses against the single step
        assert (found["p_value_equiv_adjusted"] <= single["p_value_equiv_adjusted"] + 1e-12).all()
        assert (found["p_value_adjusted"] <= single["p_value_adjusted"] + 1e-12).all()
    assert (found["conf_low_joint"] <= found["conf_low"] + 1e-12).all() or adjust != "holm"
