from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, InputError, SmallSampleWarning
from apastats.patterns.nodes import dyadic_std_error, node_problem, node_replicates
from apastats.patterns.pattern_similarity import SIMILARITIES
from tests.patterns.naive import similar

N = 6


def literal(model, pairs, roi, counts, reference, similarity="pearson"):
    """One replicate by loops over drawn pairs; a pair drawn c_p c_t times is there that often."""
    drawn = [
        (t, p)
        for t in range(N)
        for p in range(N)
        if np.isfinite(pairs[t, p, roi]).any()
        for _ in range(counts[t] * counts[p])
    ]

    def mean_without(*absent):
        rows = [pairs[t, p, roi] for t, p in drawn if t not in absent and p not in absent]
        return np.mean(rows, axis=0) if rows else None

    models, brains = [], []
    for s in range(N):
        partners = [p for t, p in dict.fromkeys(drawn) if t == s]
        own, other = [], []
        for p in partners:
            ref = mean_without(s, p) if reference == "matched" else mean_without(s)
            if ref is None:
                continue
            own += [similar(pairs[s, p, roi], ref, similarity)] * counts[p]
            target = pairs[s, p, roi] if reference == "released" else ref
            other += [similar(model[s], target, similarity)] * counts[p]
        if reference == "leave_one_out" and mean_without(s) is not None:
            other = [similar(model[s], mean_without(s), similarity)]
        brains += [np.mean(own)] * counts[s] if own else []
        models += [np.mean(other)] * counts[s] if other else []
    return np.mean(models), np.mean(brains)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("reference", ["leave_one_out", "released", "matched"])
def test_replicates_are_what_drawn_pairs_give(make_frame, reference, similarity):
    table = apa.ScoreTable(make_frame(n_subject=N, rng=3))
    a = apa.alignment_patterns(table).arrays
    pairs, model = a["subject_to_subject"][0], a["model"][0]
    g = np.random.default_rng(0)
    counts = g.multinomial(N, np.full(N, 1 / N), 12)
    counts = counts[(counts > 0).sum(1) >= 4]
    for roi in (0, 3):
        q = node_problem(
            model, pairs, roi, pairwise=True, reference=reference, similarity=similarity
        )
        found = node_replicates(q, counts)
        for b, c in enumerate(counts):
            want = literal(model[:, 1], pairs, roi, c, reference, similarity)
            assert found[0][b, 1] == pytest.approx(want[0], abs=1e-12)
            assert found[1][b] == pytest.approx(want[1], abs=1e-12)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_leave_one_out_replicates(make_frame, similarity):
    frame = make_frame(n_subject=N, rng=3)
    a = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] != "subject_to_subject"])).arrays
    brain, model = a["leave_one_out"][0], a["model"][0]
    q = node_problem(
        model, brain, 2, pairwise=False, reference="leave_one_out", similarity=similarity
    )
    counts = np.array([[2, 1, 0, 3, 0, 0], [1, 1, 1, 1, 1, 1]])
    found = node_replicates(q, counts)
    for b, c in enumerate(counts):
        mine, own, weight = [], [], []
        for s in np.flatnonzero(c):
            rest = [t for t in np.repeat(np.arange(N), c) if t != s]
            ref = brain[rest, 2].mean(0)
            mine.append(similar(model[s, 0], ref, similarity))
            own.append(similar(brain[s, 2], ref, similarity))
            weight.append(c[s])
        assert found[0][b, 0] == pytest.approx(np.average(mine, weights=weight), abs=1e-12)
        assert found[1][b] == pytest.approx(np.average(own, weights=weight), abs=1e-12)


