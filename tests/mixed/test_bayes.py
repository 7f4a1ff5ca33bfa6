"""The Bayesian engine on one tiny model, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import (
    AssumptionWarning,
    ConvergenceWarning,
    DesignError,
    InputError,
    MissingExtraError,
)
from apastats.mixed.bayes.centring import Centring, choose_centring
from apastats.mixed.bayes.summary import hdi, posterior_ranks, rope_columns
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.grid import reference_grid
from tests.mixed.conftest import study

FORMULA = "score ~ model + (1 | subject) + (1 | roi)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return study(n_subject=6, n_roi=4, n_model=3)


@pytest.fixture(scope="module")
def fit(data):
    pytest.importorskip("bambi", reason="needs the extra bayes")
    import warnings

    with warnings.catch_warnings():
        # a few divergent transitions may happen with four ROIs; they are noted
        warnings.simplefilter("ignore", ConvergenceWarning)
        return apa.bayes_lmm(
            FORMULA, data, draws=1000, tune=700, chains=2, report_failed=True, rng=1,
            priors={"sd": ("HalfNormal", {"sigma": 0.3})},
        )  # fmt: skip


@pytest.mark.slow
def test_contrasts_agree_with_reml(fit, data) -> None:
    ours = fit.contrast("model")
    reml = apa.emmeans(apa.lmm(FORMULA, data), "model").pairs().table
    assert ours["contrast"].tolist() == reml["contrast"].tolist()
    assert (np.abs(ours["estimate"] - reml["estimate"]) < 0.1 * ours["std_error"]).all()
    np.testing.assert_allclose(ours["std_error"], reml["std_error"], rtol=0.15)
    assert ours["passed"].all()


@pytest.mark.slow
def test_words_priors_and_gates(fit) -> None:
    assert "HalfNormal(sigma: 0.3)" in fit.info["priors"]["sd (Intercept) | roi"]
    assert {"r_hat", "ess_bulk", "ess_tail", "mcse", "passed"} <= set(fit.table.columns)
    assert fit.table["term"].tolist() == [
        "(Intercept)", "modelm1", "modelm2", "sd (Intercept) | subject", "sd (Intercept) | roi", "sigma",
    ]  # fmt: skip
    assert fit.provenance.seed == "1"


@pytest.mark.slow
def test_decisions_ranks_checks(fit) -> None:
    found = fit.contrast("model", "trt.vs.ctrl", ref="m0", bounds=0.5)
    assert (found["decision"] == "equivalent").all()
    np.testing.assert_allclose(found[["prob_inside", "prob_below", "prob_above"]].sum(axis=1), 1.0)
    ranks = fit.ranks("model")
    np.testing.assert_allclose(ranks.filter(like="prob_rank").sum(axis=1), 1.0)
    assert ranks.set_index("term")["rank_mean"].idxmin() == "m2"
    posterior = fit.predictive_check(rng=2).set_index("statistic")
    assert 0.05 < posterior.loc["mean", "p_value"] < 0.95
    prior = fit.predictive_check("prior", rng=2).set_index("statistic")
    assert prior.loc["std_dev", "predicted_high"] > posterior.loc["std_dev", "predicted_high"]
    loo = fit.loo().iloc[0]
    assert np.isfinite(loo["elpd"])
    assert 0 < loo["p"] < 30
    sensitivity = fit.prior_sensitivity()
    assert set(sensitivity["variable"]) >= {"modelm1", "sd (Intercept) | roi", "sigma"}
    assert set(fit.compare(again=fit)["model"]) == {"this", "again"}


@pytest.mark.slow
def test_saved_results_keep_the_tables(fit, tmp_path) -> None:
    fit.save(tmp_path / "b")
    loaded = apa.load_result(tmp_path / "b")
    pd.testing.assert_frame_equal(loaded.tidy(), fit.tidy())
    np.testing.assert_array_equal(loaded.arrays["coefficients"], fit.arrays["coefficients"])
    own, again = fit.loo().iloc[0], loaded.loo().iloc[0]
    assert again["elpd"] == pytest.approx(own["elpd"], abs=0.05)
    assert again["n_bad_k"] == own["n_bad_k"]
    both = loaded.compare(fitted=fit).set_index("model")
    assert both["elpd_diff"].abs().max() < 0.05
    # what asks for the sampler's model is refused, with the way out
    for call in (loaded.prior_sensitivity, lambda: loaded.predictive_check("prior")):
        with pytest.raises(DesignError, match="same rng="):
            call()
    assert fit.report_failed
    assert loaded.report_failed


@pytest.mark.slow
def test_means_and_contrasts_of_a_saved_fit_are_those_of_the_fit(fit, tmp_path) -> None:
    fit.save(tmp_path / "b")
    loaded = apa.load_result(tmp_path / "b")
    calls = [
        ("means", {"specs": "model"}),
        ("contrast", {"specs": "model", "bounds": 0.1}),
        ("contrast", {"specs": "model", "method": "trt.vs.ctrl", "ref": "m1", "conf_level": 0.8}),
        ("ranks", {"specs": "model"}),
    ]
    for name, options in calls:
        own, again = (getattr(f, name)(**options) for f in (fit, loaded))
        pd.testing.assert_frame_equal(own, again)
    own, again = fit.predictive_check(rng=1), loaded.predictive_check()
    assert own["observed"].tolist() == again["observed"].tolist()
    apart = (own["predicted_median"] - again["predicted_median"]).abs()
    assert (apart < 0.2 * (own["predicted_high"] - own["predicted_low"])).all()


def test_rows_saved_with_a_fit_give_the_same_design() -> None:
    """Factors in the user's order, numbers, flags, a column that groups levels, an offset, names with spaces."""
    from apastats.mixed.bayes.trees import design_of, frame_arrays

    rows = study(n_subject=4, n_roi=4, n_model=3)
    rows["region group"] = (
        rows["roi"].isin(sorted(set(rows["roi"]))[:2]).map({True: "a", False: "b"})
    )
    rows["model"] = pd.Categorical(rows["model"], ["m2", "m0", "m1"], ordered=True)
    rows["x"], rows["flag"] = np.arange(len(rows)) % 7, np.arange(len(rows)) % 2 == 0
    rows["lost"] = np.where(np.arange(len(rows)) == 3, np.nan, 1.0)
    formula = parse_mixed_formula(
        "score ~ model * roi + poly(x, 2) + flag + offset(x) + (1 | subject)"
    )
    own = build_design(formula, rows)
    again = design_of(frame_arrays(own), formula.text)
    assert again is not None
    assert again.fixed.factors == own.fixed.factors
    assert again.fixed.covariates == own.fixed.covariates
    np.testing.assert_array_equal(again.fixed.X, own.fixed.X)
    np.testing.assert_array_equal(again.offset, own.offset)
    for options in (
        {"specs": "model"},
        {"specs": "model", "by": "region group", "at": {"x": [1, 2]}},
    ):
        a, b = (reference_grid(d, **options) for d in (own, again))
        np.testing.assert_array_equal(a.L, b.L)
        assert a.rows.astype(str).equals(b.rows.astype(str))
    assert again.column("lost") is None


