from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError, MarginError
from apastats.io.load_result import load_result


def make_table(
    n: int = 8, models: int = 4, rois: int = 3, seed: int = 0, sd: float = 0.02
) -> apa.ScoreTable:
    rng = np.random.default_rng(seed)
    subject = rng.normal(0, 0.1, (n, 1, 1))
    score = 0.3 + subject + 0.02 * np.arange(models)[:, None] + rng.normal(0, sd, (n, models, rois))
    index = pd.MultiIndex.from_product(
        [
            [f"s{i}" for i in range(n)],
            [f"m{i}" for i in range(models)],
            [f"r{i}" for i in range(rois)],
        ],
        names=["subject", "model", "roi"],
    )
    return apa.ScoreTable(pd.DataFrame({"score": score.ravel()}, index=index).reset_index())


def wide(table: apa.ScoreTable, roi: str) -> pd.DataFrame:
    f = table.frame
    return f[f["roi"] == roi].pivot(index="subject", columns="model", values="score")


def test_all_pairs_agree_with_scipy():
    table = make_table()
    found = apa.equivalence("score ~ model | roi", table, bounds=0.03, adjust="none").tidy()
    assert len(found) == 6 * 3
    for row in found.itertuples():
        w = wide(table, row.roi)
        d = w[row.model] - w[row.reference]
        assert row.contrast == f"{row.model} - {row.reference}"
        two = stats.ttest_1samp(d, 0)
        low = stats.ttest_1samp(d, -0.03, alternative="greater")
        high = stats.ttest_1samp(d, 0.03, alternative="less")
        ci = two.confidence_interval(0.9)
        ours = [row.estimate, row.statistic, row.p_value, row.p_value_noninf, row.p_value_nonsup]
        theirs = [d.mean(), two.statistic, two.pvalue, low.pvalue, high.pvalue]
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose([row.conf_low, row.conf_high], [ci.low, ci.high], rtol=1e-11)
        assert row.p_value_equiv == max(row.p_value_noninf, row.p_value_nonsup)
        assert (row.df, row.n_subject) == (7, 8)


def test_decisions_are_the_four_outcomes():
    table = make_table(models=8, sd=0.015)
    found = apa.equivalence("score ~ model | roi", table, bounds=0.05, adjust="holm").tidy()
    different = found["p_value_adjusted"] <= 0.05
    inside = found["p_value_equiv_adjusted"] <= 0.05
    expected = np.select(
        [different & inside, different, inside],
        ["different but inside the margin", "different", "equivalent"],
        "undecided",
    )
    assert (found["decision"] == expected).all()
    assert found["decision"].nunique() >= 3


def test_named_reference():
    found = apa.equivalence("score ~ model | roi", make_table(), bounds=0.03, reference="m2").tidy()
    assert set(found["reference"]) == {"m2"}
    assert set(found["model"]) == {"m0", "m1", "m3"}


def test_best_is_tested_against_every_other():
    table = make_table()
    best = apa.equivalence(
        "score ~ model | roi",
        table,
        bounds=0.03,
        reference="best",
        family="cell",
        variance="separate",
    )
    for roi, rows in best.tidy().groupby("roi"):
        scores = wide(table, str(roi))
        top = scores.mean().idxmax()
        assert set(rows["reference"]) == {top}
        assert (rows["estimate"] <= 0).all()
        # the largest p over the others, Holm over the models of the cell
        p = {
            m: max(
                stats.ttest_1samp(scores[m] - scores[o] + 0.03, 0, alternative="greater").pvalue
                for o in scores
                if o != m
            )
            for m in scores
        }
        adjusted = dict(zip(p, apa.adjust_p(list(p.values()), "holm"), strict=True))
        for row in rows.itertuples():
            assert row.p_value_equiv_adjusted == pytest.approx(adjusted[row.model])
            plain = stats.ttest_rel(scores[row.model], scores[row.reference])
            assert row.p_value == pytest.approx(plain.pvalue)
    assert "selected on the same data" in best.info["comparison"]
    assert best.info["family_size"] == 4


