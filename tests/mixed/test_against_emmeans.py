"""Terms, weights, contrasts of contrasts and ragged tables against lmerTest 3.1 and emmeans 1.8 (R 4.2.2).

The data are `study(...)`; the R program is in the comment above each number.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import AliasedWarning, DesignError, FormulaError, InputError
from tests.mixed.conftest import study

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
# lme4 stops about 1e-6 from the maximum
CLOSE = {"rtol": 1e-5}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    d = study(seed=5, drop=25, n_roi=6, n_model=3)
    return d.assign(x=np.random.default_rng(2).normal(size=len(d)).round(3))


@pytest.fixture(scope="module")
def fit(data):
    # m <- lmer(score ~ model * stream + x + (1 | subject) + (1 | roi), d)
    return apa.lmm("score ~ model * stream + x + (1 | subject) + (1 | roi)", data)


@pytest.fixture(scope="module")
def ragged():
    r = study(seed=1)
    r = r[~((r["model"] == "m2") & (r["stream"] == "late"))]
    with pytest.warns(AliasedWarning, match="left out: modelm2:streamlate"):
        return apa.lmm("score ~ model * stream + (1 | subject) + (1 | roi)", r)


# anova(m, type = "I" | "II" | "III")
F_TESTS = {
    1: ([12.3228551060, 1.6071890028, 0.5002843555, 0.4001817988], [102.634118, 4.0556990, 102.688734, 101.484322]),
    2: ([13.1735166619, 1.6105762617, 0.4494327812, 0.4001817988], [101.378511, 4.0557770, 102.677874, 101.484337]),
    3: ([13.1272656601, 1.5898332262, 0.4494327812, 0.4001817988], [101.3753742, 4.0566840, 102.6778743, 101.4843375]),
}  # fmt: skip


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_types_of_hypotheses(fit, kind: int) -> None:
    table = fit.anova(type=kind)
    F, df = F_TESTS[kind]
    assert table["term"].tolist() == ["model", "stream", "x", "model:stream"]
    np.testing.assert_allclose(table["statistic"], F, rtol=2e-5)
    np.testing.assert_allclose(table["den_df"], df, rtol=2e-5)


# emmeans(m, "model", weights = w): emmean, SE
WEIGHTED = {
    "equal": ([0.269717856, 0.345136515, 0.397418391], [0.0497101569, 0.0497839832, 0.0499508743]),
    "proportional": ([0.268317193, 0.344101422, 0.396574593], [0.0497230661, 0.0497844489, 0.0499517037]),
    "outer": ([0.268317193, 0.344101422, 0.396574593], [0.0497230661, 0.0497844489, 0.0499517037]),
    "cells": ([0.27107297, 0.34308358, 0.395656778], [0.049714483, 0.0498022384, 0.049972981]),
    "flat": ([0.269717856, 0.345136515, 0.397418391], [0.0497101569, 0.0497839832, 0.0499508743]),
}  # fmt: skip


@pytest.mark.parametrize("weights", list(WEIGHTED))
def test_weights_of_averaged_levels(fit, weights: str) -> None:
    table = apa.emmeans(fit, "model", weights=weights).table
    estimate, se = WEIGHTED[weights]
    np.testing.assert_allclose(table["estimate"], estimate, **CLOSE)
    np.testing.assert_allclose(table["std_error"], se, **CLOSE)


def test_interaction_contrasts_and_contrasts_of_contrasts(fit) -> None:
    # contrast(emmeans(m, ~ model * stream), interaction = c("pairwise", "consec"))
    expected = (
        [-0.0290019238, -0.0441780464, -0.0151761226],
        [0.0498574711, 0.0504540057, 0.051124317],
    )
    means = apa.emmeans(fit, ["model", "stream"])
    table = means.contrast(interaction=["pairwise", "consec"]).table
    assert table["contrast"].tolist()[0] == "(m0 - m1) : (late - early)"
    np.testing.assert_allclose(table["estimate"], expected[0], **CLOSE)
    np.testing.assert_allclose(table["std_error"], expected[1], **CLOSE)
    # pairs(pairs(emmeans(m, "model", by = "stream")), by = "contrast")
    again = apa.emmeans(fit, "model", by="stream").pairs().contrast(by="contrast").table
    assert again["of_contrast"].tolist() == ["m0 - m1", "m0 - m2", "m1 - m2"]
    np.testing.assert_allclose(again["estimate"], -np.array(expected[0]), **CLOSE)
    np.testing.assert_allclose(again["df"], [101.512064, 101.466018, 101.473805], rtol=1e-5)


# contrast(emmeans(m, "model"), name)
NAMED = {
    "del.eff": ([-0.101559596, 0.0115683911, 0.089991205], [0.021539024, 0.0216645783, 0.0219202194]),
    "mean_chg": ([0.101559596, 0.089991205], [0.021539024, 0.0219202194]),
    "trt.vs.ctrlk": ([-0.127700534, -0.0522818759], [0.0251174768, 0.0252610405]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(NAMED))
def test_contrasts_by_their_names_in_r(fit, name: str) -> None:
    table = apa.emmeans(fit, "model").contrast(name).table
    np.testing.assert_allclose(table["estimate"], NAMED[name][0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(table["std_error"], NAMED[name][1], **CLOSE)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("eff", "deviation"),
        ("consec", "consecutive"),
        ("dunnett", "trt.vs.ctrl"),
        ("polynomial", "poly"),
    ],
)
def test_aliases_are_the_same_contrasts(fit, theirs: str, ours: str) -> None:
    means = apa.emmeans(fit, "model")
    a, b = (means.contrast(name).table for name in (theirs, ours))
    pd.testing.assert_frame_equal(a, b)


def test_empty_cells_have_no_value_and_the_others_theirs(ragged) -> None:
    # f <- lmer(score ~ model * stream + (1 | subject) + (1 | roi), r); emmeans(f, "model", by = "stream")
    with pytest.warns(AliasedWarning, match="no value for late / m2"):
        means = apa.emmeans(ragged, "model", by="stream")
    expected = [
        0.322629414,
        0.392089405,
        0.433515023,
        0.495585282,
        0.309085771,
        0.342420456,
        np.nan,
        0.454402484,
    ]
    np.testing.assert_allclose(means.table["estimate"], expected, **CLOSE)
    np.testing.assert_allclose(
        means.table["df"].to_numpy()[[0, 4]], [10.1431398, 11.1308078], rtol=1e-5
    )
    pairs = means.pairs().table
    late = pairs[pairs["stream"] == "late"]
    assert late["estimate"].isna().tolist() == [False, True, False, True, False, True]
    # pairs(emmeans(f, "model")): p-values of a family of 4
    with pytest.warns(AliasedWarning):
        p = apa.emmeans(ragged, "model").pairs().table["p_value"]
    np.testing.assert_allclose(
        p, [0.11305794, np.nan, 9.6551545e-10, np.nan, 3.5073862e-05, np.nan], rtol=5e-3
    )


def test_terms_of_a_ragged_table(ragged) -> None:
    # anova(f, type = "I"), anova(f, type = "II"), joint_tests(f)
    np.testing.assert_allclose(
        ragged.anova(type=1)["statistic"], [18.0394320441, 0.8064606139, 0.3454131348], rtol=1e-5
    )
    np.testing.assert_allclose(
        ragged.anova(type=2)["statistic"], [17.6308586060, 0.8064606139, 0.3454131348], rtol=1e-5
    )
    three = ragged.anova().set_index("term")
    assert three["num_df"].tolist() == [
        2,
        0,
        2,
    ]  # what the data determine of model; nothing of stream
    np.testing.assert_allclose(
        three.loc[["model", "model:stream"], "statistic"], [25.538, 0.345], rtol=2e-3
    )


def test_predictions_of_empty_cells_are_nan(ragged) -> None:
    new = pd.DataFrame({"model": ["m2", "m2"], "stream": ["early", "late"]})
    assert np.isnan(ragged.predict(new)).tolist() == [False, True]


def test_several_models_in_one_table(data) -> None:
    # anova(m0, m1, m2)
    fits = [
        apa.lmm(f"score ~ {rest}", data)
        for rest in ("1 + (1|subject) + (1|roi)", "model + (1|subject) + (1|roi)",
                     "model + (1|subject) + (1|roi) + (1|roi:subject)")
    ]  # fmt: skip
    table = fits[0].anova(fits[2], fits[1])
    np.testing.assert_allclose(table["loglik"], [66.72446832, 78.77265592, 79.70254571], rtol=1e-8)
    np.testing.assert_allclose(table["statistic"].iloc[1:], [24.096375187, 1.859779588], rtol=1e-6)
    np.testing.assert_allclose(
        table["p_value"].iloc[1:], [5.855157896e-06, 0.1726502412], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("small", "large", "nested"),
    [
        ("(1|subject)", "(1|roi) + (1|stream)", False),
        ("(1|subject)", "(1|subject) + (1|roi)", True),
        ("(1|subject) + (1|model:subject)", "(0 + model|subject)", True),
        ("(1 + x||subject)", "(1 + x|subject)", True),
        ("(1 + x||subject)", "(1|subject) + (1|roi) + (1|stream)", False),
    ],
)
def test_random_parts_that_are_not_nested_are_refused(
    data, small: str, large: str, nested: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = (apa.lmm(f"score ~ model + {part}", data) for part in (small, large))
    if nested:
        assert a.likelihood_ratio(b)["statistic"].iloc[1] >= 0
        return
    with pytest.raises(DesignError, match="random part of the smaller model is not contained"):
        a.likelihood_ratio(b)


def test_splines_arithmetic_and_offsets(data) -> None:
    # s <- lmer(score ~ ns(x, df = 3) + I(x^2) + (1 | subject), d); logLik(s), predict(s)
    s = apa.lmm("score ~ ns(x, df=3) + I(x^2) + (1 | subject)", data)
    assert s.info["loglik"] == pytest.approx(45.53495869, abs=1e-7)
    np.testing.assert_allclose(
        s.fitted()[:3], [0.2298943768, 0.2846249619, 0.3172072962], atol=1e-6
    )
    # b <- lmer(score ~ bs(x, df = 5) + offset(level) + (1 | subject), d)
    b = apa.lmm("score ~ bs(x, df=5) + offset(level) + (1 | subject)", data)
    assert b.info["loglik"] == pytest.approx(-55.80591386, abs=1e-7)
    np.testing.assert_allclose(
        b.table["estimate"].iloc[:2], [-0.002006871423, -1.095940127146], rtol=1e-6
    )
    np.testing.assert_allclose(
        b.fitted()[:3], [-0.2728023902, -0.005950030647, -0.011617153482], atol=1e-7
    )
    np.testing.assert_allclose(b.predict(data), b.predict(), atol=1e-12)
    # linear beyond the data
    far = s.model.design.fixed.rows(pd.DataFrame({"x": [5.0, 6.0, 7.0]}))[:, 1:4]
    np.testing.assert_allclose(np.diff(far, n=2, axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("name", ["C", "contr", "a model", "np", "poly", "two.parts", "1st"])
def test_any_column_name_can_be_used(data, name: str) -> None:
    written = name if name.isidentifier() else f"`{name}`"
    turned = data.rename(columns={"model": name})
    plain = apa.lmm("score ~ model * x + (1 | model:subject)", data)
    found = apa.lmm(f"score ~ {written} * x + (1 | {written}:subject)", turned)
    pd.testing.assert_series_equal(found.table["estimate"], plain.table["estimate"])
    a, b = found.anova(), plain.anova()
    assert a["term"].tolist() == [t.replace("model", name) for t in b["term"]]
    np.testing.assert_allclose(a["statistic"], b["statistic"])
    assert apa.emmeans(found, name).table["estimate"].tolist() == pytest.approx(
        apa.emmeans(plain, "model").table["estimate"].tolist()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score ~ offset(x + level) + (1|subject)", "an offset is one column"),
        ("score ~ x = 2 + (1|subject)", "belongs inside parentheses"),
        ("score ~ bs(x, knots=3) + (1|subject)", "'=' follows an option"),
        ("score ~ `x + (1|subject)", "is not allowed"),
    ],
)
def test_faults_of_the_new_syntax(data, text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        apa.lmm(text, data)


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "exp(x * 10000)"])
def test_functions_outside_their_domain_are_said(data, text: str) -> None:
    from apastats.errors import DataError

    with pytest.raises(DataError, match="outside the function's domain"):
        apa.lmm(
            f"score ~ {text} + (1|subject)",
            data.assign(
                x=np.where(data.index == 3, -1.0, 9.0 + data["x"])
                if "exp" not in text
                else data["x"] + 1
            ),
        )


def test_labels_that_hold_an_operator_stand_in_parentheses() -> None:
    d = study(n_model=4)
    d["model"] = d["model"].map({"m0": "a", "m1": "b - c", "m2": "a - b", "m3": "c"})
    means = apa.emmeans(apa.lmm("score ~ model + (1 | subject)", d), "model")
    labels = means.pairs().table["contrast"]
    assert labels.is_unique
    assert {"a - (b - c)", "(a - b) - c"} <= set(labels)
    assert means.contrast("eff").table["contrast"].iloc[1] == "(a - b) effect"


def test_coefficients_by_label(fit) -> None:
    means = apa.emmeans(fit, "model")
    a = means.contrast({"c": {"m0": 1, "m2": -1}}).table
    b = means.contrast({"c": [1, 0, -1]}).table
    pd.testing.assert_frame_equal(a, b)
    with pytest.raises(InputError, match="coefficients of means among"):
        means.contrast({"c": {"m9": 1}})
    with pytest.raises(InputError, match="finite coefficients"):
        means.contrast({"c": {"m0": "one"}})
