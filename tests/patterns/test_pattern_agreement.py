from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError
from tests.calibration.agreements import simulate
from tests.patterns.naive import Pairs, mean_pattern, similar


def by_roi(table):
    f = table.frame
    return (
        f[f["model"] == "brain"].groupby("roi", sort=False)["agreement"].mean().round(3).to_dict()
    )


def test_castaldi_pairs(castaldi):
    found = by_roi(apa.pattern_agreement(apa.alignment_patterns(castaldi)))
    assert {r: found[r] for r in ("V1", "V2", "V3")} == {"V1": 0.519, "V2": 0.572, "V3": 0.542}


def test_castaldi_leave_one_out(castaldi):
    only = castaldi.where(kind="leave_one_out")
    table = apa.pattern_agreement(apa.alignment_patterns(only))
    found = by_roi(table)
    assert {r: found[r] for r in ("V1", "V2", "V3")} == {"V1": 0.752, "V2": 0.779, "V3": 0.811}
    assert round(table.frame["agreement"].mean(), 3) == 0.574
    # the same rows are reached from a table that holds both kinds
    both = apa.pattern_agreement(apa.alignment_patterns(castaldi), brain="leave_one_out")
    pd.testing.assert_frame_equal(both.frame, table.frame)
    assert any("share predicting subjects" in line for line in table.log)


@pytest.mark.filterwarnings("ignore::apastats.errors.DegenerateWarning")
@pytest.mark.parametrize("similarity", ["pearson", "spearman", "cosine", "concordance", "nrmse"])
@pytest.mark.parametrize("self_entry", ["in", "out"])
@pytest.mark.parametrize("missing", [0.0, 0.12])
def test_naive_pairs(make_frame, similarity, self_entry, missing):
    frame = make_frame(n_subject=6, n_roi=6, missing=missing, rng=3)
    naive = Pairs(frame, similarity, self_entry)
    patterns = apa.alignment_patterns(apa.ScoreTable(frame), self_entry=self_entry)
    for reference in ("leave_one_out", "released", "matched"):
        table = apa.pattern_agreement(patterns, reference=reference, similarity=similarity)
        for row in table.frame.itertuples():
            if row.model == "brain":
                want = naive.brain(row.roi, row.subject, reference)
            else:
                want = naive.model(row.model, row.layer, row.roi, row.subject, reference)
            assert row.agreement == pytest.approx(want, abs=1e-12, rel=1e-12, nan_ok=True)
        assert len(table) == 6 * 6 * 4 or missing


@pytest.mark.filterwarnings("ignore::apastats.errors.DegenerateWarning")
@pytest.mark.parametrize("self_entry", ["in", "out"])
def test_naive_leave_one_out(make_frame, self_entry):
    frame = make_frame(missing=0.08, rng=5)
    frame = frame[frame["kind"] != "subject_to_subject"]
    rois, subjects = [f"R{i}" for i in range(5)], [f"s{i}" for i in range(5)]
    lookup = frame.set_index(["model", "layer", "subject", "roi"])["score"].to_dict()

    def own(model, layer, s):
        p = np.array([lookup.get((model, layer, s, r), np.nan) for r in rois])
        if model == "others" and self_entry == "out":
            p[rois.index(layer)] = np.nan
        return p

    patterns = apa.alignment_patterns(apa.ScoreTable(frame), self_entry=self_entry)
    for row in apa.pattern_agreement(patterns).frame.itertuples():
        reference = mean_pattern([own("others", row.roi, s) for s in subjects if s != row.subject])
        mine = ("others", row.roi) if row.model == "brain" else (row.model, row.layer)
        want = similar(own(*mine, row.subject), reference)
        assert row.agreement == pytest.approx(want, abs=1e-12, rel=1e-12, nan_ok=True)
        assert row.z == pytest.approx(np.arctanh(want), abs=1e-9, nan_ok=True)


