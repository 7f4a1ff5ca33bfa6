"""Laws of alignment patterns: what must not matter does not, and what is related stays so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import apastats as apa
from apastats.patterns.nodes import node_problem, node_replicates
from apastats.patterns.pattern_agreement import agreement_values
from apastats.patterns.pattern_similarity import SIMILARITIES, fisher_z, pattern_similarity
from apastats.patterns.permutations import contract

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
numbers = st.floats(-3, 3, allow_nan=False, width=32)


def pair_case(seed: int, n: int = 5, r: int = 6, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    pairs = g.normal(size=(n, n, r, r))
    keep = g.random((n, n)) < 0.8
    for s in range(n):
        keep[s, (s + 1) % n] = True
    pairs[~keep] = np.nan
    pairs[np.diag_indices(n)] = np.nan
    return g.normal(size=(n, k, r)), pairs


references = st.sampled_from(["leave_one_out", "released", "matched"])


@quick
@given(arrays(np.float64, (3, 7), elements=numbers), arrays(np.float64, (2, 7), elements=numbers))
def test_similarities_are_bounded_and_symmetric(x, y):
    for name in SIMILARITIES:
        value = pattern_similarity(x, y, name)
        known = value[np.isfinite(value)]
        assert (known <= 1 + 1e-12).all()
        if name != "nrmse":
            assert (known >= -1 - 1e-12).all()
            np.testing.assert_allclose(pattern_similarity(y, x, name), value.T, atol=1e-9)


@quick
@given(seeds, st.floats(0.1, 5), st.floats(-3, 3))
def test_level_and_size_matter_only_where_they_should(seed, size, level):
    g = np.random.default_rng(seed)
    x, y = g.normal(size=(3, 8)), g.normal(size=(2, 8))
    x[g.random(x.shape) < 0.1] = np.nan
    for name in ("pearson", "spearman"):
        np.testing.assert_allclose(
            pattern_similarity(size * x + level, y, name), pattern_similarity(x, y, name), atol=1e-9
        )
    np.testing.assert_allclose(
        pattern_similarity(size * x, y, "cosine"), pattern_similarity(x, y, "cosine"), atol=1e-12
    )
    a, b = (pattern_similarity(v, v, "concordance") for v in (x, size * x + level))
    np.testing.assert_allclose(np.diag(a), np.diag(b), atol=1e-9)


@quick
@given(seeds)
def test_concordance_is_at_most_pearson_in_size(seed):
    g = np.random.default_rng(seed)
    x, y = g.normal(size=(4, 6)), g.normal(1, 2, size=(3, 6))
    both = pattern_similarity(x, y, "concordance"), pattern_similarity(x, y, "pearson")
    assert (np.abs(both[0]) <= np.abs(both[1]) + 1e-12).all()


@quick
@given(seeds)
def test_missing_entries_are_as_if_they_were_not_there(seed):
    g = np.random.default_rng(seed)
    x, y = g.normal(size=(3, 8)), g.normal(size=(2, 8))
    gone = np.zeros(8, dtype=bool)
    gone[g.permutation(8)[:3]] = True
    holes = np.where(gone, np.nan, x)
    for name in SIMILARITIES:
        np.testing.assert_allclose(
            pattern_similarity(holes, y, name),
            pattern_similarity(x[:, ~gone], y[:, ~gone], name),
            atol=1e-9,
        )


@quick
@given(seeds, references)
def test_order_of_subjects_and_rois_does_not_matter(seed, reference):
    model, pairs = pair_case(seed)
    g = np.random.default_rng(seed + 1)
    s, r = g.permutation(5), g.permutation(6)
    options = {"pairwise": True, "reference": reference, "similarity": "pearson"}
    a = agreement_values(model, pairs, **options)
    moved = pairs[np.ix_(s, s, r, r)]
    b = agreement_values(model[s][:, :, r], moved, **options)
    np.testing.assert_allclose(b[0], a[0][s][:, :, r], atol=1e-10)
    np.testing.assert_allclose(b[1], a[1][np.ix_(s, r)], atol=1e-10)


@quick
@given(seeds)
def test_leave_one_out_reference_of_a_subject_does_not_know_the_subject(seed):
    model, pairs = pair_case(seed)
    options = {"pairwise": True, "reference": "leave_one_out", "similarity": "pearson"}
    before = agreement_values(model, pairs, **options)[0]
    changed = pairs.copy()
    changed[0] += 1.0
    changed[:, 0] *= -2.0
    after = agreement_values(model, changed, **options)[0]
    np.testing.assert_allclose(after[0], before[0], atol=1e-9)


@quick
@given(seeds)
def test_matched_reference_knows_neither_subject_nor_partner(seed):
    model, pairs = pair_case(seed)
    pairs[0] = np.nan
    g = np.random.default_rng(seed)
    pairs[0, 1] = g.normal(size=pairs.shape[2:])
    options = {"pairwise": True, "reference": "matched", "similarity": "pearson"}
    before = agreement_values(model, pairs, **options)[0]
    changed = pairs.copy()
    changed[1] += g.normal(size=changed[1].shape)
    changed[:, 1] += g.normal(size=changed[:, 1].shape)
    after = agreement_values(model, changed, **options)[0]
    np.testing.assert_allclose(after[0], before[0], atol=1e-9)


@quick
@given(seeds)
def test_a_model_that_copies_the_reference_agrees_perfectly(seed):
    _, pairs = pair_case(seed)
    from apastats.patterns.reference_patterns import pairs_without

    copied = pairs_without(pairs)
    found = agreement_values(
        copied, pairs, pairwise=True, reference="leave_one_out", similarity="pearson"
    )[0]
    np.testing.assert_allclose(np.einsum("skk->sk", found), 1, atol=1e-9)


@quick
@given(seeds, references, st.integers(2, 4))
def test_resampling_everybody_equally_often_changes_nothing(seed, reference, times):
    model, pairs = pair_case(seed)
    problem = node_problem(
        model, pairs, 2, pairwise=True, reference=reference, similarity="pearson"
    )
    once, often = (node_replicates(problem, np.full((1, 5), float(c))) for c in (1, times))
    for a, b in zip(once, often, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)
    want = agreement_values(model, pairs, pairwise=True, reference=reference, similarity="pearson")
    np.testing.assert_allclose(once[0][0], want[0][:, :, 2].mean(0), atol=1e-10)
    np.testing.assert_allclose(once[1][0], want[1][:, 2].mean(), atol=1e-10)


@quick
@given(seeds, st.integers(3, 8))
def test_contraction_is_a_permutation_and_undoes_with_its_inverse(seed, n):
    g = np.random.default_rng(seed)
    p = g.permuted(np.tile(np.arange(n), (20, 1)), axis=1)
    keep = np.sort(g.permutation(n)[: max(1, n - 2)])
    small = contract(p, keep)
    assert (np.sort(small, axis=1) == np.arange(len(keep))).all()
    back = contract(np.argsort(p, axis=1), keep)
    assert (np.take_along_axis(small, back, 1) == np.arange(len(keep))).all()


@quick
@given(st.floats(-1, 1))
def test_fisher_z_is_finite_and_odd(r):
    assert np.isfinite(fisher_z(np.array(r)))
    assert fisher_z(np.array(-r)) == pytest.approx(-fisher_z(np.array(r)))


@quick
@given(seeds)
def test_selection_is_a_choice_of_rows_whatever_their_order(seed):
    g = np.random.default_rng(seed)
    rows = [
        (m, la, f"s{s}", r, split, float(g.integers(0, 4)))
        for m in "ab"
        for la in "xyz"
        for s in range(3)
        for r in "PQ"
        for split in ("train", "test")
    ]
    frame = pd.DataFrame(rows, columns=["model", "layer", "subject", "roi", "split", "score"])
    shuffled = frame.sample(frac=1, random_state=seed % 2**31)
    keys = ["model", "roi", "subject"]
    for on in ("train", "cross_subject"):
        a, b = (
            apa.select_layer(apa.ScoreTable(f), on=on, split="test").frame
            for f in (frame, shuffled)
        )
        assert len(a) == 2 * 2 * 3
        a, b = (
            f.sort_values(keys).reset_index(drop=True)[[*keys, "layer", "score"]] for f in (a, b)
        )
        pd.testing.assert_frame_equal(a, b)
