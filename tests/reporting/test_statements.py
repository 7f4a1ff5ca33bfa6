"""What is printed beside a number is true of it: sides, nulls, letters, intervals, adjustments."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DegenerateWarning
from apastats.reporting.numbers import APA
from apastats.reporting.phrases import ADJUSTMENTS
from apastats.reporting.tables import table_block

ROIS = ["V1", "V4", "LO1"]


@pytest.fixture(scope="module")
def scores() -> Any:
    found = apa.simulate(n_subject=9, n_model=4, n_layer=1, n_tied=2, rois=ROIS, rng=4).scores
    return found.where(kind="model", split="test")


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(1).normal(size=(2, 12))


FORMULA = "score ~ model | roi"


@pytest.mark.parametrize("adjust", ["none", "holm", "max-t"])
@pytest.mark.parametrize(("side", "words"), [("greater", "above 0"), ("less", "below 0")])
def test_a_one_sided_comparison_says_its_side(
    scores: Any, adjust: str, side: str, words: str
) -> None:
    found = apa.compare(FORMULA, scores, alternative=side, adjust=adjust)
    text = found.text(max_rows=50)
    assert f"one-sided: a difference counts only {words}" in text
    assert text.count("one-sided p ") == len(found.table)
    assert text.count("one-sided CI ") == len(found.table)
    assert ": different" not in text
    shown = int(found.table["different"].sum())
    assert text.count(f": {side} than 0.") == shown
    assert text.count(f"a difference {words} was not shown") == len(found.table) - shown
    open_end = "conf_high" if side == "greater" else "conf_low"
    assert np.isinf(found.table[open_end]).all()
    assert "∞" in text
    assert found.plot().get_xlim()[1] < np.inf


def test_the_interval_of_a_comparison_matches_its_test(scores: Any) -> None:
    for side in ("two-sided", "greater", "less"):
        found = apa.compare(FORMULA, scores, alternative=side, adjust="none", alpha=0.1).table
        outside = (found["conf_low"] > 0) | (found["conf_high"] < 0)
        assert (found["conf_level"] == 0.9).all()
        np.testing.assert_array_equal(outside, found["p_value"] <= 0.1)
        joint = apa.compare(FORMULA, scores, alternative=side, adjust="bonferroni").table
        outside = (joint["conf_low_joint"] > 0) | (joint["conf_high_joint"] < 0)
        np.testing.assert_array_equal(outside, joint["p_value_adjusted"] <= 0.05)
        best = apa.compare(
            FORMULA, scores, alternative=side, adjust="bonferroni", reference="best"
        ).table
        outside = (best["conf_low_joint"] > 0) | (best["conf_high_joint"] < 0)
        np.testing.assert_array_equal(outside, best["p_value_adjusted"] <= 0.05)
    assert "95\u00a0% CI" in apa.compare(FORMULA, scores, adjust="none").text()


@pytest.mark.parametrize("bounds", [0.01, (-0.02, 0.05)])
@pytest.mark.parametrize("reference", [None, "best"])
def test_both_intervals_of_equivalence_match_their_tests(
    scores: Any, bounds: Any, reference: str | None
) -> None:
    options = {"bounds": bounds, "reference": reference}
    found = apa.equivalence(FORMULA, scores, adjust="bonferroni", **options).table
    for tail, p in (("difference", "p_value"), ("joint", "p_value_adjusted")):
        outside = (found[f"conf_low_{tail}"] > 0) | (found[f"conf_high_{tail}"] < 0)
        np.testing.assert_array_equal(outside, found[p] <= 0.05, err_msg=tail)
    for tail, p in (("", "p_value_equiv"), ("_joint_margin", "p_value_equiv_adjusted")):
        inside = found[f"conf_low{tail}"] > found["bound_low"]
        inside &= found[f"conf_high{tail}"] < found["bound_high"]
        np.testing.assert_array_equal(inside, found[p] <= 0.05, err_msg=tail)


def test_equivalence_prints_both_intervals_each_named(scores: Any) -> None:
    single = apa.equivalence(FORMULA, scores, bounds=0.02, adjust="none").text(max_rows=1)
    assert re.search(
        r"p = \S+, 95\u00a0% CI \[.*\]\)\..*\(90\u00a0% CI \[.*\], equivalence p", single
    )
    joint = apa.equivalence(FORMULA, scores, bounds=0.02).text(max_rows=1)
    assert "95\u00a0% joint CI [" in joint
    assert "90\u00a0% joint CI [" in joint
    assert "Intervals are joint (Bonferroni)" in joint
    assert "can go further" in joint
    rate = apa.equivalence(FORMULA, scores, bounds=0.02, adjust="bh").text(max_rows=1)
    assert "not adjusted; decisions are" in rate
    assert "joint CI" not in rate


def test_the_interval_that_decides_is_drawn_and_tabulated(scores: Any) -> None:
    found = apa.equivalence(FORMULA, scores, bounds=0.02, reference="model_01")
    row = found.table.iloc[0]
    ax = found.plot(where={"roi": "V1"})
    ends = [
        p[:, 0].tolist()
        for c in ax.collections
        if hasattr(c, "get_segments")
        for p in c.get_segments()
    ]
    pair = [row["conf_low_joint_margin"], row["conf_high_joint_margin"]]
    assert any(np.allclose(e, pair) for e in ends)
    labels = [c.label for c in table_block("t", "", found.table, APA, info=found.info).columns]
    assert "95\u00a0% joint interval" in labels
    assert "90\u00a0% joint interval" in labels
    assert "90\u00a0% joint intervals" in apa.report(found).html()


def test_a_null_that_is_not_zero_is_said_everywhere(samples: Any) -> None:
    x, y = samples
    found = apa.tost(x, y, bounds=0.8, null=0.5)
    assert "of a difference of 0.5; the bounds of the margin are measured from 0, not from 0.5" in (
        found.text()
    )
    assert found.glance()["null_value"].item() == 0.5
    assert "measured from 0" not in apa.tost(x, y, bounds=0.8).text()
    correlated = apa.correlation_tost(x, y, bounds=0.5, null=0.2).text()
    assert "of a correlation of 0.2; the bounds" in correlated
    munzel = apa.tost(x, y, bounds=(0.2, 0.8), test="brunner_munzel", paired=False, null=0.6)
    assert "of a probability of 0.6." in munzel.text()
    assert "P(x > y) was" in munzel.text()
    assert "as a probability" in munzel.text()
    ratio = apa.tost(np.exp(x), np.exp(y), bounds=1.25, test="log_ratio").text()
    assert "0.8 to 1.25 as a ratio of the scores" in ratio


LETTERS = [
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="wilcoxon"), r"V = \d"),
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="wilcoxon", paired=False), r"W = \d"),
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="bootstrap", rng=1), r"\(t = "),
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="sign_flip"), r"\(t = "),
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="permutation", paired=False, rng=1), r"\(t = "),
    (lambda s, x, y: apa.tost(x, y, bounds=1, test="permutation"), r"\(t = "),
    (lambda s, x, y: apa.compare(FORMULA, s, test="permutation"), r"\(t = "),
    (lambda s, x, y: apa.tost(x, y, bounds=(0.1, 0.9), test="brunner_munzel", paired=False), r"t\(\d"),
    (lambda s, x, y: apa.compare(FORMULA, s, test="wilcoxon"), r"V = \d"),
    (lambda s, x, y: apa.nemenyi(FORMULA, s), r"q = \d"),
    (lambda s, x, y: apa.friedman(FORMULA, s), r"χ²\(3\) = \d"),
    (lambda s, x, y: apa.friedman(FORMULA, s, statistic="F"), r"F\(3, 24\) = \d"),
    (lambda s, x, y: apa.quade(FORMULA, s), r"F\(3, 24\) = \d"),
    (lambda s, x, y: apa.rm_anova(np.column_stack([x, y])), r"F\(1, 11\) = \d"),
    (lambda s, x, y: apa.correlation_tost(x, y, bounds=0.5), r"\(z = "),
    (lambda s, x, y: apa.correlation_tost(x, y, bounds=0.5, method="spearman"), r"t\(10\) = "),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(LETTERS)))
def test_a_statistic_has_its_own_letter(scores: Any, samples: Any, k: int) -> None:
    make, pattern = LETTERS[k]
    text = make(scores, *samples).text(max_rows=1)
    assert re.search(pattern, text), text


def test_every_adjustment_has_words(scores: Any) -> None:
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | roi)", scores)
    means = apa.emmeans(fit, "model")
    for adjust in ("tukey", "mvt", "scheffe", "sidak", "holm", "none"):
        text = means.contrast("pairwise", adjust=adjust).text(max_rows=1)
        assert ADJUSTMENTS.get(adjust, "were not adjusted") in text
        assert ("joint CI" in text) == (adjust != "none")
    text = means.contrast("trt.vs.ctrl", adjust="dunnettx").text(max_rows=1)
    assert "dunnettx" not in text
    assert "Dunnett's approximation" in text
    for adjust in (
        *("none", "bonferroni", "holm", "sidak", "holm-sidak", "hochberg", "hommel", "bh", "by"),
        *("max-t", "max-t-step-down", "tukey", "closed", "hierarchical"),
    ):
        text = apa.compare(FORMULA, scores, adjust=adjust).text(max_rows=1)
        assert ADJUSTMENTS.get(adjust, "were not adjusted") in text


def test_what_was_not_done_is_not_said(scores: Any) -> None:
    text = apa.discriminability(FORMULA, scores).text(max_rows=20)
    assert "compared with" not in text
    assert "separated pairs = " in text
    assert "separated_pairs" not in text
    assert "p is not defined" not in text


def test_differences_that_do_not_vary_are_undecided_and_have_no_effect_size(scores: Any) -> None:
    frame = scores.where(roi="V1", model="model_01").frame
    other = frame.assign(model="shifted", score=frame["score"] + 0.1)
    table = apa.ScoreTable(pd.concat([frame, other]))
    with pytest.warns(DegenerateWarning, match="without any variation"):
        found = apa.equivalence(FORMULA, table, bounds=0.05)
    row = found.table.iloc[0]
    assert np.isnan([row["p_value"], row["p_value_equiv"], row["effect_size"]]).all()
    assert "Undecided" in found.text()
    assert "p is not defined" in found.text()


def test_an_effect_of_differences_that_do_not_vary_is_not_defined() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.5])
    with pytest.warns(DegenerateWarning):
        found = apa.effect_size(values, values + 0.1)
    table = found.table.set_index("term")
    assert np.isnan(table.loc[["Cohen's d(z)", "Hedges's g(z)"], "estimate"]).all()
    # ranks need no unit: all differences have one sign
    assert table.loc["rank-biserial correlation", "estimate"] == -1
    assert "Cohen's d(z) = not defined" in found.text()


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_intervals_of_a_fit_and_of_a_bootstrap_have_one_name(scores: Any) -> None:
    fit = apa.lmm("score ~ model + (1 | subject)", scores)
    for result in (fit, apa.bootstrap(FORMULA, scores)):
        assert {"conf_low", "conf_high"} <= set(result.conf_int().columns)
        assert not hasattr(result, "confint")