@pytest.mark.slow
def test_posteriors_stand_beside_other_fits_in_one_table(fit, data, tmp_path) -> None:
    fit.save(tmp_path / "b")
    reml = apa.lmm(FORMULA, data)
    fits = [reml, fit, apa.load_result(tmp_path / "b")]
    found = apa.model_table(fits, names=["reml", "bayes", "saved"])
    parts = dict(tuple(found.table.groupby("fit", sort=False)))
    for name in ("bayes", "saved"):
        own = parts[name].reset_index(drop=True)
        assert own["term"].tolist() == ["(Intercept)", "modelm1", "modelm2"]
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert own[column].tolist() == fit.table[column].iloc[:3].tolist()
        assert own[["statistic", "df", "p_value"]].isna().all(axis=None)
    measures = found.measures().set_index("measure")
    scales = fit.table.set_index("term")["estimate"]
    assert measures.loc["SD (Intercept) | roi", "saved"] == scales["sd (Intercept) | roi"]
    assert measures.loc["SD residual", "bayes"] == scales["sigma"]
    assert measures.loc["levels of roi"].tolist() == [4, 4, 4]
    assert measures.loc["n"].tolist() == [len(data)] * 3
    assert np.isfinite(measures.loc["aic", "reml"])
    assert np.isnan(measures.loc["aic", "bayes"])
    assert any("posteriors have no logLik" in note for note in found.notes)
    assert not any("do not compare" in note for note in found.notes)
    text = found.to_markdown()
    assert "SD residual" in text
    assert "nan" not in text
    assert "two of them Bayesian" in found.text()
    assert "not defined" not in found.text()  # a posterior has no p-value to miss