def test_released_with_leave_one_out_rows_compares_with_the_own_pattern(make_frame):
    frame = make_frame()
    frame = frame[frame["kind"] != "subject_to_subject"]
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    table = apa.pattern_agreement(patterns, reference="released")
    a = patterns.arrays
    row = table.frame.iloc[0]
    s, r = list(a["subjects"]).index(row.subject), list(a["rois"]).index(row.roi)
    want = similar(a["model"][0, s, 0], a["leave_one_out"][0, s, r])
    assert row.agreement == pytest.approx(want, abs=1e-14)


@pytest.mark.parametrize("reference", ["leave_one_out", "released", "matched"])
@pytest.mark.parametrize("similarity", ["pearson", "nrmse"])
def test_person_values_are_the_jackknife(make_frame, reference, similarity):
    """From the rows without each person, in all roles: mean and standard error."""
    frame = make_frame(n_subject=7, n_partner=4, rng=2)
    options = {"reference": reference, "similarity": similarity}

    def agreement(part):
        patterns = apa.alignment_patterns(apa.ScoreTable(part))
        return apa.pattern_agreement(patterns, **options)

    table = agreement(frame)
    keys = ["model", "layer", "roi"]
    names = ["agreement", "z"] if similarity == "pearson" else ["agreement"]
    assert table.outcomes == (*names, *(f"{k}_person" for k in names))
    subjects = table.levels("subject")
    left = [
        agreement(frame[(frame["subject"] != s) & (frame["model"] != s)]).frame for s in subjects
    ]
    for name in names:
        whole = table.frame.groupby(keys)[name].mean()
        stack = pd.concat([f.groupby(keys)[name].mean() for f in left], axis=1)
        person = table.frame.pivot(index=keys, columns="subject", values=f"{name}_person")
        np.testing.assert_allclose(person.mean(axis=1), whole.loc[person.index], atol=1e-12)
        for i, s in enumerate(subjects):
            want = whole + 6 * (stack.mean(axis=1) - stack.iloc[:, i])
            np.testing.assert_allclose(person[s], want.loc[person.index], atol=1e-11)
    if similarity == "pearson":
        boot = apa.agreement_bootstrap(
            apa.alignment_patterns(apa.ScoreTable(frame)), n_resamples=20, rng=1, **options
        ).table
        boot = boot[boot["term"] == "agreement"].set_index(keys)["std_error"]
        person = table.frame.pivot(index=keys, columns="subject", values="agreement_person")
        np.testing.assert_allclose(person.sem(axis=1), boot.loc[person.index], atol=1e-12)


@pytest.mark.parametrize("outcome", ["agreement", "z"])
def test_person_values_keep_the_mean_where_layers_differ_by_subject(make_frame, outcome):
    table = apa.ScoreTable(make_frame(n_subject=6, n_predictor=6, rng=2))
    best = apa.select_layer(table, on="cross_subject")
    assert best.frame.groupby(["model", "roi"])["layer"].nunique().max() > 1
    agreement = apa.pattern_agreement(apa.alignment_patterns(table))
    for rows in (
        apa.selected_rows(agreement, best),
        apa.select_layer(agreement, on="cross_subject", outcome="agreement"),
    ):
        means = rows.frame.groupby(["model", "roi"])[[outcome, f"{outcome}_person"]].mean()
        np.testing.assert_allclose(means.iloc[:, 0], means.iloc[:, 1], atol=1e-12)


def test_matched_z_is_a_mean_of_transforms(make_frame):
    """Partner by partner, for the brain and for models: one pattern on both sides."""
    frame = make_frame(n_subject=5, n_partner=4, rng=3)
    naive = Pairs(frame)
    table = apa.pattern_agreement(
        apa.alignment_patterns(apa.ScoreTable(frame)), reference="matched"
    )
    for row in table.frame.itertuples():
        each = []
        for p in naive.partners(row.subject):
            reference = naive.reference(row.roi, row.subject, p)
            brain = row.model == "brain"
            key = (row.subject, p, row.roi) if brain else (row.model, row.layer, row.subject)
            each.append(similar((naive.pairs if brain else naive.models)[key], reference))
        assert row.agreement == pytest.approx(np.mean(each), abs=1e-12)
        assert row.z == pytest.approx(np.mean(np.arctanh(each)), abs=1e-9)


