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
    with pytest.raises(DesignError, match="same rng="):
        loaded.means("model")
    with pytest.raises(DesignError, match="loo"):
        loaded.contrast("model")


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