def test_loo_says_that_a_row_decides_alone(tmp_path) -> None:
    """A gross outlier has a Pareto k beyond the limit; the log likelihood is all that loo reads."""
    pytest.importorskip("arviz_stats")
    from apastats.mixed.bayes_lmm import BayesLmmResult
    from apastats.results import Provenance

    rng = np.random.default_rng(0)
    mean, y = rng.normal(size=(2, 500)) / 6, rng.normal(size=40)
    y[0] = 25.0
    density = -0.5 * (y - mean[..., None]) ** 2 - 0.5 * np.log(2 * np.pi)
    arrays = {
        "coefficients": mean[..., None], "scales": np.ones((2, 500, 1)), "log_likelihood": density,
        "posterior_predictive": mean[..., None] + rng.normal(size=(2, 500, 40)), "observed": y,
    }  # fmt: skip
    info = apa.power_tost(n=20, sd=1, bounds=0.5).info.but(formula="y ~ 1")
    found = BayesLmmResult(pd.DataFrame({"term": ["a"]}), info, Provenance(), arrays)
    with pytest.warns(AssumptionWarning, match="Pareto"):
        row = found.loo().iloc[0]
    assert row["n_bad_k"] >= 1


@pytest.mark.slow
def test_arviz_works_on_the_tree_of_a_fit_and_of_a_saved_one(fit, tmp_path) -> None:
    import arviz_stats

    fit.save(tmp_path / "b")
    own = fit.loo().iloc[0]
    for tree in (fit.tree, apa.load_result(tmp_path / "b").tree):
        assert {"posterior", "log_likelihood", "posterior_predictive", "observed_data"} <= set(
            tree.children
        )
        found = arviz_stats.loo(tree)
        assert float(found.elpd) == pytest.approx(own["elpd"], abs=0.05)
        drawn = np.asarray(tree["posterior_predictive"]["outcome"])
        observed = np.asarray(tree["observed_data"]["outcome"])
        assert drawn.shape[2:] == observed.shape
        assert drawn.std() == pytest.approx(observed.std(), rel=0.2)


