"""Laws of mixed models: what must not change, and how the rest must change, whatever the data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import apastats as apa
from apastats.errors import ApaWarning
from apastats.numbers.simultaneous import max_t_sf, range_sf
from tests.mixed.conftest import study

FORMULA = "score ~ model + (1 | subject) + (1 | roi)"
FEW = settings(max_examples=15, deadline=None)

studies = st.builds(
    study,
    n_subject=st.integers(4, 7),
    n_roi=st.integers(3, 4),
    n_model=st.integers(2, 4),
    seed=st.integers(0, 10_000),
    drop=st.integers(0, 6),
)


def fit(data: pd.DataFrame, formula: str = FORMULA, **options: object):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return apa.lmm(formula, data, **options)


@FEW
@given(data=studies, seed=st.integers(0, 100))
def test_row_order_changes_nothing(data: pd.DataFrame, seed: int) -> None:
    a = fit(data)
    b = fit(data.sample(frac=1, random_state=seed))
    np.testing.assert_allclose(a.table["estimate"], b.table["estimate"], atol=1e-7)
    np.testing.assert_allclose(a.table["std_error"], b.table["std_error"], rtol=1e-5)
    assert a.info["loglik"] == pytest.approx(b.info["loglik"], abs=1e-7)


@FEW
@given(data=studies, shift=st.floats(-3, 3), scale=st.floats(0.05, 20))
def test_shift_and_scale_carry_over(data: pd.DataFrame, shift: float, scale: float) -> None:
    a = apa.emmeans(fit(data), "model").pairs(adjust="none")
    other = fit(data.assign(score=shift + scale * data["score"]))
    b = apa.emmeans(other, "model").pairs(adjust="none")
    np.testing.assert_allclose(scale * a.table["estimate"], b.table["estimate"], atol=1e-6 * scale)
    np.testing.assert_allclose(a.table["df"], b.table["df"], rtol=1e-4)
    decided = [
        c.test(bounds=0.07 * s).table["decision"].tolist() for c, s in ((a, 1.0), (b, scale))
    ]
    assert decided[0] == decided[1]


@FEW
@given(data=studies)
def test_relabelling_models_mirrors_contrasts(data: pd.DataFrame) -> None:
    names = sorted(data["model"].unique())
    turned = data.assign(model=data["model"].map(dict(zip(names, names[::-1], strict=True))))
    a = apa.emmeans(fit(data), "model").pairs().table
    b = apa.emmeans(fit(turned), "model").pairs().table
    np.testing.assert_allclose(
        a["estimate"], -b["estimate"].to_numpy()[_mirror(len(names))], atol=1e-6
    )
    np.testing.assert_allclose(
        a["p_value"], b["p_value"].to_numpy()[_mirror(len(names))], atol=1e-5
    )


def _mirror(k: int) -> np.ndarray:
    i, j = np.triu_indices(k, 1)
    place = {pair: n for n, pair in enumerate(zip(i.tolist(), j.tolist(), strict=True))}
    return np.array([place[k - 1 - b, k - 1 - a] for a, b in zip(i, j, strict=True)])


@FEW
@given(data=studies)
def test_ml_never_beats_a_larger_model(data: pd.DataFrame) -> None:
    small = fit(data, "score ~ model + (1 | subject)", reml=False)
    large = fit(data, FORMULA, reml=False)
    assert large.info["loglik"] >= small.info["loglik"] - 1e-7


@FEW
@given(data=studies, bounds=st.floats(0.01, 0.3))
def test_equivalence_is_the_interval_inside_the_bounds(data: pd.DataFrame, bounds: float) -> None:
    t = (
        apa.emmeans(fit(data), "model")
        .pairs(adjust="none")
        .test(bounds=bounds, adjust="none")
        .table
    )
    inside = (t["conf_low"] > -bounds) & (t["conf_high"] < bounds)
    assert (inside == (t["p_value_equiv"] < 0.05)).all()
    wider = (
        apa.emmeans(fit(data), "model")
        .pairs(adjust="none")
        .test(bounds=2 * bounds, adjust="none")
        .table
    )
    assert (wider["p_value_equiv"] <= t["p_value_equiv"] + 1e-12).all()


@FEW
@given(data=studies)
def test_kenward_roger_never_narrows(data: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        a = apa.lmm(FORMULA, data).table["std_error"]
        b = apa.lmm(FORMULA, data, df="kenward-roger").table["std_error"]
    assert (b >= a * (1 - 1e-9)).all()


@FEW
@given(t=st.floats(0.1, 6), k=st.integers(2, 12), df=st.floats(2, 200))
def test_simultaneous_tails_are_ordered(t: float, k: int, df: float) -> None:
    one = float(range_sf(np.sqrt(2) * t, 2, df))
    many = float(range_sf(np.sqrt(2) * t, k, df))
    m = k * (k - 1) // 2
    assert one - 1e-12 <= many <= min(1.0, m * one) + 1e-9
    control = np.full((k - 1, k - 1), 0.5) + 0.5 * np.eye(k - 1)
    assert float(max_t_sf(t, control, df)) <= many + 1e-9


def _decided(data: pd.DataFrame, unit: float, formula: str, **options: object) -> dict:
    """p-values, df and decisions of everything that tests something about a fit."""
    found = fit(data.assign(score=data["score"] * unit), formula, **options)
    means = apa.emmeans(found, "model")
    pairs = means.pairs()
    out = {"lmm": found.table[["df", "p_value"]]}
    out["anova"] = found.anova()[["den_df", "statistic", "p_value"]]
    out["emmeans"] = means.table[["df"]]
    out["contrast"] = pairs.table[["df", "p_value"]]
    out["joint"] = means.joint_tests()[["den_df", "p_value"]]
    margin = pairs.test(bounds=0.07 * unit).table
    out["equivalence"] = margin[["df", "p_value", "p_value_equiv"]]
    out["ranova"] = found.ranova()[["statistic", "p_value"]]
    decided = margin["decision"].tolist(), means.compare_best()["can_be_best"].tolist()
    return out | {"decisions": decided}


UNITS = [10.0**k for k in range(-9, 10) if k]
MODELS = {
    "crossed": (FORMULA, {}),
    "by ML": (FORMULA, {"reml": False}),
    "slopes": ("score ~ model + x + (1 + x | subject) + (1 | roi)", {}),
    "residual groups": (FORMULA, {"residual_by": "roi"}),
    "Kenward-Roger": (FORMULA, {"df": "kenward-roger"}),
    "closed form": (FORMULA, {"engine": "closed_form"}),
    "no random part": ("score ~ model * x", {}),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_no_p_value_or_decision_depends_on_the_unit_of_the_scores(name: str) -> None:
    formula, options = MODELS[name]
    data = study(n_subject=6, n_roi=4, n_model=3, seed=3)
    data["x"] = np.random.default_rng(2).normal(size=len(data)).round(3)
    truth = _decided(data, 1.0, formula, **options)
    for unit in UNITS:
        found = _decided(data, unit, formula, **options)
        assert found["decisions"] == truth["decisions"], unit
        for part in truth:
            if part != "decisions":
                np.testing.assert_allclose(
                    found[part], truth[part], rtol=1e-5, atol=1e-7, err_msg=f"{part}, unit {unit:g}"
                )


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_f_tests_of_an_exact_fit_by_ml_have_df_without_a_crash(unit: float) -> None:
    data = study(n_subject=6, n_roi=4, n_model=3, seed=3)
    table = fit(data.assign(score=data["score"] * unit), reml=False).anova()
    assert np.isfinite(table[["den_df", "statistic", "p_value"]].to_numpy()).all()


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1.0, 1e6, 1e9])
def test_no_p_value_depends_on_the_unit_of_a_covariate(unit: float) -> None:
    data = study(n_subject=6, n_roi=4, n_model=3, seed=3)
    x = np.random.default_rng(2).normal(size=len(data)).round(3)
    formula = "score ~ model * x + (1 + x | subject)"
    a, b = (fit(data.assign(x=x * u), formula) for u in (1.0, unit))
    np.testing.assert_allclose(a.table[["df", "p_value"]], b.table[["df", "p_value"]], rtol=1e-4)
    np.testing.assert_allclose(
        a.anova()[["den_df", "p_value"]], b.anova()[["den_df", "p_value"]], rtol=1e-4
    )
