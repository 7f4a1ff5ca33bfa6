from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DataError, InputError, MarginError

ROIS = ["V1", "V2", "V3", "V4"]


@pytest.fixture(scope="module")
def study():
    return apa.simulate(n_subject=10, n_model=6, n_tied=2, gap=0.3, rois=ROIS, rng=2)


@pytest.fixture(scope="module")
def tables(study):
    best = apa.select_layer(study.scores)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    return best, apa.selected_rows(apa.pattern_agreement(patterns), best)


def test_both_criteria_as_tested_alone(tables):
    best, agreement = tables
    strict = apa.strict_alignment(
        best, agreement, score_bounds=0.05, agreement_bounds=0.8, agreement_reference="best"
    )
    models = agreement.with_frame(agreement.frame[agreement.frame["model"] != "brain"])
    options = {"reference": "best", "hypothesis": "noninferiority"}
    keys = ["model", "roi", "metric"]
    for name, table, outcome, bounds in (
        ("score", best, "score", 0.05),
        ("agreement", models, "z_person", 0.8),
    ):
        alone = apa.equivalence(
            f"{outcome} ~ model | roi + metric", table, bounds=bounds, **options
        ).table
        both = strict.table.merge(alone, on=keys)
        assert len(both) == len(alone) == 5 * 4
        np.testing.assert_allclose(both[f"p_value_{name}"], both["p_value_noninf_adjusted"])
        inside = both[f"in_{name}"] == "in"
        assert (inside == (both["p_value_noninf_adjusted"] <= 0.05)).all()
    p = strict.table[["p_value_score", "p_value_agreement"]].max(axis=1)
    np.testing.assert_array_equal(strict.table["p_value"], p)
    assert ((strict.table["decision"] == "aligned") == (p <= 0.05)).all()


def test_the_highest_mean_is_tested_like_every_other_model(tables):
    best, _ = tables
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    top = strict.table[strict.table["estimate_score"] == 0]
    assert len(top) == 4
    assert (top["p_value_score"] > 0).all()
    # intersection-union over the others, with the pooled variance that equivalence has too
    for row in strict.table.itertuples():
        wide = best.frame[best.frame["roi"] == row.roi].pivot(
            index="subject", columns="model", values="score"
        )
        largest = max(
            stats.ttest_1samp(wide[row.model] - wide[o] + 0.05, 0, alternative="greater").pvalue
            for o in wide
            if o != row.model
        )
        if row.in_score == "in":
            assert largest < 0.05


@pytest.mark.parametrize("n_model", [2, 5])
@pytest.mark.parametrize("method", ["tost", "mcb"])
def test_a_model_at_the_margin_is_rarely_aligned(n_model, method, long):
    """The margin is one standard error of a difference: the model at it is often the highest of its cell."""
    n, cells = 8, 3_000 if long else 600
    rng = np.random.default_rng(n_model)
    margin = np.sqrt(2 / n)
    x = rng.normal(size=(cells, n, n_model))
    x[..., 1:] -= margin
    index = pd.MultiIndex.from_product(
        [[f"R{i}" for i in range(cells)], [f"s{i}" for i in range(n)], [f"m{i}" for i in range(n_model)]],
        names=["roi", "subject", "model"],
    )  # fmt: skip
    frame = pd.DataFrame({"score": x.ravel()}, index=index).reset_index()
    frame = frame.assign(layer="a", metric="m", split="test", kind="model")
    strict = apa.strict_alignment(
        apa.ScoreTable(frame), apa.ScoreTable(frame.assign(z=0.0 + frame["score"]), outcomes=("z",)),
        score_bounds=margin, agreement_bounds=50.0, agreement_reference="best", adjust="none",
        method=method,
    )  # fmt: skip
    found = strict.table[strict.table["model"] != "m0"]
    rate = (found["decision"] == "aligned").mean()
    # by definition it would be in wherever its mean is the highest
    assert (x.mean(axis=1).argmax(axis=1) > 0).mean() > 0.14
    assert rate < 0.05 + 3 * np.sqrt(0.05 * 0.95 / cells)


def test_counts_shrink_and_intervals_hold_the_count(tables):
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    counts = strict.counts().pivot(index="roi", columns="criterion")
    for column in ("estimate", "conf_low", "conf_high"):
        assert (counts[column]["both"] <= counts[column]["score"]).all()
        assert (counts[column]["both"] <= counts[column]["agreement"]).all()
    assert (counts["conf_low"] <= counts["conf_high"]).all().all()
    assert (counts["n_model"] == 6).all().all()