@pytest.mark.slow
def test_arviz_itself_on_the_tree_of_a_fit_and_of_a_saved_one(fit, tmp_path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import
        az = pytest.importorskip("arviz")
    from matplotlib import pyplot as plt

    fit.save(tmp_path / "b")
    own = fit.loo().iloc[0]
    for tree in (fit.tree, apa.load_result(tmp_path / "b").tree):
        # before 1.0 arviz.loo takes its own class alone
        old = hasattr(az, "InferenceData")
        found = az.loo(az.InferenceData.from_datatree(tree) if old else tree)
        elpd = found.elpd_loo if old else found.elpd
        assert float(elpd) == pytest.approx(own["elpd"], abs=0.05)
        if old:
            axes = az.plot_ppc(tree, num_pp_samples=20, random_seed=1)
            assert len(axes.lines) > 20
            plt.close("all")


@pytest.mark.parametrize(
    ("n_model", "n_roi", "noise", "centred"), [(8, 8, 0.0, True), (2, 3, 2.0, False)]
)
def test_effects_are_centred_where_the_data_say_much_of_a_level(
    n_model: int, n_roi: int, noise: float, centred: bool
) -> None:
    rng = np.random.default_rng(0)
    d = study(n_model=n_model, n_roi=n_roi)
    d["score"] += (
        noise * rng.normal(size=len(d))
        + 0.05 * rng.normal(size=8)[d["subject"].str[1:].astype(int)]
    )
    design = build_design(parse_mixed_formula("score ~ model + (1 | subject)"), d)
    assert choose_centring(design).effects == (centred,)


@pytest.mark.slow
def test_both_centrings_are_one_model() -> None:
    """The density of centred effects is that of standardised ones over the SD of each."""
    pytest.importorskip("pymc")
    from apastats.mixed.bayes.direct import build_from_design

    d = study(n_subject=5, n_roi=3, n_model=2)
    design = build_design(parse_mixed_formula("score ~ model + (1 | subject) + (1 | roi)"), d)
    plain = build_from_design(design, {}).pymc
    centred = build_from_design(design, {}, Centring((True, True), 0)).pymc
    rng = np.random.default_rng(1)
    z = {"g0_0_offset": rng.normal(size=(5, 1)), "g1_0_offset": rng.normal(size=(3, 1))}
    top = {"Intercept": 0.4, "b": np.array([0.1]), "g0_0_sd_log__": np.log([0.3]), "g1_0_sd_log__": np.log([0.2]),
           "sigma_log__": np.log(0.2)}  # fmt: skip
    effects = {"g0_0_effect": 0.4 + 0.3 * z["g0_0_offset"], "g1_0_effect": 0.2 * z["g1_0_offset"]}
    a = plain.compile_logp()({**top, **z})
    b = centred.compile_logp()({**top, **effects})
    assert float(a) == pytest.approx(float(b) + 5 * np.log(0.3) + 3 * np.log(0.2), abs=1e-8)


def test_shortest_interval() -> None:
    values = np.random.default_rng(0).exponential(size=(20_000, 1))
    low, high = hdi(values, 0.9)
    assert low[0] < 0.01
    assert high[0] == pytest.approx(-np.log(0.1), abs=0.1)


def test_rope_rules() -> None:
    draws = np.random.default_rng(1).normal([0.0, 1.0, 0.2], 0.05, size=(2, 1000, 3))
    found = rope_columns(draws, np.array([True, True, True]), -0.2, 0.2, 0.95, 0.95)
    assert found["decision"].tolist() == ["equivalent", "different", "undecided"]
    assert found["decision_hdi"].tolist() == ["equivalent", "different", "undecided"]
    hidden = rope_columns(draws, np.array([False, True, True]), -0.2, 0.2, 0.95, 0.95)
    assert hidden["decision"][0] == "chains failed"
    assert np.isnan(hidden["prob_inside"][0])


def test_ranks_of_known_draws() -> None:
    draws = np.array([[[3.0, 1.0, 2.0], [1.0, 3.0, 2.0]]])
    found = posterior_ranks(draws, ["a", "b", "c"], True)
    assert found["rank_mean"].tolist() == [2.0, 2.0, 2.0]
    assert found["prob_rank_1"].tolist() == [0.5, 0.5, 0.0]


def test_what_is_refused(data) -> None:
    pytest.importorskip("bambi", reason="needs the extra bayes")
    bad = [
        (FORMULA, {"chains": 1}, "chains: got 1"),
        (FORMULA, {"draws": 3}, "draws: got 3"),
        (FORMULA, {"tune": 0}, "tune: got 0"),
        (FORMULA, {"target_accept": 2}, "target_accept: got 2"),
        (FORMULA, {"priors": {"beta": ("Normal", {})}}, "priors: got 'beta'"),
        (FORMULA, {"priors": {"sd": 3}}, "a pair such as"),
        (FORMULA, {"conf_level": 95}, "conf_level: got 95"),
    ]
    for formula, options, match in bad:
        with pytest.raises(InputError, match=match):
            apa.bayes_lmm(formula, data, **options)


def test_missing_extra_is_named(data, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bambi", None)
    with pytest.raises(MissingExtraError, match=r"apastats\[bayes\]"):
        apa.bayes_lmm(FORMULA, data)