def test_joint_adjustments_take_all_pairs_for_the_best():
    found = apa.equivalence(
        "score ~ model | roi",
        make_table(),
        bounds=0.03,
        reference="best",
        family="cell",
        adjust="max-t",
    )
    assert found.info["family_size"] == 6


def test_pooling_belongs_to_t_tests_against_the_best():
    for change in (
        {"test": "wilcoxon", "reference": "best"},
        {"reference": "m2"},
        {"adjust": "max-t", "reference": "best"},
    ):
        with pytest.raises(InputError, match="variance"):
            apa.equivalence(
                "score ~ model | roi", make_table(), bounds=0.03, variance="pooled", **change
            )


def test_missing_scores_leave_their_pairs_only():
    table = make_table()
    frame = table.frame.copy()
    frame.loc[
        (frame["subject"] == "s0") & (frame["model"] == "m0") & (frame["roi"] == "r0"), "score"
    ] = np.nan
    found = apa.equivalence("score ~ model | roi", table.with_frame(frame), bounds=0.03).tidy()
    touched = (found["roi"] == "r0") & ((found["model"] == "m0") | (found["reference"] == "m0"))
    assert set(found.loc[touched, "n_subject"]) == {7}
    assert set(found.loc[~touched, "n_subject"]) == {8}


def test_undefined_contrast_warns_and_is_undecided():
    table = make_table()
    frame = table.frame.copy()
    twin = frame[frame["model"] == "m0"].assign(model="twin")
    both = table.with_frame(pd.concat([frame, twin], ignore_index=True))
    with pytest.warns(DegenerateWarning, match="m0 - twin"):
        found = apa.equivalence("score ~ model | roi", both, bounds=0.03)
    rows = found.tidy().query("contrast == 'm0 - twin'")
    assert rows["p_value_equiv"].isna().all()
    assert set(rows["decision"]) == {"undecided"}
    assert found.notes


def test_within_averages_inside_a_subject():
    table = make_table()
    found = apa.equivalence("score ~ model", table, bounds=0.03, within="roi", adjust="none").tidy()
    mean = table.frame.groupby(["subject", "model"])["score"].mean().unstack()
    row = found[found["contrast"] == "m0 - m3"].iloc[0]
    assert row["estimate"] == pytest.approx((mean["m0"] - mean["m3"]).mean())
    assert row["statistic"] == pytest.approx(stats.ttest_rel(mean["m0"], mean["m3"]).statistic)


def test_ceiling_margin_carries_its_uncertainty():
    study = apa.simulate(n_subject=8, n_model=3, rois=["V1", "V2", "V4"], rng=3)
    best = study.scores.where(kind="model", layer="layer_01", split="test")
    ceiling = apa.noise_ceiling(study.scores, by=["roi"])
    found = apa.equivalence(
        "score ~ model | roi", best, bounds=apa.margin(0.2, of=ceiling), adjust="none"
    )
    row = found.tidy().iloc[0]
    # every person's share in the ceiling, in all roles: people are in one another's pools
    at = int(np.flatnonzero((ceiling.table["roi"] == row["roi"]).to_numpy())[0])
    order = np.argsort(ceiling.arrays["subjects"])
    c = np.asarray(ceiling.arrays["person"])[order, at]
    d = found.arrays["differences"][:, 0]
    assert row["bound_high"] == pytest.approx(0.2 * c.mean())
    below = stats.ttest_1samp(d - 0.2 * c, 0, alternative="less")
    above = stats.ttest_1samp(d + 0.2 * c, 0, alternative="greater")
    assert row["p_value_nonsup"] == pytest.approx(below.pvalue)
    assert row["p_value_noninf"] == pytest.approx(above.pvalue)
    assert found.info["margin_origin"] == "ceiling"
    assert "leave-one-out" in found.info.margin.size