def test_true_equals_are_found(study, tables):
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    decisions = strict.table.pivot(index="model", columns="roi", values="in_score")
    assert (decisions.loc[["model_01", "model_02"]] == "in").all().all()
    assert (decisions.loc["model_06"] == "out").all()


def test_by_comparison_with_the_best(tables):
    best, agreement = tables
    strict = apa.strict_alignment(
        best, agreement, score_bounds=0.05, agreement_bounds=0.8, method="mcb"
    )
    assert strict.table["p_value"].isna().all()
    alone = apa.equivalence_set(
        "score ~ model | roi + metric", best, bounds=0.05, family="all"
    ).table
    both = strict.table.merge(alone, on=["model", "roi", "metric"])
    assert len(both) == len(alone) == 24
    assert ((both["in_score"] == "in") == (both["decision_y"] == "equivalent to the best")).all()
    assert ((both["in_score"] == "out") == (both["decision_y"] == "worse than the margin")).all()
    counts = strict.counts()
    assert (counts["conf_low"] <= counts["conf_high"]).all()
    with pytest.raises(InputError, match="method: got 'x'"):
        apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.8, method="x")


def test_against_the_brain(tables):
    strict = apa.strict_alignment(
        *tables,
        score_bounds=0.05,
        agreement_bounds=0.5,
        hypothesis="equivalence",
    )
    assert "brain" not in set(strict.table["model"])
    assert len(strict.table) == 6 * 4
    assert strict.info["agreement_reference"] == "brain"


def test_bad_input(tables):
    best, agreement = tables
    with pytest.raises(MarginError):
        apa.strict_alignment(best, agreement, score_bounds=0.05)
    with pytest.raises(MarginError):
        apa.strict_alignment(best, agreement, agreement_bounds=0.05)
    margins = {"score_bounds": 0.05, "agreement_bounds": 0.5}
    with pytest.raises(InputError, match="hypothesis: got 'superiority'"):
        apa.strict_alignment(best, agreement, hypothesis="superiority", **margins)
    with pytest.raises(InputError, match="agreement_reference: got 'V1'"):
        apa.strict_alignment(best, agreement, agreement_reference="V1", **margins)
    with pytest.raises(InputError, match="got 3"):
        apa.strict_alignment(3, agreement, **margins)
    # a frame stands for its table
    plain = apa.strict_alignment(best.frame, agreement, **margins).table
    pd.testing.assert_frame_equal(plain, apa.strict_alignment(best, agreement, **margins).table)
    other = agreement.with_frame(agreement.frame.replace({"roi": {r: r + "x" for r in ROIS}}))
    with pytest.raises(DataError, match="no model and cell in common"):
        apa.strict_alignment(best, other, **margins)


def test_people_as_the_reference(study, tables):
    best, agreement = tables
    test = apa.brain_test(
        study.scores.where(split="test"), margin={"score": 0.1, "agreement": 2.0}, outcome="both",
        selection=best, n_resamples=199,
    )  # fmt: skip
    strict = apa.strict_alignment(best, agreement, people=test)
    good = test.table.assign(
        good=test.table["as_good"].isin(["within the margin", "not worse by the margin"]),
        bad=test.table["as_good"] == "worse by more than the margin",
    )
    keys = ["model", "roi"]
    every = good.groupby(keys)["good"].all()
    failed = good.groupby(keys)["bad"].any()
    table = strict.table.set_index(keys)
    assert len(table) == 24
    assert ((table["decision"] == "aligned") == every[table.index]).all()
    assert ((table["decision"] == "not aligned") == (failed & ~every)[table.index]).all()
    assert 0 < every.sum() < 24
    assert failed.any()
    assert strict.info.margin == test.info.margin
    assert "minus that of a person" in strict.text()
    with pytest.raises(InputError, match="None with people"):
        apa.strict_alignment(best, agreement, people=test, score_bounds=0.1)
    alone = apa.brain_test(study.scores.where(split="test"), margin=0.1, selection=best)
    with pytest.raises(InputError, match="outcome='both' and over='roi'"):
        apa.strict_alignment(best, agreement, people=alone)