def test_a_further_brain_as_a_model_is_where_the_brain_is():
    """Two exchangeable people, one of them entered as a model: the same value, in the mean over both."""
    found = simulate(8, 40, seed=5)
    gap = (found["further_z"] - found["brain_z"]).mean(axis=(1, 2))
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    assert abs(gap.mean()) < 3 * error
    assert error < 0.02  # the artanh of a mean over partners lay .08 lower


def test_no_person_values_where_one_less_is_too_few(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=4, n_partner=3)))
    assert apa.pattern_agreement(patterns, reference="matched").outcomes == ("agreement", "z")
    assert "z_person" in apa.pattern_agreement(patterns).outcomes


def test_rows_and_columns(make_frame):
    frame = make_frame(splits=("train", "test")).assign(metric="rsa")
    frame["stream"] = np.where(frame["roi"] < "R3", "early", "late")
    table = apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(frame)))
    assert table.outcomes == ("agreement", "z", "agreement_person", "z_person")
    assert set(table.levels("kind")) == {"model", "subject_to_subject"}
    brain = table.frame[table.frame["model"] == "brain"]
    assert set(brain["layer"]) == {"-"}
    assert len(brain) == 2 * 5 * 5
    assert len(table) == 2 * 5 * 5 * 4
    assert set(zip(table.frame["roi"], table.frame["stream"], strict=True)) >= {
        ("R0", "early"),
        ("R4", "late"),
    }
    best = apa.select_layer(table, on="train", outcome="agreement")
    block = best.block("z ~ model | roi")
    assert block.groups["model"].tolist() == ["m0", "m1", "brain"]
    assert block.mask.all()


def test_two_cells_are_independent(make_frame):
    frame = make_frame(splits=("train", "test"))
    both = apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(frame)))
    one = apa.pattern_agreement(
        apa.alignment_patterns(apa.ScoreTable(frame[frame["split"] == "test"]))
    )
    pd.testing.assert_frame_equal(both.where(split="test").frame, one.frame)


def test_missing_roi_is_left_out_pairwise(make_frame):
    frame = make_frame(rng=2)
    gone = (frame["subject"] == "s1") & (frame["roi"] == "R2")
    naive = Pairs(frame[~gone])
    table = apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(frame[~gone])))
    row = table.where(subject="s1", roi="R2", model="m0", layer="l0").frame.iloc[0]
    assert row.agreement == pytest.approx(naive.model("m0", "l0", "R2", "s1"), abs=1e-12)


def test_undefined_agreement_warns(make_frame):
    frame = make_frame(n_roi=4)
    frame.loc[
        (frame["model"] == "m0") & (frame["roi"] != "R0") & (frame["subject"] == "s0"), "score"
    ] = np.nan
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    with pytest.warns(DegenerateWarning, match="8 of 80 agreements are not defined"):
        table = apa.pattern_agreement(patterns)
    assert table.n_missing == 8


def test_bad_input(make_frame):
    frame = make_frame()
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    with pytest.raises(InputError, match="reference: got 'nearest'"):
        apa.pattern_agreement(patterns, reference="nearest")
    with pytest.raises(InputError, match="similarity: got 'kendall'"):
        apa.pattern_agreement(patterns, similarity="kendall")
    with pytest.raises(InputError, match="patterns: got a DataFrame"):
        apa.pattern_agreement(frame)
    models = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] == "model"]))
    with pytest.raises(DesignError, match="needs brain rows"):
        apa.pattern_agreement(models)
    pairs = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] != "leave_one_out"]))
    with pytest.raises(InputError, match="brain: got 'leave_one_out'"):
        apa.pattern_agreement(pairs, brain="leave_one_out")
    few = frame[frame["subject"].isin(["s0", "s1"]) & ~frame["model"].isin(["s2", "s3", "s4"])]
    with pytest.raises(DesignError, match="2 subjects"):
        apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(few)))