def test_saved_and_read_back(tmp_path):
    found = apa.equivalence("score ~ model | roi", make_table(), bounds=0.03)
    again = load_result(found.save(tmp_path / "eq"))
    assert again.kind == "equivalence"
    pd.testing.assert_frame_equal(again.tidy(), found.tidy(), check_dtype=False)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"bounds": None}, MarginError, "no default margin"),
        ({"bounds": -0.1}, MarginError, "bounds: got -0.1"),
        ({"bounds": 0}, MarginError, "a positive number"),
        ({"bounds": (0.1, -0.1)}, MarginError, "lower one first"),
        ({"bounds": "big"}, MarginError, "bounds: got 'big'"),
        ({"bounds": np.nan}, MarginError, "a positive number"),
        ({"reference": "nobody"}, InputError, "reference: got 'nobody'"),
        ({"test": "magic"}, InputError, "test: got 'magic'"),
        ({"adjust": "magic"}, InputError, "adjust: got 'magic'"),
        ({"family": "magic"}, InputError, "family: got 'magic'"),
        ({"hypothesis": "magic"}, InputError, "hypothesis: got 'magic'"),
        ({"alpha": 0.7}, InputError, "alpha: got 0.7"),
        ({"within": "model"}, InputError, "within: got 'model'"),
        ({"data": "scores"}, InputError, "a ScoreTable"),
        ({"bounds": apa.margin(0.1, of=("m0", "nobody"))}, InputError, "of: got 'nobody'"),
    ],
)
def test_bad_input(change, error, match):
    arguments = {"data": make_table(), "bounds": 0.03} | change
    with pytest.raises(error, match=match):
        apa.equivalence("score ~ model | roi", **arguments)


def test_one_model_and_one_subject():
    table = make_table()
    with pytest.raises(DesignError, match="at least 2 are needed"):
        apa.equivalence("score ~ model | roi", table.where(model="m0"), bounds=0.03)
    with pytest.raises(DesignError, match="1 subject; at least 2"):
        apa.equivalence("score ~ model | roi", table.where(subject="s0"), bounds=0.03)


@pytest.mark.parametrize(
    "test", ["t", "trimmed", "wilcoxon", "bootstrap", "sign_flip", "permutation", "log_ratio"]
)
def test_every_test_agrees_with_the_one_on_arrays(test):
    table = make_table(models=3, rois=2)
    bounds = 1.2 if test == "log_ratio" else 0.04
    found = apa.equivalence("score ~ model | roi", table, bounds=bounds, test=test, rng=1).tidy()
    for row in found.iloc[[0, 4]].itertuples():
        w = wide(table, row.roi)
        single = (
            apa.tost(w[row.model], w[row.reference], bounds=bounds, test=test, rng=1).tidy().iloc[0]
        )
        for column in (
            "estimate",
            "p_value",
            "p_value_equiv",
            "p_value_noninf",
            "conf_low",
            "bound_high",
        ):
            assert getattr(row, column) == pytest.approx(single[column], abs=1e-12), column


def test_joint_intervals_and_their_words():
    table = make_table()
    for adjust, word in (("holm", "Bonferroni"), ("tukey", "Tukey"), ("max-t", "max-t")):
        found = apa.equivalence("score ~ model | roi", table, bounds=0.03, adjust=adjust)
        assert word in found.info.joint
        t = found.tidy()
        assert (t["conf_low_joint"] < t["conf_low"]).all()
        assert (t["conf_high_joint"] > t["conf_high"]).all()


