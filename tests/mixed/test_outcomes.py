"""Outcomes that a formula transforms: back to their scale, differences as ratios, slopes over log x."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, DesignError, InputError


def data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"subject": np.repeat([f"s{i}" for i in range(10)], 9)})
    d["model"] = np.tile(["a", "b", "c"], 30)
    d["x"] = rng.uniform(1, 9, size=90)
    level = {"a": 1.0, "b": 1.5, "c": 2.0}
    d["y"] = d["model"].map(level) * np.exp(
        0.3 * np.log(d["x"])
        + 0.2 * rng.normal(size=10)[np.arange(90) // 9]
        + 0.1 * rng.normal(size=90)
    )
    d["p"] = 1 / (1 + np.exp(-np.log(d["y"])))
    return d


@pytest.mark.parametrize(
    ("outcome", "ahead", "back"),
    [
        ("log10(y)", np.log10, lambda v: 10**v),
        ("sqrt(y)", np.sqrt, np.square),
        ("log(y)", np.log, np.exp),
        ("logit(p)", np.log, lambda v: 1 / (1 + np.exp(-v))),
    ],
)
def test_means_return_to_the_scale_of_the_outcome(outcome: str, ahead: Any, back: Any) -> None:
    d = data()
    fit = apa.lmm(f"{outcome} ~ model + (1 | subject)", d)
    plain = apa.lmm("z ~ model + (1 | subject)", d.assign(z=ahead(d["y"])))
    np.testing.assert_allclose(fit.table["estimate"], plain.table["estimate"], atol=1e-9)
    means = apa.emmeans(fit, "model")
    found, own = means.response(), apa.emmeans(plain, "model").table
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[column], back(own[column]), rtol=1e-8)
    h = 1e-6
    slope = (back(own["estimate"] + h) - back(own["estimate"] - h)) / (2 * h)
    np.testing.assert_allclose(found["std_error"], slope * own["std_error"], rtol=1e-6)


def test_differences_of_logarithms_are_ratios(tmp_path: Any) -> None:
    d = data()
    found = {}
    for outcome in ("log(y)", "log10(y)", "logit(p)"):
        means = apa.emmeans(apa.lmm(f"{outcome} ~ model + (1 | subject)", d), "model")
        pairs = means.contrast("trt.vs.ctrl", ref="a")
        found[outcome] = pairs.response()
    level = means.response()["estimate"].to_numpy()
    odds = level / (1 - level)
    np.testing.assert_allclose(found["logit(p)"]["estimate"], odds[1:] / odds[0], rtol=1e-9)
    # base and odds of p = y / (1 + y) make no difference; joint limits differ by their simulation at most
    for other in ("log10(y)", "logit(p)"):
        for column in ("estimate", "std_error", "p_value"):
            np.testing.assert_allclose(
                found[other][column], found["log(y)"][column], rtol=1e-5, atol=1e-9
            )
    inside = pairs.test(bounds=0.5).response()
    np.testing.assert_allclose(inside["bound_high"], np.exp(0.5))
    assert (inside["conf_low"] < inside["estimate"]).all()
    pairs.save(tmp_path / "pairs")
    again: Any = apa.load_result(tmp_path / "pairs")
    pd.testing.assert_frame_equal(again.response(), pairs.response())


def test_differences_without_a_scale_are_refused() -> None:
    d = data()
    plain = apa.emmeans(apa.lmm("y ~ model + (1 | subject)", d), "model").pairs()
    pd.testing.assert_frame_equal(plain.response(), plain.table)
    roots = apa.emmeans(apa.lmm("sqrt(y) ~ model + (1 | subject)", d), "model").pairs()
    with pytest.raises(DesignError, match="emmeans"):
        roots.response()
    with pytest.raises(DataError, match="0 or more"):
        apa.lmm("sqrt(y) ~ model + (1 | subject)", d.assign(y=d["y"] - 2))


def test_slopes_over_the_logarithm() -> None:
    d = data()
    in_log = apa.lmm("log(y) ~ model * log(x) + (1 | subject)", d)
    slopes = apa.emmeans(in_log, "model", trend="log(x)").table["estimate"]
    b = in_log.table.set_index("term")["estimate"]
    wanted = b["log(x)"] + np.array([0, b["modelb:log(x)"], b["modelc:log(x)"]])
    np.testing.assert_allclose(slopes, wanted, rtol=1e-9)
    straight = apa.lmm("y ~ model * x + (1 | subject)", d)
    at_four = apa.emmeans(straight, "model", trend="log(x)", at={"x": 4}).table
    per_x = apa.emmeans(straight, "model", trend="x").table
    np.testing.assert_allclose(at_four["estimate"], 4 * per_x["estimate"], rtol=1e-7)
    np.testing.assert_allclose(at_four["std_error"], 4 * per_x["std_error"], rtol=1e-7)
    with pytest.raises(InputError, match="above 0"):
        apa.emmeans(straight, "model", trend="log(x)", at={"x": 0})
    with pytest.raises(InputError, match="log\\(\\) of one"):
        apa.emmeans(straight, "model", trend="log(z)")


def test_the_sentence_of_a_fit_says_its_random_part() -> None:
    d = data()
    rng = np.random.default_rng(9)
    d["y"] += 0.5 * rng.normal(size=10)[np.arange(90) // 9] * d["x"]
    fit = apa.lmm("y ~ model + x + (1 + x | subject)", d)
    text = fit.text()
    components = fit.variance_components()
    row = (components["group"] == "subject") & (components["effect"] == "(Intercept)")
    sd = components.loc[row, "std_dev"].item()
    icc = fit.icc()["icc"].iloc[0]
    assert f"{sd:.3f}"[:4] in text
    assert f"ICC = {icc:.2f}" in text
    assert f"marginal R\u00b2 = {fit.r2()['r2_marginal']:.2f}" in text
    assert f"conditional R\u00b2 = {fit.r2()['r2_conditional']:.2f}" in text
    assert "that of the residual" in text
    assert "x by subject" in text
    assert "ICC" not in fit.text(short=True)