@pytest.mark.parametrize("reference", ["leave_one_out", "released", "matched"])
@pytest.mark.parametrize("self_entry", ["in", "out"])
def test_estimates_and_differences(make_frame, reference, self_entry):
    table = apa.ScoreTable(make_frame(n_subject=N, n_predictor=4, splits=("train", "test"), rng=5))
    best = apa.select_layer(table)
    patterns = apa.alignment_patterns(table, self_entry=self_entry)
    found = apa.agreement_bootstrap(
        patterns, selection=best, reference=reference, n_resamples=300, rng=1
    ).table
    agreement = apa.selected_rows(apa.pattern_agreement(patterns, reference=reference), best).frame
    want = agreement.groupby(["model", "roi"])["agreement"].mean()
    rows = found[found["term"] == "agreement"].set_index(["model", "roi"])
    np.testing.assert_allclose(rows["estimate"], want.loc[rows.index], atol=1e-12)
    gaps = found[found["term"] == "difference"].set_index(["model", "roi"])["estimate"]
    for (model, roi), gap in gaps.items():
        assert gap == pytest.approx(want[model, roi] - want["brain", roi], abs=1e-12)


def test_t_interval_and_joint_limits(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=N, rng=5)))
    found = apa.agreement_bootstrap(patterns, n_resamples=500, rng=1).table
    gaps = found[found["term"] == "difference"]
    half = stats.t.ppf(0.975, N - 1) * gaps["std_error"]
    np.testing.assert_allclose(gaps["conf_high"] - gaps["estimate"], half)
    np.testing.assert_allclose(gaps["estimate"] - gaps["conf_low"], half)
    assert (found["joint_low"] <= found["conf_low"]).all()
    widest = stats.t.ppf(1 - 0.025 / len(gaps), N - 1) * gaps["std_error"]
    assert (gaps["joint_high"] - gaps["estimate"] <= widest + 1e-12).all()
    # agreements: the same on Fisher's z
    rows = found[found["term"] == "agreement"]
    z = {c: np.arctanh(rows[c]) for c in ("estimate", "conf_low", "conf_high", "joint_high")}
    np.testing.assert_allclose(z["conf_high"] - z["estimate"], z["estimate"] - z["conf_low"])
    ratio = stats.t.ppf(1 - 0.025 / len(rows), N - 1) / stats.t.ppf(0.975, N - 1)
    joint, alone = (z[c] - z["estimate"] for c in ("joint_high", "conf_high"))
    assert (joint <= ratio * alone * (1 + 1e-9)).all()


@pytest.mark.parametrize("interval", ["jackknife", "t", "normal", "basic", "percentile", "bca"])
def test_no_limit_of_an_agreement_is_beyond_one(make_frame, interval):
    frame = make_frame(n_subject=N, rng=5)
    # nearly the same pattern in everybody: agreements close to 1
    level = frame.groupby("roi")["score"].transform("mean")
    table = apa.ScoreTable(frame.assign(score=level + 0.05 * (frame["score"] - level)))
    patterns = apa.alignment_patterns(table)
    found = apa.agreement_bootstrap(patterns, n_resamples=500, interval=interval, rng=1).table
    found = found[found["term"] == "agreement"]
    assert found["estimate"].max() > 0.85
    for low, high in (("conf_low", "conf_high"), ("joint_low", "joint_high")):
        assert (found[low] >= -1).all()
        assert (found[high] <= 1).all()
    if interval in ("jackknife", "t", "normal"):
        assert (found["conf_low"] <= found["estimate"]).all()
        assert (found["estimate"] <= found["conf_high"]).all()
    gaps = found[found["term"] == "difference"]
    assert (gaps["p_value_adjusted"] >= gaps["p_value"]).all()
    t = gaps["estimate"] / gaps["std_error"]
    np.testing.assert_allclose(gaps["p_value"], 2 * stats.t.sf(np.abs(t), N - 1))