def test_few_subjects_are_noted():
    found = apa.equivalence("score ~ model | roi", make_table(n=5), bounds=0.03, test="sign_flip")
    assert "smallest one-sided sign-flip p-value" in found.notes[0]
    assert "no claim is possible" in found.notes[1]
    options = {"bounds": 0.03, "test": "bootstrap", "interval": "percentile"}
    found = apa.equivalence("score ~ model | roi", make_table(), **options)
    assert "expanded percentile interval" in found.notes[0]
    assert "expanded percentile interval" in found.info["method"]
    plain = apa.equivalence("score ~ model | roi", make_table(), small_sample=False, **options)
    assert "liberal" in plain.notes[0]
    small = plain.table["p_value_equiv"] < 0.5
    assert (plain.table["p_value_equiv"] < found.table["p_value_equiv"])[small].all()


def test_missing_scores_with_max_t_and_sign_flips():
    table = make_table()
    frame = table.frame.copy()
    frame.loc[(frame["subject"] == "s0") & (frame["model"] == "m0"), "score"] = np.nan
    holes = table.with_frame(frame)
    for options in (
        {"adjust": "max-t"},
        {"adjust": "max-t-step-down"},
        {"test": "sign_flip"},
        {"test": "wilcoxon"},
    ):
        found = apa.equivalence("score ~ model | roi", holes, bounds=0.05, **options).tidy()
        assert found["p_value_equiv_adjusted"].between(0, 1).all()
        assert set(found["n_subject"]) == {7, 8}


def test_closed_and_hierarchical_adjustments():
    table = make_table(rois=2)
    plain = apa.equivalence("score ~ model | roi", table, bounds=0.05, adjust="none").tidy()
    assert 4 < len(plain) <= 16
    cells = plain["roi"].tolist()
    for column in ("p_value", "p_value_equiv", "p_value_noninf"):
        p = plain[column].to_numpy()
        expected = {
            "closed": apa.closed_p(p, local="simes"),
            "hierarchical": apa.hierarchical_p(p, cells, local="bonferroni"),
        }
        for adjust, wanted in expected.items():
            found = apa.equivalence("score ~ model | roi", table, bounds=0.05, adjust=adjust).tidy()
            assert found[f"{column}_adjusted"].to_numpy() == pytest.approx(wanted, abs=1e-12)
    compared = apa.compare("score ~ model | roi", table, adjust="hierarchical").tidy()
    wanted = apa.hierarchical_p(compared["p_value"], compared["roi"].tolist(), local="bonferroni")
    assert compared["p_value_adjusted"].to_numpy() == pytest.approx(wanted, abs=1e-12)
    within = apa.equivalence(
        "score ~ model | roi", table, bounds=0.05, adjust="closed", family="cell"
    ).tidy()
    for _, rows in within.groupby("roi"):
        wanted = apa.closed_p(rows["p_value_equiv"])
        assert rows["p_value_equiv_adjusted"].to_numpy() == pytest.approx(wanted, abs=1e-12)


def test_hierarchical_needs_the_whole_family():
    with pytest.raises(apa.errors.InputError, match="family='all'"):
        apa.equivalence(
            "score ~ model | roi", make_table(), bounds=0.05, adjust="hierarchical", family="cell"
        )


def test_regions_compared_within_models():
    study = apa.simulate(n_subject=6, n_model=2, n_layer=1, rois=["V1", "V4", "MT"], rng=1)
    table = study.scores.where(kind="model", split="test")
    found = apa.equivalence("score ~ roi | model", table, bounds=0.1)
    rows = found.tidy()
    assert rows.groupby("model").size().to_dict() == {"model_01": 3, "model_02": 3}
    assert set(rows["level"]) | set(rows["reference"]) == {"V1", "V4", "MT"}
    assert "In model_01, V1 - V4 was" in found.text()
    letters = apa.compare("score ~ roi | model", table).letters(model="model_01")
    assert set(letters) == {"V1", "V4", "MT"}
    sets = apa.equivalence_set("score ~ roi | model", table)
    assert set(sets.members(model="model_01")) <= {"V1", "V4", "MT"}
    assert re.search("In model_01, .* cannot be excluded from being best", sets.text())
    assert set(apa.mean_ranks("score ~ roi | model", table).tidy()["level"]) == {"V1", "V4", "MT"}
