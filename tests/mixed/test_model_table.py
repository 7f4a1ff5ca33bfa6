"""Several fits in one table: every number is that of its fit, in print as in numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError


@pytest.fixture(scope="module")
def fits() -> list[Any]:
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product(
        [["a", "b", "c"], range(10), range(6)], names=["model", "subject", "roi"]
    )
    d = index.to_frame(index=False)
    d["x"] = rng.normal(size=len(d))
    d["score"] = (
        0.3 * (d["model"] == "b")
        + 0.2 * d["x"]
        + rng.normal(size=10)[d["subject"]] * (0.3 + 0.2 * d["x"])
        + 0.1 * rng.normal(size=len(d))
    )
    d["subject"] = "s" + d["subject"].astype(str)
    return [
        apa.lmm(f"score ~ {formula}", d, reml=False)
        for formula in ("model + (1 | subject)", "model + x + (1 + x | subject)")
    ]


def test_numbers_are_those_of_the_fits(fits: list[Any]) -> None:
    found = apa.model_table(fits, names=["plain", "slopes"])
    for name, fit in zip(("plain", "slopes"), fits, strict=True):
        own = found.table[found.table["fit"] == name].reset_index(drop=True)
        for column in ("term", "estimate", "std_error", "df", "p_value", "conf_low", "conf_high"):
            pd.testing.assert_series_equal(own[column], fit.table[column])
        measures = found.measures().set_index("measure")[name]
        components = fit.variance_components()
        sds = components["std_dev"].dropna().to_numpy()
        np.testing.assert_array_equal(measures.filter(like="SD").dropna(), sds)
        assert measures["r2_conditional"] == fit.r2()["r2_conditional"]
        assert measures["n"] == 180
        assert measures["levels of subject"] == 10
        k, n, loglik = measures["n_parameter"], 180, measures["loglik"]
        assert measures["aicc"] == pytest.approx(
            2 * k - 2 * loglik + 2 * k * (k + 1) / (n - k - 1), rel=1e-12
        )
        assert measures["aic"] == fit.info["aic"]
        assert measures["bic"] == fit.info["bic"]
    correlation = components.loc[components["correlation"].notna(), "correlation"].iloc[0]
    assert measures["correlation x, (Intercept) | subject"] == correlation
    assert np.isnan(found.measures().set_index("measure").loc["SD x | subject", "plain"])


def test_printed_side_by_side_and_below(fits: list[Any], tmp_path: Any) -> None:
    found = apa.model_table(fits)
    text = found.to_markdown().replace("\\", "")
    head, x = text.splitlines()[0], next(v for v in text.splitlines() if v.startswith("| x "))
    assert head == "| term | model 1 | model 2 |"
    row = fits[1].table.set_index("term").loc["x"]
    numbers = re.findall(r"-?\d+\.\d+", x.replace("\u2212", "-"))
    wanted = row[["estimate", "std_error", "conf_low", "conf_high"]].to_numpy(dtype=float)
    np.testing.assert_allclose([float(v) for v in numbers], wanted, atol=6e-3)
    assert x.split("|")[2].strip() == "\u2013"
    for label in ("SD residual", "rows | 180 | 180", "AICc", "R2 (conditional)", "log likelihood"):
        assert label in text
    assert r"\toprule" in found.to_latex(label="tab:fits")
    assert found.to_html().count("<tr>") == len(found.measures()) + 4 + 1
    assert "the two fits" in found.to_latex(caption="the two fits")
    found.save(tmp_path / "t")
    fits[0].save(tmp_path / "fit")
    assert apa.load_result(tmp_path / "t").to_html() == found.to_html()
    again: Any = apa.load_result(tmp_path / "fit")
    assert apa.model_table([again, fits[1]]).to_html() == found.to_html()


def test_criteria_that_compare_nothing_are_said(fits: list[Any]) -> None:
    assert not [n for n in apa.model_table(fits).notes if "compare" in n]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": list("abcdef") * 4, "x": np.arange(24.0)})
    frame["y"] = 3 * rng.normal(size=6)[[ord(g) - 97 for g in frame["g"]]] + rng.normal(size=24)
    by_reml = [apa.lmm(f"y ~ {f} + (1 | g)", frame) for f in ("1", "x")]
    assert any("REML" in n for n in apa.model_table(by_reml).notes)
    assert any("other data" in n for n in apa.model_table([fits[0], by_reml[0]]).notes)


def test_what_is_no_fit_is_refused(fits: list[Any]) -> None:
    with pytest.raises(InputError, match="fits"):
        apa.model_table([])
    with pytest.raises(InputError, match="fits"):
        apa.model_table([fits[0], apa.emmeans(fits[1], "model")])  # type: ignore[list-item]
    for names in (["one"], ["one", "one"], ["one", ""]):
        with pytest.raises(InputError, match="names"):
            apa.model_table(fits, names=names)
