from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DesignError, InputError


@pytest.fixture(scope="module")
def scores():
    return apa.simulate(
        n_subject=7, n_model=4, n_layer=3, rois=["V1", "V2", "V3", "V4", "V8", "MT"],
        metrics=("rsa", "linear_predictivity"), rng=3,
    ).scores  # fmt: skip


@pytest.fixture(scope="module")
def found(scores):
    return apa.agreement_sensitivity(scores, on="train", rng=1)


def test_every_choice_is_varied(found):
    names = found.table.groupby("what", sort=False)["analysis"].unique()
    assert list(names.index) == [
        "baseline", "metric", "similarity", "self_entry", "scale", "reference", "brain", "selection",
        "partners", "subjects",
    ]  # fmt: skip
    assert list(names["partners"]) == ["1 per subject", "2 per subject", "3 per subject"]
    assert len(names["subjects"]) == 7
    assert list(names["scale"]) == ["ceiling", "double_centred"]
    assert found.notes == ()


def value(found, what, analysis, term):
    t = found.table
    return t[(t["what"] == what) & (t["analysis"] == analysis) & (t["term"] == term)].iloc[0]


def test_terms_by_hand(scores, found):
    rows = scores.where(metric="rsa")
    best = apa.select_layer(rows, on="train")
    test = rows.where(split="test")
    agreement = apa.pattern_agreement(apa.alignment_patterns(test, self_entry="out"))
    f = apa.selected_rows(agreement, best).frame
    mean = f.pivot_table(index="model", columns="roi", values="agreement")
    models = mean.drop("brain")
    row = value(found, "self_entry", "out", "brain")
    assert row["estimate"] == pytest.approx(mean.loc["brain"].mean(), abs=1e-12)
    assert row["change"] == pytest.approx(row["estimate"] - row["baseline"])
    row = value(found, "self_entry", "out", "best_model")
    assert row["estimate"] == pytest.approx(models.mean(axis=1).max(), abs=1e-12)
    assert row["label"] == models.mean(axis=1).idxmax()
    row = value(found, "self_entry", "out", "gap")
    assert row["estimate"] == pytest.approx((mean.loc["brain"] - models.max()).mean(), abs=1e-12)
    below = 0
    for roi in models.columns:
        part = f[f["roi"] == roi]
        wide = part.pivot(index="subject", columns="model", values="agreement_person")
        tests = [
            stats.ttest_rel(wide["brain"], wide[m], alternative="greater").pvalue
            for m in models.index
        ]
        below += max(tests) <= 0.05
    assert value(found, "self_entry", "out", "n_roi_below")["estimate"] == below


def test_layers_chosen_on_agreement_in_the_train_split(scores, found):
    rows = scores.where(metric="rsa")
    agreement = apa.pattern_agreement(apa.alignment_patterns(rows))
    f = apa.select_layer(agreement, on="train", outcome="agreement").frame
    assert set(f["split"]) == {"test"}
    mean = f.pivot_table(index="model", columns="roi", values="agreement")
    gap = (mean.loc["brain"] - mean.drop("brain").max()).mean()
    row = value(found, "selection", "layers chosen on agreement", "gap")
    assert row["estimate"] == pytest.approx(gap, abs=1e-12)


def test_leaving_out_a_subject_is_the_smaller_table(scores, found):
    f = scores.frame
    part = scores.with_frame(f[(f["subject"] != "sub-03") & (f["model"] != "sub-03")])
    alone = apa.agreement_sensitivity(part, on="train", vary=[])
    row = value(found, "subjects", "without sub-03", "gap")
    assert row["estimate"] == pytest.approx(
        value(alone, "baseline", alone.info["baseline"], "gap")["estimate"]
    )


def test_partners_are_drawn_reproducibly(scores):
    a, b = (
        apa.agreement_sensitivity(scores, on="train", vary="partners", rng=5).table for _ in "ab"
    )
    assert a.equals(b)
    changed = a[a["what"] == "partners"]
    assert (changed["change"].abs() > 0).any()


def test_what_the_data_do_not_allow_is_said():
    study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rois=["V1", "V2", "V3", "V4"], rng=1)
    frame = study.scores.frame.copy()
    own = (frame["layer"] == frame["roi"]) & (frame["subject"] == "sub-02") & (frame["roi"] == "V2")
    frame.loc[own, "score"] = -0.1
    found = apa.agreement_sensitivity(study.scores.with_frame(frame), on="train", vary=["scale"])
    assert len(found.notes) == 1
    assert found.notes[0].startswith("scale ceiling: left out, because")
    assert set(found.table["analysis"]) >= {"double_centred"}


def test_decisions_and_plot(found):
    decisions = found.decisions()
    assert set(decisions["roi"]) == {"V1", "V2", "V3", "V4", "V8", "MT"}
    n = decisions.groupby("analysis")["decision"].apply(
        lambda d: (d == "every model below the brain").sum()
    )
    assert (
        n["similarity: cosine"] == value(found, "similarity", "cosine", "n_roi_below")["estimate"]
    )
    assert len(found.plot().collections) > 0
    assert found.plot(term="gap") is not None
    with pytest.raises(InputError, match="term: got 'x'"):
        found.plot(term="x")


def test_save_and_load(found, tmp_path):
    found.save(tmp_path / "s")
    again = apa.load_result(tmp_path / "s")
    assert again.decisions().equals(found.decisions())


def test_bad_input(scores):
    with pytest.raises(InputError, match="vary: got 'rois'"):
        apa.agreement_sensitivity(scores, on="train", vary=["rois"])
    with pytest.raises(InputError, match="alpha: got 2"):
        apa.agreement_sensitivity(scores, on="train", alpha=2)
    with pytest.raises(InputError, match="metric: got 'cka'"):
        apa.agreement_sensitivity(scores, on="train", metric="cka")
    with pytest.raises(InputError, match="table: got"):
        apa.agreement_sensitivity(scores.frame["score"].to_numpy())
    with pytest.raises(DesignError, match="model rows and brain rows"):
        apa.agreement_sensitivity(scores.where(kind="model"))


def test_measures_are_varied_as_metrics() -> None:
    rng = np.random.default_rng(4)
    rois = ["V1", "V2", "V4"]
    common = {r: rng.standard_normal((20, 6)) for r in rois}
    brain = {(s, r): common[r] + 0.5 * rng.standard_normal((20, 6)) for s in "abcd" for r in rois}
    models = {("m", "1"): common["V1"] @ rng.standard_normal((6, 5)), ("k", "1"): common["V4"]}
    table = apa.score_patterns(brain, models, measure=["cka-debiased", "procrustes", "mutual-knn"])
    found, same = (
        apa.agreement_sensitivity(table, metric="cka-debiased", vary=[what]).table
        for what in ("measure", "metric")
    )
    pd.testing.assert_frame_equal(found, same)
    rows = found[found["what"] == "metric"]
    assert rows["analysis"].unique().tolist() == ["procrustes", "mutual-knn"]
    alone = apa.agreement_sensitivity(table, metric="procrustes", vary="self_entry").table
    of_it = rows[rows["analysis"] == "procrustes"].set_index("term")["estimate"]
    kept = ["brain", "best_model", "gap"]
    alone = alone[alone["what"] == "baseline"].set_index("term")["estimate"]
    np.testing.assert_allclose(of_it[kept], alone[kept])


def test_numbers_of_rois_are_whole_in_the_text(found):
    counts = re.findall(
        r"number of ROIs where[^.]*? (?:was|against) ([0-9.]+?)(?=[,.]? )", found.text()
    )
    assert len(counts) >= 4
    assert all("." not in c for c in counts)