@pytest.mark.parametrize("similarity", ["pearson", "concordance"])
@pytest.mark.parametrize("reference", ["leave_one_out", "matched"])
def test_jackknife_leaves_people_out_of_the_table(make_frame, reference, similarity):
    """The standard error is that of agreement computed again from the rows without each person."""
    frame = make_frame(n_subject=7, n_partner=4, rng=6)
    options = {"reference": reference, "similarity": similarity}
    found = apa.agreement_bootstrap(
        apa.alignment_patterns(apa.ScoreTable(frame)), n_resamples=50, rng=1, **options
    ).table

    def means(part):
        patterns = apa.alignment_patterns(apa.ScoreTable(part))
        rows = apa.pattern_agreement(patterns, **options).frame
        wide = rows.groupby(["model", "layer", "roi"])["agreement"].mean()
        return wide, wide - wide["brain", "-"].reindex(
            wide.index.get_level_values("roi")
        ).to_numpy()

    left = [
        means(frame[(frame["subject"] != s) & (frame["model"] != s)]) for s in set(frame["subject"])
    ]
    for term, i in (("agreement", 0), ("difference", 1)):
        stack = pd.concat([v[i] for v in left], axis=1)
        error = np.sqrt(6 / 7 * ((stack.sub(stack.mean(axis=1), axis=0)) ** 2).sum(axis=1))
        rows = found[found["term"] == term].set_index(["model", "layer", "roi"])
        np.testing.assert_allclose(rows["std_error"], error.loc[rows.index], atol=1e-12)
        if term == "agreement":
            stack = np.arctanh(stack)
            error = np.sqrt(6 / 7 * ((stack.sub(stack.mean(axis=1), axis=0)) ** 2).sum(axis=1))
            middle, high = np.arctanh(rows["estimate"]), np.arctanh(rows["conf_high"])
        else:
            middle, high = rows["estimate"], rows["conf_high"]
        half = stats.t.ppf(0.975, 6) * error.loc[rows.index]
        np.testing.assert_allclose(high - middle, half)


def test_a_person_who_cannot_be_left_out_is_said(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=4, n_partner=3)))
    with (
        pytest.warns(DegenerateWarning, match="have no standard error"),
        pytest.warns(SmallSampleWarning),
    ):
        found = apa.agreement_bootstrap(patterns, reference="matched", n_resamples=50, rng=1).table
    assert found["conf_low"].isna().all()


def test_exact_standard_error(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=N, rng=5)))
    exact = apa.agreement_bootstrap(patterns, interval="t").table
    sampled = apa.agreement_bootstrap(patterns, interval="t", n_resamples=4000, rng=2).table
    np.testing.assert_allclose(sampled["std_error"], exact["std_error"], rtol=0.1)
    assert (exact["mcse"] == 0).all()


def test_seeds_and_intervals(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=N, rng=5)))
    for interval in ("jackknife", "t", "normal", "basic", "percentile", "bca"):
        a, b = (
            apa.agreement_bootstrap(patterns, n_resamples=200, interval=interval, rng=4).table
            for _ in "ab"
        )
        assert a.equals(b)
        assert (a["conf_low"] <= a["conf_high"]).all()


def test_dyadic_standard_error_by_hand():
    g = np.random.default_rng(0)
    values = g.normal(size=(5, 5))
    values[np.diag_indices(5)] = np.nan
    values[0, 3] = np.nan
    pairs = [(t, p) for t in range(5) for p in range(5) if np.isfinite(values[t, p])]
    mean = np.mean([values[d] for d in pairs])
    total = sum(
        (values[d] - mean) * (values[e] - mean) for d in pairs for e in pairs if set(d) & set(e)
    )
    want = np.sqrt(total * 5 / 4) / len(pairs) if total > 0 else np.nan
    assert dyadic_std_error(values) == pytest.approx(want, nan_ok=True)


def test_bad_input(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=N)))
    with pytest.raises(InputError, match="interval: got 'studentized'"):
        apa.agreement_bootstrap(patterns, interval="studentized")
    with pytest.raises(InputError, match="similarity: got 'kendall'"):
        apa.agreement_bootstrap(patterns, similarity="kendall")
    with pytest.raises(InputError, match="reference: got 'x'"):
        apa.agreement_bootstrap(patterns, reference="x")
    with pytest.raises(InputError, match="patterns: got"):
        apa.agreement_bootstrap(None)
    few = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=5)))
    with pytest.warns(SmallSampleWarning, match="5 subjects"):
        apa.agreement_bootstrap(few, n_resamples=50, rng=1)
